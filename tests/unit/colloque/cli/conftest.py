"""What several files of tests about receipts share."""

from tests.receipts import clerk, verify  # noqa: F401 - fixtures
