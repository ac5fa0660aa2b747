"""Tables of mails whose events are on their way."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_arriving(table: UpgradeTable) -> None:
    """Add this family's migration after the others."""
    register(table, "Which events of a mail were sent", _TABLES)


_TABLES = (
    # One row an event of a mail that is being shown in that room: when it was begun (or sent), and its id, empty while
    # the answer is not known. The first is there from the beginning. They go with the link.
    """CREATE TABLE arriving_event (
        mail     TEXT NOT NULL,
        room_id  TEXT NOT NULL,
        rank     INTEGER NOT NULL,
        at       BIGINT NOT NULL,
        event_id TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (mail, room_id, rank)
    )""",
    # Nobody knows since when.
    "INSERT INTO arriving_event (mail, room_id, rank, at) SELECT mail, room_id, 0, 0 FROM arriving",
)
