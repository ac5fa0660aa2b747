"""Tables of what reports say of mails with several recipients."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_reports(table: UpgradeTable) -> None:
    """Add this family's migration after decision 30's."""
    register(table, "What reports say of each recipient", _TABLES)


_TABLES = (
    # One row a recipient of whom a report spoke, of mails with several; `recipient` is empty for reports that name none
    # of theirs. `told`: the writer read that it failed there.
    """CREATE TABLE reported (
        key       TEXT NOT NULL,
        recipient TEXT NOT NULL,
        state     TEXT NOT NULL,
        status    TEXT NOT NULL,
        told      BOOLEAN NOT NULL DEFAULT false,
        PRIMARY KEY (key, recipient)
    )""",
    "CREATE INDEX reported_untold ON reported (key) WHERE state = 'failed' AND NOT told",
)
