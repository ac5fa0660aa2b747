"""What the bridge remembers of mails: which event shows which, and what an answer needs of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, to_millis
from colloque.errors import Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Mail, Party
from colloque.patience import patiently
from colloque.store.schema import transaction
from colloque_mssante.rules.teams import SHARED
from colloque_mssante.store.mailboxes import Cursor, Place

_PARTIES = ("to", "cc", "reply_to")
_SHOWING_S = 20.0
"""From a mail's first event to its last, its files are stored. After that long nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail that was dealt with, as far as answering it needs. `subject` stays here and in encrypted events."""

    id: str
    mailbox: MssanteAddress
    owner: UserId
    message_id: str | None
    references: tuple[str, ...]
    subject: str
    author: Party
    room: RoomId | None
    """None where nothing was to show."""
    thread: str = ""
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    reply_to: tuple[Party, ...] = ()
    listed: bool = False
    """True when the directory listed its author's address that day."""
    receipt_to: str = field(default="", repr=False)
    """Whom its author asked to tell when it is read; empty: nobody."""
    who: str = field(default="", repr=False)
    """Its author's key as a correspondent, that day (`ghosts.Correspondent`); empty: not known."""

    def came_to(self, user: UserId) -> bool:
        """True for who got it: the owner of its mailbox; whoever takes part in a room of a team."""
        return self.owner in {SHARED, user}


class Mails:
    """Mails dealt with, and the events that show them."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def seen(self, mail: str, owner: UserId) -> bool:
        """True when the mail (see `mapping.mail_key`) was dealt with for them (`SHARED`: for a team)."""
        query = "SELECT 1 FROM mail WHERE id = $1 AND owner = $2"
        return await self._db.fetchval(query, mail, owner) is not None

    async def stands(self, mail: str, place: Place) -> None:
        """It came again: it stands there by now, where nobody looked at its flags yet."""
        await self._db.execute(
            "UPDATE mail SET uidvalidity = $2, uid = $3, looked = false, gone = false "
            "WHERE id = $1 AND (uidvalidity <> $2 OR uid <> $3)",
            mail,
            place.uidvalidity,
            place.uid,
        )

    async def begin(self, mail: str, room: RoomId) -> None:
        """Its events are about to be sent to that room; `put` or `abandon` ends that."""
        await self._db.execute(
            "INSERT INTO arriving (mail, room_id) VALUES ($1, $2) ON CONFLICT (mail) DO UPDATE SET room_id = $2",
            mail,
            room,
        )

    async def abandon(self, mail: str) -> None:
        """Its events can't be sent to where they were to go."""
        await self._db.execute("DELETE FROM arriving WHERE mail = $1", mail)

    async def arriving_in(self, mail: str) -> RoomId | None:
        """The room that a mail's events were begun in, when a crash cut that off."""
        found = await self._db.fetchval("SELECT room_id FROM arriving WHERE mail = $1", mail)
        return RoomId(found) if found else None

    async def arriving(self, room: RoomId) -> bool:
        """True while a mail is on its way to that room: one of its events may be there already."""
        return await self._db.fetchval("SELECT 1 FROM arriving WHERE room_id = $1 LIMIT 1", room) is not None

    async def put(self, mail: StoredMail, place: Place, ref: str, events: Sequence[EventId]) -> None:
        """Keep a mail, its token in the journal, and the events that show it, in one transaction; repeatable."""
        async with transaction(self._db):
            await self._db.execute(
                "INSERT INTO mail "
                "(id, mailbox, owner, uidvalidity, uid, message_id, refs, subject, author_name, author, room_id, "
                "ref, at, thread, parties, listed, receipt_to, who) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) "
                "ON CONFLICT (id) DO NOTHING",
                mail.id,
                mail.mailbox.value,
                mail.owner,
                place.uidvalidity,
                place.uid,
                mail.message_id,
                json.dumps(mail.references),
                mail.subject,
                mail.author.name,
                mail.author.address,
                mail.room or "",
                ref,
                to_millis(self._clock.now()),
                mail.thread,
                json.dumps({use: [(p.name, p.address) for p in getattr(mail, use)] for use in _PARTIES}),
                mail.listed,
                mail.receipt_to,
                mail.who,
            )
            await self.abandon(mail.id)
            for rank, event in enumerate(events):
                await self._db.execute(
                    "INSERT INTO part (event_id, mail, rank) VALUES ($1, $2, $3) ON CONFLICT (event_id) DO NOTHING",
                    event,
                    mail.id,
                    rank,
                )

    async def delivered(self, ref: str) -> bool:
        """True when the mail that the journal names so is shown."""
        return await self._db.fetchval("SELECT 1 FROM mail WHERE ref = $1", ref) is not None

    async def shown_by(self, event: EventId) -> StoredMail | None:
        """The mail that an event shows."""
        return _read(
            await self._db.fetchrow(
                "SELECT mail.* FROM mail JOIN part ON part.mail = mail.id WHERE part.event_id = $1", event
            )
        )

    async def linked(self, room: RoomId, event: EventId) -> None:
        """Come back once it is known what an event of that room shows: while a mail is being shown there, it is waited
        for, some seconds. Who taps it or answers it may be faster than our note of it.
        """
        with contextlib.suppress(Temporary):
            await patiently(partial(self._linked, room, event), for_s=_SHOWING_S, first_s=0.05, most_s=0.5)

    async def _linked(self, room: RoomId, event: EventId) -> None:
        # In this order: a mail that was linked in between is no longer arriving, and known to who looks next.
        if await self.shown_by(event) is None and await self.arriving(room):
            raise Temporary("it is still being shown")

    async def uid_of(self, mailbox: MssanteAddress, message_id: str, thread: str) -> tuple[int, int] | None:
        """`(UIDVALIDITY, UID)` of a mail of that thread in its mailbox; of several with that id the newest."""
        row: Any = await self._db.fetchrow(
            "SELECT uidvalidity, uid FROM mail WHERE mailbox = $1 AND message_id = $2 AND thread = $3 "
            "ORDER BY at DESC LIMIT 1",
            mailbox.value,
            message_id,
            thread,
        )
        return None if row is None else (row["uidvalidity"], row["uid"])

    async def last_of(self, thread: str, user: UserId) -> StoredMail | None:
        """The newest mail of a thread that came to `user`; where none did, the newest that came to the other."""
        return _read(
            await self._db.fetchrow(
                "SELECT * FROM mail WHERE thread = $1 "
                "ORDER BY CASE WHEN owner IN ($2, $3) THEN 0 ELSE 1 END, at DESC, uid DESC LIMIT 1",
                thread,
                user,
                SHARED,
            )
        )

    async def event_of(self, mailbox: MssanteAddress, message_id: str, room: RoomId) -> EventId | None:
        """The first event that shows a mail of that Message-ID in that room."""
        value = await self._db.fetchval(
            "SELECT part.event_id FROM part JOIN mail ON part.mail = mail.id "
            "WHERE mail.mailbox = $1 AND mail.message_id = $2 AND mail.room_id = $3 AND part.rank = 0",
            mailbox.value,
            message_id,
            room,
        )
        return EventId(value) if value else None


