"""Who dealt with a mail of a shared mailbox: said under it, once, and taken back by whoever made a mistake.

A tap of ☑️, `!traite`, or an answer that left says it. What the room shows follows the stored state: a crash between
the two is repaired by hearing the same event again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque import logs
from colloque.bot import Handler, Reply
from colloque.clock import Clock, from_millis, to_millis
from colloque.commands import Call
from colloque.errors import HomeRefused, NotFound, Refused
from colloque.identity import EventId, MssanteAddress, RoomId, UserId, digest
from colloque.matrix.home import Home, Incoming, edit, text
from colloque.store.journal import Journal
from colloque.taps import is_sign
from colloque_mssante.access.authors import Authors
from colloque_mssante.mapping import mapping
from colloque_mssante.mapping.mapping import Struck, Tap
from colloque_mssante.rules.sends import Send
from colloque_mssante.rules.teams import SHARED
from colloque_mssante.store.mails import Mails
from colloque_mssante.texts import teams as texts

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail of a shared mailbox, as far as dealing with it goes."""

    id: str
    ref: str
    room: RoomId
    event: EventId
    """The first that shows it."""
    by: UserId | None
    at: datetime
    """When somebody dealt with it, or took that back; 1970 where nobody ever did."""
    how: str
    """The event, or the mail's key, that said so."""
    note: EventId | None


class Handled:
    """One instance a process."""

    def __init__(
        self, *, db: Database, home: Home, mails: Mails, authors: Authors, journal: Journal, clock: Clock
    ) -> None:
        self._db = db
        self._home = home
        self._mails = mails
        self._authors = authors
        self._journal = journal
        self._clock = clock
        self.table: dict[str, Handler] = {"traite": self.say, "a traiter": self.take_back}

    async def waiting(self, mailbox: MssanteAddress) -> int:
        """How many of a shared mailbox's mails nobody dealt with yet, machines' documents apart."""
        found = await self._db.fetchval(
            "SELECT COUNT(*) FROM mail JOIN conversation ON conversation.room_id = mail.room_id "
            "WHERE mail.mailbox = $1 AND mail.owner = $2 AND mail.handled_by = ''",
            mailbox.value,
            SHARED,
        )
        return int(found)

    async def hear(self, said: Incoming) -> bool:
        """Take in a tap of ☑️ on a mail, or its withdrawal, by who may; False for anything else. Safe to repeat."""
        meant = mapping.to_meant(said)
        if isinstance(meant, Tap) and is_sign(meant.key, texts.HANDLED):
            mail = await self._shown_by(meant.on, said.room)
            return mail is not None and await self._note(mail, said.sender, said.event)
        if isinstance(meant, Struck):
            mail = _read(await self._db.fetchrow(_HANDLED_BY, meant.what))
            if mail is not None and mail.room == said.room and mail.by == said.sender:
                await self._reopen(mail, said.sender, said.event)
                return True
        return False

    async def by_answer(self, send: Send, message_id: str) -> None:
        """An answer left a shared mailbox: its writer dealt with what it answers. Safe to repeat."""
        mail = _read(
            await self._db.fetchrow(
                _ANSWERED,
                send.sender.value,
                message_id,
                send.room or "",
            )
        )
        if mail is None or send.owner is None:
            return
        if mail.how != send.key and mail.at > send.made_at:
            return  # somebody decided since: an answer that is looked at again must not undo it
        try:
            await self._note(mail, send.owner, send.key)
        except HomeRefused as error:  # the room is gone: nobody is left to be told
            logs.event(logger, "handled.untold", errcode=error.errcode)

    async def say(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!traite`, as a reply to a mail."""
        mail = await self._shown_by(said.reply_to, said.room) if said.reply_to is not None else None
        if mail is None:
            await reply(texts.HANDLE_WHAT)
        elif not await self._note(mail, said.sender, said.event):
            assert mail.by is not None
            await reply(texts.handled_before(self._name(mail.by), mail.at))

    async def take_back(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!a-traiter`, as a reply to a mail."""
        mail = await self._shown_by(said.reply_to, said.room) if said.reply_to is not None else None
        if mail is None:
            await reply(texts.UNHANDLE_WHAT)
        elif mail.by is None and mail.how != said.event:
            await reply(texts.NOT_HANDLED)
        else:
            await self._reopen(mail, said.sender, said.event)

    async def _note(self, mail: _Mail, user: UserId, how: str) -> bool:
        """False when somebody dealt with it before."""
        if mail.by is not None and mail.how != how:
            return False
        at = mail.at
        if mail.by is None:
            at = self._clock.now()
            await self._db.execute(
                "UPDATE mail SET handled_by = $2, handled_at = $3, handled_how = $4 WHERE id = $1 AND handled_by = ''",
                mail.id,
                user,
                to_millis(at),
                how,
            )
            if await self._db.fetchval("SELECT 1 FROM mail WHERE id = $1 AND handled_how = $2", mail.id, how) is None:
                return False  # somebody was faster
            self._journal.note("mail.handled", actor=user, ref=mail.ref)
        await self._show(mail, texts.handled(self._name(user), at), how)
        return True

    async def _reopen(self, mail: _Mail, user: UserId, how: str) -> None:
        at = self._clock.now()
        if mail.by is not None:
            await self._db.execute(
                "UPDATE mail SET handled_by = '', handled_at = $2, handled_how = $3 WHERE id = $1",
                mail.id,
                to_millis(at),
                how,
            )
            self._journal.note("mail.reopened", actor=user, ref=mail.ref)
        await self._show(mail, texts.unhandled(self._name(user), at), how)

    async def _show(self, mail: _Mail, words: str, how: str) -> None:
        """One message under the mail, changed as things change."""
        txn = digest(f"{mail.id} handled {how}")
        if mail.note is None:
            note = await self._home.send(mail.room, text(words, notice=True, reply_to=mail.event), txn=txn)
            await self._db.execute("UPDATE mail SET handled_note = $2 WHERE id = $1", mail.id, note)
        else:
            await self._home.send(mail.room, edit(mail.note, text(words, notice=True)), txn=txn)

    def _name(self, user: UserId) -> str:
        try:
            return self._authors.name(user)
        except (Refused, NotFound):  # no longer verified, or no directory yet
            return user

    async def _shown_by(self, event: EventId, room: RoomId) -> _Mail | None:
        await self._mails.linked(room, event)
        found = _read(await self._db.fetchrow(_SHOWN_BY, event))
        return found if found is not None and found.room == room else None


_MAIL = "SELECT mail.*, part.event_id FROM mail JOIN part ON part.mail = mail.id AND part.rank = 0 "
_SHOWN_BY = f"{_MAIL}JOIN part AS shown ON shown.mail = mail.id WHERE mail.owner = '' AND shown.event_id = $1"
_HANDLED_BY = f"{_MAIL}WHERE mail.owner = '' AND mail.handled_how = $1 AND mail.handled_by <> ''"
_ANSWERED = (
    f"{_MAIL}WHERE mail.owner = '' AND mail.mailbox = $1 AND mail.message_id = $2 AND mail.room_id = $3 "
    "ORDER BY mail.at DESC"
)


def _read(row: Any) -> _Mail | None:
    if row is None:
        return None
    return _Mail(
        row["id"],
        row["ref"],
        RoomId(row["room_id"]),
        EventId(row["event_id"]),
        UserId(row["handled_by"]) if row["handled_by"] else None,
        from_millis(row["handled_at"]),
        row["handled_how"],
        EventId(row["handled_note"]) if row["handled_note"] else None,
    )
