"""A room's conversation, read from its history: who said what, and each file with its digest."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.errors import BadInput, HomeRefused, Tampered
from colloque.identity import MxcUri, RoomId, UserId
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Past
from colloque.rooms.archive import Change, FileNote, Line, What, read, settled
from colloque_salles.printing import Conversation, Writer
from colloque_salles.store import Kept
from colloque_salles.store_offers import Offers
from colloque_salles.texts_opening import told as told_of

log = logging.getLogger(__name__)


class Reading(Home, Protocol):
    """A home that reads rooms and files (`colloque.matrix.nio_home.NioHome`)."""

    def history(self, room: RoomId) -> AsyncIterator[Past]:
        """What was said there by others, oldest first. Raises HomeUnavailable, HomeRefused."""
        ...

    async def download(self, content: dict[str, Any]) -> bytes:
        """The bytes of an encrypted file. Raises BadInput, Tampered, HomeRefused, HomeUnavailable."""
        ...

    async def reserve_file(self) -> MxcUri:
        """An address to store a file at; to be noted before anything is stored there."""
        ...

    async def upload_encrypted(self, data: bytes, name: str, mime: str, *, to: MxcUri | None = None) -> dict[str, Any]:
        """Store a file; the content of the message that shares it."""
        ...


class Reader:
    """One instance a service."""

    def __init__(self, *, home: Reading, offers: Offers, book: AttestationBook, clock: Clock) -> None:
        self._home = home
        self._offers = offers
        self._book = book
        self._clock = clock

    async def read(self, kept: Kept, *, limit: int | None = None) -> Conversation:
        """All of it, as it stands now. Raises HomeUnavailable, HomeRefused (the room is gone).

        `limit`: bytes of files whose digests are made; of the others it says that they were not read.
        """
        room = kept.room.room
        lines = await self._with_digests(await self._lines(room), limit)
        told = await self._offers.told(room)
        people = {user: self._writer(user) for user in (*(line.sender for line in lines), *(each.by for each in told))}
        facts = tuple(told_of(each.what, people[each.by].name, each.at) for each in told)
        return Conversation(kept.words, kept.room.opened_at, lines, people, self._clock.now(), facts)

    async def _lines(self, room: RoomId) -> Sequence[Line]:
        said: list[Line | Change] = []
        async for past in self._home.history(room):
            if past.content is None:
                said.append(Line(past.event, past.sender, past.sent_at, What.UNREADABLE))
                continue
            each = read(past.event, past.sender, past.sent_at, past.type, past.content)
            if each is not None:
                said.append(replace(each, proven=past.device_signed or past.content == {}))
        return settled(said)

    async def _with_digests(self, lines: Sequence[Line], limit: int | None) -> Sequence[Line]:
        left, out = limit, list[Line]()
        for line in lines:
            if line.file is None or (left is not None and line.file.size > left):
                out.append(line)
                continue
            note = await self._digested(line.file)
            if left is not None:
                left -= max(note.size, line.file.size)
            out.append(replace(line, file=note))
        return out

    async def _digested(self, note: FileNote) -> FileNote:
        try:
            data = await self._home.download(dict(note.share))
        except (BadInput, Tampered, HomeRefused) as error:
            log_event(log, "conversation.file_unread", code=error.code)
            return note
        return replace(note, size=len(data), digest=hashlib.sha256(data).hexdigest())

    def _writer(self, user: UserId) -> Writer:
        self._book.refresh()
        held = self._book.state.by_user.get(user)
        return Writer(held.name, held.rpps.value) if held is not None else Writer(user, "")