def stored(
    key: str, box: Cursor, mail: Mail, room: RoomId | None, thread: str = "", *, listed: bool = False, who: str = ""
) -> StoredMail:
    """What is kept of a mail that came; `room`: where it is shown, None where nothing was to show."""
    return StoredMail(
        id=key,
        mailbox=box.address,
        owner=box.owner,
        message_id=mail.message_id,
        references=mail.references,
        subject=mail.subject,
        author=mail.sender,
        room=room,
        thread=thread,
        to=mail.to,
        cc=mail.cc,
        reply_to=mail.reply_to,
        listed=listed,
        receipt_to=mail.receipt_to,
        who=who,
    )


class Uploads:
    """Files on their way to the media store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, txn: str) -> tuple[str, dict[str, Any], bool] | None:
        """`(mxc, EncryptedFile, done)` of a part whose upload was begun."""
        row: Any = await self._db.fetchrow("SELECT mxc, file, done FROM upload WHERE txn = $1", txn)
        return (row["mxc"], json.loads(row["file"]), bool(row["done"])) if row else None

    async def begin(self, txn: str, mxc: str, file: dict[str, Any]) -> None:
        """Keep the address and the keys, before anything is uploaded."""
        await self._db.execute(
            "INSERT INTO upload (txn, mxc, file, done) VALUES ($1, $2, $3, false) "
            "ON CONFLICT (txn) DO UPDATE SET mxc = excluded.mxc, file = excluded.file, done = false",
            txn,
            mxc,
            json.dumps(file),
        )

    async def done(self, txn: str) -> None:
        """The server has it."""
        await self._db.execute("UPDATE upload SET done = true WHERE txn = $1", txn)

    async def forget(self, txns: Sequence[str]) -> None:
        """The events are sent: keys of files stay in them alone."""
        for txn in txns:
            await self._db.execute("DELETE FROM upload WHERE txn = $1", txn)


def _read(row: Any) -> StoredMail | None:
    if row is None:
        return None
    parties = json.loads(row["parties"])
    to, cc, reply_to = (tuple(Party(*party) for party in parties.get(use, ())) for use in _PARTIES)
    return StoredMail(
        id=row["id"],
        mailbox=MssanteAddress(row["mailbox"]),
        owner=UserId(row["owner"]),
        message_id=row["message_id"],
        references=tuple(json.loads(row["refs"])),
        subject=row["subject"],
        author=Party(row["author_name"], row["author"]),
        room=RoomId(row["room_id"]) if row["room_id"] else None,
        thread=row["thread"],
        to=to,
        cc=cc,
        reply_to=reply_to,
        listed=bool(row["listed"]),
        receipt_to=row["receipt_to"],
        who=row["who"],
    )
