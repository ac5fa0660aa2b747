"""Tables of threads that end. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_ends(table: UpgradeTable) -> None:
    """Add this family's migration after the absences'."""
    register(table, "Threads that end", _TABLES)


_TABLES = (
    # Its number is not given again, no mail joins it any more, and nothing else is kept of it.
    "ALTER TABLE thread ADD COLUMN ended BOOLEAN NOT NULL DEFAULT false",
    "CREATE INDEX thread_by_age ON thread (last_at) WHERE NOT ended",
    # One row a mail room: the lifetime that it says, since when, by which event; `again`: the event that invited
    # somebody since; `walked`: the files of its past are in `room_file`.
    """CREATE TABLE room_life (
        room_id    TEXT PRIMARY KEY,
        told_s     BIGINT NOT NULL DEFAULT 0,
        told_at    BIGINT NOT NULL DEFAULT 0,
        told_event TEXT NOT NULL DEFAULT '',
        again      TEXT NOT NULL DEFAULT '',
        walked     BOOLEAN NOT NULL DEFAULT false
    )""",
    # Which events share which files, in every mail room: a file ends with the last thread that shares it.
    """CREATE TABLE room_file (
        mxc      TEXT NOT NULL,
        event_id TEXT NOT NULL,
        room_id  TEXT NOT NULL,
        PRIMARY KEY (mxc, event_id)
    )""",
    "CREATE INDEX room_file_by_event ON room_file (event_id)",
    # One row a thread that ends (see `ends`). `token`: how @salles and the receipt call it; `told`: its room read that
    # it stays.
    """CREATE TABLE thread_end (
        thread   TEXT PRIMARY KEY,
        room_id  TEXT NOT NULL,
        token    TEXT NOT NULL,
        step     TEXT NOT NULL,
        next_at  BIGINT NOT NULL,
        asked_at BIGINT NOT NULL,
        told     BOOLEAN NOT NULL DEFAULT false,
        counts   TEXT NOT NULL DEFAULT '{}',
        serial   BIGINT NOT NULL DEFAULT 0
    )""",
    # Its mails, for their mailboxes to be asked; `found` is NULL while one has not answered.
    """CREATE TABLE thread_original (
        thread      TEXT NOT NULL,
        mail        TEXT NOT NULL,
        mailbox     TEXT NOT NULL,
        owner       TEXT NOT NULL,
        message_id  TEXT,
        uidvalidity BIGINT NOT NULL,
        uid         BIGINT NOT NULL,
        found       BOOLEAN,
        PRIMARY KEY (thread, mail)
    )""",
    "CREATE INDEX thread_original_unasked ON thread_original (mailbox) WHERE found IS NULL",
    # Its events, and the files that they share, as its room was read.
    "CREATE TABLE thread_event (event_id TEXT PRIMARY KEY, thread TEXT NOT NULL, gone BOOLEAN NOT NULL DEFAULT false)",
    "CREATE INDEX thread_event_by_thread ON thread_event (thread)",
    """CREATE TABLE thread_file (
        thread TEXT NOT NULL,
        mxc    TEXT NOT NULL,
        sender TEXT NOT NULL,
        PRIMARY KEY (thread, mxc, sender)
    )""",
    # Who keeps a thread, or all of a room (`thread` is empty then), why and until when.
    """CREATE TABLE thread_hold (
        room_id TEXT NOT NULL,
        thread  TEXT NOT NULL,
        user_id TEXT NOT NULL,
        reason  TEXT NOT NULL,
        until   BIGINT NOT NULL,
        warned  BOOLEAN NOT NULL DEFAULT false,
        PRIMARY KEY (room_id, thread)
    )""",
)
