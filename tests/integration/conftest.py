"""The bridge's house, shared by the files that test the bridge; a file about another house defines its own."""

from tests.servers.bridge import house  # noqa: F401 - a fixture
