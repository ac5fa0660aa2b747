"""What several files of tests share: the bridge's house, the federation, the page `/entrer`. Others have their own."""

from tests.servers.bridge import house  # noqa: F401 - a fixture
from tests.servers.entry_place import browser, entry_place  # noqa: F401 - fixtures
from tests.servers.federation_world import world  # noqa: F401 - a fixture
