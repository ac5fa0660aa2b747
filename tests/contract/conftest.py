"""The databases and directories that several files of tests share."""

from tests.servers.databases import db, opened, url  # noqa: F401 - fixtures
from tests.servers.directories import directory, load, loaded, where  # noqa: F401 - fixtures
from tests.servers.entry_page import web  # noqa: F401 - a fixture
from tests.servers.imap_suites import box, operator  # noqa: F401 - fixtures
from tests.servers.mail_suites import dovecot, postfix, sandbox  # noqa: F401 - fixtures
from tests.servers.salles_archive import archived  # noqa: F401 - a fixture
from tests.servers.salles_lodge import lodge  # noqa: F401 - a fixture
from tests.servers.sides import sides  # noqa: F401 - a fixture
