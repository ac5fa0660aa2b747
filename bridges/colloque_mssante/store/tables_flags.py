"""Tables of what happens to mails in other programs."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_flags(table: UpgradeTable) -> None:
    """Add this family's migration after the others."""
    register(table, "How far flags were looked at", _TABLES)


_TABLES = (
    # Up to where (RFC 7162) the changes of a mailbox's flags were looked at, under that `uidvalidity`.
    "CREATE TABLE flag_mark (mailbox TEXT PRIMARY KEY, uidvalidity BIGINT NOT NULL, modseq BIGINT NOT NULL)",
    # Its flags are known up to the mark of its mailbox; `gone`: it is not in INBOX any more.
    "ALTER TABLE mail ADD COLUMN looked BOOLEAN NOT NULL DEFAULT false",
    "ALTER TABLE mail ADD COLUMN gone BOOLEAN NOT NULL DEFAULT false",
)
