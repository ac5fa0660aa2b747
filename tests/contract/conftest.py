"""The databases that the store's files of tests share."""

from tests.servers.databases import db, opened, url  # noqa: F401 - fixtures
