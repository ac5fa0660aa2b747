"""Tables of mailboxes that a team shares. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque_mssante.store.tables_writing import register


def register_teams(table: UpgradeTable) -> None:
    """Add this family's migrations after those of conversations."""

    register(table, "Mailboxes that a team shares", _TABLES)


_TABLES = (
    # Who acts for a shared mailbox. `until` 0: no end; `stands_in`: for whom, empty for a member of the team. Somebody
    # may stand in for several, each up to their own day, and be a member as well.
    """CREATE TABLE team (
        mailbox   TEXT NOT NULL,
        user_id   TEXT NOT NULL,
        added_at  BIGINT NOT NULL,
        until     BIGINT NOT NULL DEFAULT 0,
        stands_in TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (mailbox, user_id, stands_in)
    )""",
    # The shared mailbox whose room it is; empty for a person's own. `owner` is empty then.
    "ALTER TABLE conversation ADD COLUMN team TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE document_room ADD COLUMN team TEXT NOT NULL DEFAULT ''",
    # Who dealt with a mail of a shared mailbox, when, by which event or mail of theirs, and the message that says so.
    "ALTER TABLE mail ADD COLUMN handled_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mail ADD COLUMN handled_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE mail ADD COLUMN handled_how TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mail ADD COLUMN handled_note TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX mail_by_handled ON mail (handled_how)",
)
