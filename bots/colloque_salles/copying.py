"""`!patient copie`: the conversation so far as PDF/A-1, to whoever asks for it, in their own encrypted home room.

Asked for in the database and made one after the other: a long room takes minutes, and nobody's words wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from colloque import texts as core
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.errors import BadInput, HomeRefused, Tampered, Temporary
from colloque.identity import RoomId, UserId
from colloque.logs import event as log_event
from colloque.logs import reference
from colloque.matrix.home import Home, Incoming, Past, text
from colloque.rooms.archive import Change, FileNote, Line, What, read, settled
from colloque.rooms.mark import home_key
from colloque.rooms.media import files_in
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles import texts
from colloque_salles import texts_archive as says
from colloque_salles.printing import Conversation, Writer, parts
from colloque_salles.store import Kept, PatientRooms
from colloque_salles.store_copies import Asked, Copies

READ_LIMIT = 200 << 20
"""Bytes of files whose digests are made for one copy; of the others it says that they were not read."""

log = logging.getLogger(__name__)


class Reading(Home, Protocol):
    """A home that reads rooms and files (`colloque.matrix.nio_home.NioHome`)."""

    history: Callable[[RoomId], AsyncIterator[Past]]

    async def download(self, content: dict[str, Any]) -> bytes:
        """The bytes of an encrypted file. Raises BadInput, Tampered, HomeRefused, HomeUnavailable."""
        ...

    async def upload_encrypted(self, data: bytes, name: str, mime: str) -> dict[str, Any]:
        """Store a file; the content of the message that shares it."""
        ...


class Copying:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Reading,
        patients: PatientRooms,
        rooms: Rooms,
        copies: Copies,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._rooms = rooms
        self._copies = copies
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"patient copie": self.copy}

    async def copy(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """To their home room: what they ask for here is no business of the others'."""
        if await self._patients.get(message.room) is None:
            await reply(texts.ONLY_PATIENT_ROOM)
        elif await self._rooms.get(home_key(message.sender)) is None:
            await reply(says.NO_HOME)
        else:
            await self._copies.ask(Asked(message.event, message.room, message.sender))
            await reply(says.COPYING)

    async def once(self) -> None:
        """Make what was asked for. What is refused, or breaks, is not tried again. Raises Temporary."""
        for asked in await self._copies.to_make():
            home = await self._rooms.get(home_key(asked.asker))
            if home is not None:
                await self._try(asked, home.room)
            await self._copies.settled(asked.event)

    async def _try(self, asked: Asked, home: RoomId) -> None:
        try:
            if await self._is_member(asked):
                await self._make(asked, home)
        except Temporary:
            raise
        except HomeRefused as error:  # the room is gone, or they left their home room: nobody waits for it
            log_event(log, "copy.refused", level=logging.WARNING, code=error.errcode)
        except Exception:
            ref = reference()
            log.exception("copy.failed reference=%s", ref)
            with contextlib.suppress(HomeRefused):
                await self._home.send(home, text(core.failed(ref)), txn=f"copy-failed-{asked.event}")

    async def _is_member(self, asked: Asked) -> bool:
        return (await self._home.members(asked.room)).get(asked.asker) == "join"

    async def _make(self, asked: Asked, home: RoomId) -> None:
        kept = await self._patients.get(asked.room)
        if kept is None:
            return
        sheets = await self._sheets(kept)
        for rank, sheet in enumerate(sheets, 1):
            name = says.file_name(kept.words, rank, len(sheets))
            shared = await self._home.upload_encrypted(sheet, name, "application/pdf")
            for mxc in files_in(shared):
                if not await self._copies.keep(asked.room, mxc):
                    return
            await self._home.send(home, shared, txn=f"copy-{asked.event}-{rank}")
        token = await self._keys.token(asked.room, asked.room)
        self._journal.note("room.copied", actor=asked.asker, room=token)

    async def _sheets(self, kept: Kept) -> list[bytes]:
        lines = await self._lines(kept.room.room)
        people = {line.sender: self._writer(line.sender) for line in lines}
        said = Conversation(kept.words, kept.room.opened_at, lines, people, self._clock.now())
        return await asyncio.to_thread(parts, said)

    async def _lines(self, room: RoomId) -> Sequence[Line]:
        said: list[Line | Change] = []
        async for past in self._home.history(room):
            if past.content is None:
                said.append(Line(past.event, past.sender, past.sent_at, What.UNREADABLE))
                continue
            each = read(past.event, past.sender, past.sent_at, past.type, past.content)
            if each is not None:
                said.append(replace(each, proven=past.device_signed or past.content == {}))
        return await self._with_digests(settled(said))

    async def _with_digests(self, lines: Sequence[Line]) -> Sequence[Line]:
        room, out = READ_LIMIT, list[Line]()
        for line in lines:
            if line.file is None or line.file.size > room:
                out.append(line)
                continue
            note = await self._digested(line.file)
            room -= max(note.size, line.file.size)
            out.append(replace(line, file=note))
        return out

    async def _digested(self, note: FileNote) -> FileNote:
        try:
            data = await self._home.download(dict(note.share))
        except (BadInput, Tampered, HomeRefused) as error:
            log_event(log, "copy.file_unread", code=error.code)
            return note
        return replace(note, size=len(data), digest=hashlib.sha256(data).hexdigest())

    def _writer(self, user: UserId) -> Writer:
        self._book.refresh()
        held = self._book.state.by_user.get(user)
        return Writer(held.name, held.rpps.value) if held is not None else Writer(user, "")
