"""Tables of rooms that both ends of mail share. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_guests(table: UpgradeTable) -> None:
    """Add this family's migrations after the teams'."""
    register(table, "Correspondents in the room", _TABLES)


def register_moves(table: UpgradeTable) -> None:
    """What came after the forwarded mails."""
    register(table, "Rooms that others took the place of", _MOVES)


_MOVES = (
    # `closed`: the old one says where it goes on, and nobody writes there.
    "CREATE TABLE moved (room_id TEXT PRIMARY KEY, successor TEXT NOT NULL, closed BOOLEAN NOT NULL DEFAULT false)",
)
_TABLES = (
    # The correspondent whom a room's owner brought in. `rpps`: who they are, whatever their account; `who`: the owner
    # as a correspondent; `since`: when they were invited. `sender` and `recipient`: the guest's addresses for new
    # mails, empty before they chose. `..._after`: what stays unread that many seconds leaves as mail, where both chose
    # a time; 0: they did not.
    """CREATE TABLE guest (
        room_id     TEXT PRIMARY KEY,
        owner       TEXT NOT NULL,
        user_id     TEXT NOT NULL,
        rpps        TEXT NOT NULL,
        who         TEXT NOT NULL,
        since       BIGINT NOT NULL,
        joined      BOOLEAN NOT NULL DEFAULT false,
        sender      TEXT NOT NULL DEFAULT '',
        recipient   TEXT NOT NULL DEFAULT '',
        owner_after BIGINT NOT NULL DEFAULT 0,
        guest_after BIGINT NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX guest_by_user ON guest (user_id, who)",
    # What they say to each other there, kept for some days in case it is to leave as mail. `answers` and `root`: the
    # event it answers, the thread it was written in. `settled`: it leaves as mail, or may not.
    """CREATE TABLE said (
        seq      $SERIAL,
        event_id TEXT NOT NULL UNIQUE,
        room_id  TEXT NOT NULL,
        writer   TEXT NOT NULL,
        words    TEXT NOT NULL,
        html     TEXT NOT NULL,
        file     TEXT NOT NULL,
        answers  TEXT NOT NULL,
        root     TEXT NOT NULL,
        at       BIGINT NOT NULL,
        seen     BOOLEAN NOT NULL DEFAULT false,
        settled  BOOLEAN NOT NULL DEFAULT false
    )""",
    "CREATE INDEX said_in_room ON said (room_id, seq)",
    # Its owner was told that the correspondent has an account and can be brought in.
    "ALTER TABLE conversation ADD COLUMN hinted BOOLEAN NOT NULL DEFAULT false",
    "CREATE INDEX conversation_by_who ON conversation (who)",
    # Of several people in a room, each reads for themselves; '': whoever of a team.
    """CREATE TABLE read_up_to (
        room_id  TEXT NOT NULL,
        thread   TEXT NOT NULL,
        user_id  TEXT NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (room_id, thread, user_id)
    )""",
    (
        "INSERT INTO read_up_to (room_id, thread, user_id, event_id) "
        "SELECT receipt.room_id, thread, COALESCE(conversation.owner, document_room.owner, ''), event_id FROM receipt "
        "LEFT JOIN conversation ON conversation.room_id = receipt.room_id "
        "LEFT JOIN document_room ON document_room.room_id = receipt.room_id"
    ),
    "DROP TABLE receipt",
)
