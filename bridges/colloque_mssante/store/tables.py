"""The bridge's own tables. Times are milliseconds since 1970, UTC; lists stand as JSON."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.absences import register_absences
from colloque_mssante.store.opening import register_opening
from colloque_mssante.store.originals import register_originals
from colloque_mssante.store.tables_arriving import register_arriving
from colloque_mssante.store.tables_ends import register_ends
from colloque_mssante.store.tables_flags import register_flags
from colloque_mssante.store.tables_guests import register_guests, register_moves
from colloque_mssante.store.tables_reports import register_reports
from colloque_mssante.store.tables_teams import register_teams
from colloque_mssante.store.tables_workers import register_workers
from colloque_mssante.store.tables_writing import register, register_writing


def register_upgrades(table: UpgradeTable) -> None:
    """Add the bridge's migrations to the common ones. Numbered by order; never edited once released."""
    register(table, "Ghosts, mailboxes, mails, outbox", _FIRST)
    register_writing(table)
    register_teams(table)
    register_guests(table)
    register_workers(table)
    register_flags(table)
    register_opening(table)
    register_originals(table)
    register_moves(table)
    register_absences(table)
    register_ends(table)
    register(table, "Archives in doubt leave again (decision 30)", _AGAIN)
    register_reports(table)
    register(table, "Whom a mail came from", _WHO)
    register_arriving(table)


_AGAIN = ("UPDATE outbox SET state = 'deferred' WHERE state = 'doubtful' AND caller = 'salles' AND raw IS NOT NULL",)
# The key of its author as a correspondent (see `conversation`); empty for mails of before.
_WHO = ("ALTER TABLE mail ADD COLUMN who TEXT NOT NULL DEFAULT ''",)
_FIRST = (
    # Ghosts' device keys, encrypted; `signed` once the device is on the server with its owner's signature.
    """CREATE TABLE ghost_device (
        user_id   TEXT PRIMARY KEY,
        device_id TEXT NOT NULL,
        pickle    TEXT NOT NULL,
        signed    BOOLEAN NOT NULL
    )""",
    # Correspondents: `key` is opaque; `name` is what the homeserver shows.
    "CREATE TABLE ghost (key TEXT PRIMARY KEY, user_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL)",
    # One row a mailbox that is (or was) watched. `uid` is the last one dealt with under `uidvalidity`.
    """CREATE TABLE mailbox (
        address     TEXT PRIMARY KEY,
        owner       TEXT NOT NULL,
        since       BIGINT NOT NULL,
        uidvalidity BIGINT,
        uid         BIGINT NOT NULL DEFAULT 0,
        refused     TEXT
    )""",
    # Mails that could not be delivered although Matrix answers: tried again, then given up, never in others' way.
    """CREATE TABLE stuck (
        mailbox     TEXT NOT NULL,
        uidvalidity BIGINT NOT NULL,
        uid         BIGINT NOT NULL,
        tries       INTEGER NOT NULL,
        next_at     BIGINT NOT NULL,
        given_up    BOOLEAN NOT NULL DEFAULT false,
        PRIMARY KEY (mailbox, uidvalidity, uid)
    )""",
    # One row a mail dealt with. `room_id` is empty where nothing was to show (a report, a code of ours).
    """CREATE TABLE mail (
        id          TEXT PRIMARY KEY,
        mailbox     TEXT NOT NULL,
        owner       TEXT NOT NULL,
        uidvalidity BIGINT NOT NULL,
        uid         BIGINT NOT NULL,
        message_id  TEXT,
        refs        TEXT NOT NULL,
        subject     TEXT NOT NULL,
        author_name TEXT NOT NULL,
        author      TEXT NOT NULL,
        room_id     TEXT NOT NULL,
        ref         TEXT NOT NULL,
        at          BIGINT NOT NULL
    )""",
    "CREATE INDEX mail_by_message_id ON mail (mailbox, message_id)",
    # The events that show a mail.
    "CREATE TABLE part (event_id TEXT PRIMARY KEY, mail TEXT NOT NULL, rank INTEGER NOT NULL)",
    "CREATE INDEX part_by_mail ON part (mail)",
    # Files on their way to the media store: address and keys are fixed before anything is uploaded.
    "CREATE TABLE upload (txn TEXT PRIMARY KEY, mxc TEXT NOT NULL, file TEXT NOT NULL, done BOOLEAN NOT NULL)",
    # Mails on their way out. `event_id` is the event that asked for it, empty for a service's; `told` is the state
    # that the writer was last told, `told_event` the message that did; `asked_by` the last `!renvoyer`.
    """CREATE TABLE outbox (
        seq        $SERIAL,
        key        TEXT NOT NULL UNIQUE,
        caller     TEXT NOT NULL,
        sender     TEXT NOT NULL,
        recipients TEXT NOT NULL,
        owner      TEXT NOT NULL,
        room_id    TEXT NOT NULL,
        event_id   TEXT NOT NULL,
        message_id TEXT NOT NULL UNIQUE,
        envid      TEXT NOT NULL UNIQUE,
        ref        TEXT NOT NULL,
        raw        BYTEA,
        state      TEXT NOT NULL,
        status     TEXT NOT NULL DEFAULT '',
        tries      INTEGER NOT NULL DEFAULT 0,
        next_at    BIGINT NOT NULL,
        made_at    BIGINT NOT NULL,
        told       TEXT NOT NULL DEFAULT '',
        told_event TEXT NOT NULL DEFAULT '',
        asked_by   TEXT NOT NULL DEFAULT ''
    )""",
    # What people must be told in their home room; without words once it was said.
    "CREATE TABLE notice (key TEXT PRIMARY KEY, owner TEXT NOT NULL, words TEXT NOT NULL)",
    "CREATE INDEX outbox_by_event ON outbox (event_id)",
    "CREATE INDEX outbox_by_told_event ON outbox (told_event)",
    "CREATE INDEX outbox_by_owner ON outbox (owner)",
    "CREATE INDEX outbox_by_state ON outbox (state)",
)
