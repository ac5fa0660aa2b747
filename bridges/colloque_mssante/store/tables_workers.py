"""What lies between the two halves of the bridge: mails on their way in. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_workers(table: UpgradeTable) -> None:
    """Add this family's migrations after the guests'."""
    register(table, "Mails on their way in", _INBOX)
    register(table, "Who works for which mailbox", _LEASES)


_LEASES = (
    # Processes that work for mailboxes; `until`: when a life is over unless it says that it goes on.
    "CREATE TABLE worker (life TEXT PRIMARY KEY, name TEXT NOT NULL, until BIGINT NOT NULL)",
    "CREATE TABLE lease (mailbox TEXT PRIMARY KEY, life TEXT NOT NULL)",
    # Grows with every attempt that comes as far as the mail's text: what an earlier one learns late changes nothing.
    "ALTER TABLE outbox ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0",
)
_INBOX = (
    # One row a mail that was fetched and is not shown yet; it goes away with the link that says that it is. `raw` is
    # NULL while the mail could not be fetched, by a defect of ours: it is fetched again at `next_at`.
    # It stands last: what comes after it could not be looked at without reading it.
    """CREATE TABLE inbox (
        mailbox     TEXT NOT NULL,
        uidvalidity BIGINT NOT NULL,
        uid         BIGINT NOT NULL,
        size        BIGINT NOT NULL,
        tries       INTEGER NOT NULL DEFAULT 0,
        next_at     BIGINT NOT NULL,
        raw         BYTEA,
        PRIMARY KEY (mailbox, uidvalidity, uid)
    )""",
    """INSERT INTO inbox (mailbox, uidvalidity, uid, raw, size, tries, next_at)
        SELECT mailbox, uidvalidity, uid, NULL, 0, tries, next_at FROM stuck WHERE NOT given_up""",
    "DROP TABLE stuck",
    # How its reading goes (see `watch.Watcher`), since when; empty where nobody reads it.
    "ALTER TABLE mailbox ADD COLUMN state TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mailbox ADD COLUMN state_at BIGINT NOT NULL DEFAULT 0",
    # What its owner did with a mail elsewhere and its room does not show yet: empty, `seen`, `answered`.
    "ALTER TABLE mail ADD COLUMN news TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX mail_by_news ON mail (news)",
    # False while what a mail of ours answers is still to be said to be dealt with.
    "ALTER TABLE outbox ADD COLUMN handled BOOLEAN NOT NULL DEFAULT true",
    "UPDATE outbox SET handled = filed",
    # What is still to be done, looked for every second: these stay small, the tables do not.
    "CREATE INDEX mail_unmarked ON mail (read_at) WHERE NOT marked",
    "CREATE INDEX outbox_untold ON outbox (seq) WHERE room_id <> '' AND told <> state",
    "CREATE INDEX outbox_unfiled ON outbox (seq) WHERE NOT filed",
    "CREATE INDEX outbox_unhandled ON outbox (seq) WHERE NOT handled",
)
