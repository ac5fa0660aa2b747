"""Tables of conversations: their ends, threads, drafts. Times are milliseconds since 1970, UTC; lists stand as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from mautrix.util.async_db import Connection, Scheme, UpgradeTable

from colloque.store.schema import migration


def register_writing(table: UpgradeTable) -> None:
    """Add this family's migrations after the bridge's first."""
    register(table, "Conversations, threads, drafts", _TABLES)
    register(table, "Read mails", _READING)
    register(table, "Mailboxes that their owners closed", _CHOICES)
    register(table, "Quiet rooms", _QUIET)
    register(table, "Patients' rooms, messages in HTML", _MARKS)


def register(table: UpgradeTable, description: str, statements: Sequence[str]) -> None:
    """One more migration. `$SERIAL` stands for a primary key that counts by itself."""

    @migration(table, description)
    async def run(conn: Connection) -> None:
        sqlite = conn.scheme == Scheme.SQLITE
        serial = "INTEGER PRIMARY KEY AUTOINCREMENT" if sqlite else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        for statement in statements:
            await conn.execute(statement.replace("$SERIAL", serial))


_MARKS = (
    # Which of its owner's patients is at the other end; 0 for everybody else.
    "ALTER TABLE conversation ADD COLUMN patient INTEGER NOT NULL DEFAULT 0",
    # The words of a message in clean HTML; empty where they say as much.
    "ALTER TABLE draft_line ADD COLUMN html TEXT NOT NULL DEFAULT ''",
)
_QUIET = (
    # Rooms of automatic documents, one a mailbox; `listed_at`: the newest mail that stands in a daily list.
    "CREATE TABLE document_room (room_id TEXT PRIMARY KEY, owner TEXT NOT NULL, listed_at BIGINT NOT NULL DEFAULT 0)",
    # What owners chose for a sender, against the rule.
    "CREATE TABLE ringing (owner TEXT NOT NULL, who TEXT NOT NULL, rings BOOLEAN NOT NULL, PRIMARY KEY (owner, who))",
)
_CHOICES = (
    # `closed`: empty, `paused` or `off`; `opened` grows each time that its owner has it read anew.
    "ALTER TABLE mailbox ADD COLUMN closed TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mailbox ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE mailbox ADD COLUMN opened BIGINT NOT NULL DEFAULT 0",
)
_READING = (
    # `read_at` 0: not read in Matrix; `marked` once its mailbox knows. `receipt_to`: whom its author asked to tell.
    "ALTER TABLE mail ADD COLUMN receipt_to TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE mail ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE mail ADD COLUMN marked BOOLEAN NOT NULL DEFAULT false",
    # What its owner did with it elsewhere, as the room shows: empty, `seen`, `answered`; `here`: answered from Matrix.
    "ALTER TABLE mail ADD COLUMN there TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX mail_by_room ON mail (room_id, at)",
    "CREATE INDEX mail_by_place ON mail (mailbox, uidvalidity, uid)",
    "CREATE INDEX mail_to_mark ON mail (marked, read_at)",
    # The newest receipt of a room's owner, until it is made out. `thread`: a root, `main`, or empty for the whole room.
    """CREATE TABLE receipt (
        room_id  TEXT NOT NULL,
        thread   TEXT NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (room_id, thread)
    )""",
)
_TABLES = (
    # Who is at the other end of a mail room: `rpps:…`, `adeli:…` or `address:…`; `sender` and `recipient` are the
    # addresses that its owner chose for new mails, empty before.
    """CREATE TABLE conversation (
        room_id   TEXT PRIMARY KEY,
        owner     TEXT NOT NULL,
        who       TEXT NOT NULL,
        sender    TEXT NOT NULL DEFAULT '',
        recipient TEXT NOT NULL DEFAULT ''
    )""",
    # `id` is the mail or the draft that began it, `root` the event that did (empty until it is sent).
    """CREATE TABLE thread (
        id      TEXT PRIMARY KEY,
        room_id TEXT NOT NULL,
        number  INTEGER NOT NULL,
        subject TEXT NOT NULL,
        root    TEXT NOT NULL DEFAULT '',
        last_at BIGINT NOT NULL,
        UNIQUE (room_id, number)
    )""",
    "CREATE INDEX thread_by_root ON thread (root)",
    # The Message-IDs of a thread; not `shown`: only named by others.
    """CREATE TABLE thread_ref (
        room_id    TEXT NOT NULL,
        message_id TEXT NOT NULL,
        thread     TEXT NOT NULL,
        shown      BOOLEAN NOT NULL,
        PRIMARY KEY (room_id, message_id)
    )""",
    "ALTER TABLE mail ADD COLUMN thread TEXT NOT NULL DEFAULT ''",
    # `{"to", "cc", "reply_to"}`, each a list of `[name, address]`; `listed`: the directory knew its author.
    "ALTER TABLE mail ADD COLUMN parties TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE mail ADD COLUMN listed BOOLEAN NOT NULL DEFAULT false",
    "CREATE INDEX mail_by_thread ON mail (thread, at)",
    # Mails whose events are on their way: somebody may read one, and answer it, before `mail` and `part` know it.
    "CREATE TABLE arriving (mail TEXT PRIMARY KEY, room_id TEXT NOT NULL)",
    # What a mail of ours was for: `target` as the draft had it.
    "ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outbox ADD COLUMN target TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX outbox_by_thread ON outbox (thread)",
    # False while a copy of it is to be put into its mailbox's folder for sent mail; its text stays as long.
    "ALTER TABLE outbox ADD COLUMN filed BOOLEAN NOT NULL DEFAULT true",
    # A mail being written. `id` is the event that began it; `target` (empty until it is known) says where it goes,
    # `options` what each number of the bot's question means. `notice` is the bot's message about it, up to date when
    # `told` is `version`.
    """CREATE TABLE draft (
        seq       $SERIAL,
        id        TEXT NOT NULL UNIQUE,
        room_id   TEXT NOT NULL,
        owner     TEXT NOT NULL,
        state     TEXT NOT NULL,
        target    TEXT NOT NULL,
        options   TEXT NOT NULL,
        subject   TEXT NOT NULL DEFAULT '',
        loose     BOOLEAN NOT NULL,
        next_at   BIGINT NOT NULL,
        notice    TEXT NOT NULL DEFAULT '',
        version   INTEGER NOT NULL DEFAULT 1,
        told      INTEGER NOT NULL DEFAULT 0,
        tries     INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX draft_by_room ON draft (room_id)",
    "CREATE INDEX draft_by_state ON draft (state, next_at)",
    "CREATE INDEX draft_by_notice ON draft (notice)",
    # The messages that make a draft. Once it left, its lines keep their place and lose their words.
    """CREATE TABLE draft_line (
        seq      $SERIAL,
        event_id TEXT NOT NULL UNIQUE,
        draft    TEXT NOT NULL,
        words    TEXT NOT NULL,
        file     TEXT NOT NULL,
        struck   BOOLEAN NOT NULL DEFAULT false
    )""",
    "CREATE INDEX draft_line_by_draft ON draft_line (draft)",
)
