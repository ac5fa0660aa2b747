"""Which mails their owner read in Matrix, and which of them their mailbox still has to know of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Read
from colloque.store.schema import transaction

SEEN, ANSWERED = "seen", "answered"
HERE = "here"
"""Answered from Matrix: no news, and its author is still to be told that it was read."""
AT_ONCE = 500
MAIN = "main"
"""What a receipt says of events outside any thread (Matrix, "Threaded read receipts")."""


# In the main timeline stand the mails that began their thread, and those of none.
_READ = (
    "UPDATE mail SET read_at = $1 WHERE room_id = $2 AND read_at = 0 "
    "AND owner IN ($6, '') "
    "AND at <= (SELECT m.at FROM part JOIN mail m ON m.id = part.mail WHERE part.event_id = $5) AND ("
    "$3 = '' OR mail.thread IN (SELECT thread.id FROM thread WHERE thread.room_id = $2 AND thread.root = $3) "
    "OR ($3 = $4 AND NOT EXISTS (SELECT 1 FROM thread WHERE thread.id = mail.thread AND thread.root <> '' "
    "AND NOT EXISTS (SELECT 1 FROM part WHERE part.event_id = thread.root AND part.mail = mail.id))))"
)

# Who had a mailbox before neither acts in it any more nor learns what happens there. A place under another UIDVALIDITY
# says nothing: the mail is found anew, or never.
_HELD = "NOT EXISTS (SELECT 1 FROM mailbox WHERE mailbox.address = mail.mailbox AND mailbox.owner <> mail.owner)"
_THERE = (
    "NOT EXISTS (SELECT 1 FROM mailbox WHERE mailbox.address = mail.mailbox "
    "AND (mailbox.owner <> mail.owner OR mailbox.uidvalidity <> mail.uidvalidity))"
)


@dataclass(frozen=True, slots=True)
class ReadMail:
    """A mail that was read, for its mailbox and its author."""

    id: str
    mailbox: MssanteAddress
    owner: UserId
    uidvalidity: int
    uid: int
    message_id: str | None
    subject: str = field(repr=False)
    receipt_to: str = field(repr=False)
    """Whom its author asked to tell; empty: nobody."""
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ShownMail:
    """A mail that stands in a room, for what happens to it elsewhere."""

    id: str
    uid: int
    room: RoomId
    event: EventId
    """The first that shows it."""
    read: bool
    """Its owner read it in Matrix."""
    there: str
    """What was noted already: empty or `seen`."""
    looked: bool
    """Its flags are known up to the mark of its mailbox."""


@dataclass(frozen=True, slots=True)
class NewsOf:
    """What happened elsewhere to a mail, for its room."""

    id: str
    room: RoomId
    event: EventId
    """The first that shows it."""
    what: str
    """`seen` or `answered`."""


class Reads:
    """Queries over `receipt` and `mail`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def hear(self, read: Read) -> None:
        """Keep somebody's newest receipt, one for each thread."""
        await self._db.execute(
            "INSERT INTO read_up_to (room_id, thread, user_id, event_id) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (room_id, thread, user_id) DO UPDATE SET event_id = excluded.event_id",
            read.room,
            read.thread,
            read.user,
            read.event,
        )

    async def heard(self) -> list[Read]:
        """Receipts that nothing was made of yet."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM read_up_to")
        return [
            Read(RoomId(row["room_id"]), EventId(row["event_id"]), UserId(row["user_id"]), row["thread"])
            for row in rows
        ]

    async def shows(self, room: RoomId, event: EventId) -> bool:
        """True when that event of that room shows a mail."""
        found = await self._db.fetchval(
            "SELECT 1 FROM part JOIN mail ON mail.id = part.mail WHERE part.event_id = $1 AND mail.room_id = $2",
            event,
            room,
        )
        return found is not None

    async def read(self, heard: Read, upto: EventId | None) -> None:
        """Every mail that came to them in that room (in that thread of it), up to the one that `upto` shows, is read.

        None: no mail stands before it. The receipt is settled.
        """
        async with transaction(self._db):
            if upto is not None:
                await self._db.execute(
                    _READ,
                    to_millis(self._clock.now()),
                    heard.room,
                    heard.thread,
                    MAIN,
                    upto,
                    heard.user,
                )
            await self._db.execute(
                "DELETE FROM read_up_to WHERE room_id = $1 AND thread = $2 AND user_id = $3 AND event_id = $4",
                heard.room,
                heard.thread,
                heard.user,
                heard.event,
            )

    async def waiting(self) -> list[tuple[MssanteAddress, UserId]]:
        """Mailboxes, with their owner, that don't know yet of everything that was read here."""
        rows: list[Any] = await self._db.fetch(
            f"SELECT DISTINCT mailbox, owner FROM mail WHERE read_at > 0 AND NOT marked AND {_THERE}"  # noqa: S608
        )
        return [(MssanteAddress(row["mailbox"]), UserId(row["owner"])) for row in rows]

    async def to_mark(self, mailbox: MssanteAddress) -> list[ReadMail]:
        """The next mails read here that this mailbox does not know of."""
        rows: list[Any] = await self._db.fetch(
            f"SELECT * FROM mail WHERE mailbox = $1 AND read_at > 0 AND NOT marked AND {_THERE} "  # noqa: S608
            "ORDER BY read_at, uid LIMIT $2",
            mailbox.value,
            AT_ONCE,
        )
        return [
            ReadMail(
                row["id"],
                MssanteAddress(row["mailbox"]),
                UserId(row["owner"]),
                row["uidvalidity"],
                row["uid"],
                row["message_id"],
                row["subject"],
                # Read or answered elsewhere: that program told, or was told not to.
                "" if {row["there"], row["news"]} & {SEEN, ANSWERED} else row["receipt_to"],
                from_millis(row["read_at"]),
            )
            for row in rows
        ]

    async def shown(self, mailbox: MssanteAddress, uidvalidity: int, since: datetime, count: int) -> list[ShownMail]:
        """The newest mails of a mailbox, shown since then, of which something may still happen elsewhere.

        Not those that stand in a room as what the other wrote: nobody is told when somebody else reads.
        """
        rows: list[Any] = await self._db.fetch(
            "SELECT mail.id, mail.uid, mail.room_id, mail.read_at, mail.there, mail.news, mail.looked, "  # noqa: S608
            "part.event_id FROM mail JOIN part ON part.mail = mail.id AND part.rank = 0 "
            "WHERE mail.mailbox = $1 AND mail.uidvalidity = $2 AND mail.at >= $3 AND mail.there NOT IN ($4, $5) "
            "AND NOT EXISTS (SELECT 1 FROM draft_line WHERE draft_line.event_id = part.event_id) "
            f"AND mail.news <> $4 AND NOT mail.gone AND {_HELD} "
            "ORDER BY mail.uid DESC LIMIT $6",
            mailbox.value,
            uidvalidity,
            to_millis(since),
            ANSWERED,
            HERE,
            count,
        )
        return [
            ShownMail(
                row["id"],
                row["uid"],
                RoomId(row["room_id"]),
                EventId(row["event_id"]),
                row["read_at"] > 0,
                row["news"] or row["there"],
                bool(row["looked"]),
            )
            for row in rows
        ]

    async def note_news(self, mail: str, what: str) -> None:
        """That happened elsewhere, and its room is to show it, unless it was answered meanwhile (here, perhaps)."""
        await self._db.execute(
            "UPDATE mail SET news = $2 WHERE id = $1 AND there NOT IN ($3, $4)", mail, what, HERE, ANSWERED
        )

    async def news(self) -> list[NewsOf]:
        """What rooms don't show yet."""
        rows: list[Any] = await self._db.fetch(
            "SELECT mail.id, mail.room_id, mail.news, part.event_id "
            "FROM mail JOIN part ON part.mail = mail.id AND part.rank = 0 WHERE mail.news IN ($1, $2)",
            SEEN,
            ANSWERED,
        )
        return [NewsOf(row["id"], RoomId(row["room_id"]), EventId(row["event_id"]), row["news"]) for row in rows]

    async def happened(self, mail: str, what: str) -> None:
        """The room shows that, or need not. What happened since is still to be shown."""
        await self._db.execute(
            "UPDATE mail SET there = CASE WHEN there IN ($3, $4) THEN there ELSE $2 END, "
            "news = CASE WHEN news = $2 THEN '' ELSE news END WHERE id = $1",
            mail,
            what,
            HERE,
            ANSWERED,
        )

    async def answered_here(self, mailbox: MssanteAddress, uidvalidity: int, uid: int) -> None:
        """A mail that was answered from Matrix: its flag is no news."""
        await self._db.execute(
            "UPDATE mail SET there = CASE WHEN there = '' THEN $4 ELSE $5 END "
            "WHERE mailbox = $1 AND uidvalidity = $2 AND uid = $3 AND there <> $4",
            mailbox.value,
            uidvalidity,
            uid,
            HERE,
            ANSWERED,
        )

    async def give_up(self, before: datetime) -> int:
        """Mails read before then whose mailbox never took the flag: left alone from now on; how many."""
        moment = to_millis(before)
        async with transaction(self._db):
            count = await self._db.fetchval(
                "SELECT COUNT(*) FROM mail WHERE read_at > 0 AND read_at < $1 AND NOT marked", moment
            )
            if count:
                await self._db.execute("UPDATE mail SET marked = true WHERE read_at > 0 AND read_at < $1", moment)
        return int(count)

    async def read_before(self, mail: str) -> None:
        """It was read as a message before it came."""
        await self._db.execute(
            "UPDATE mail SET read_at = $2 WHERE id = $1 AND read_at = 0", mail, to_millis(self._clock.now())
        )

    async def marked(self, mail: str) -> None:
        """Its mailbox knows, or never will."""
        await self._db.execute("UPDATE mail SET marked = true WHERE id = $1", mail)
