"""The bridge's house and the federation, shared by the files that test them; a file about another defines its own."""

from tests.servers.bridge import house  # noqa: F401 - a fixture
from tests.servers.federation_world import world  # noqa: F401 - a fixture
