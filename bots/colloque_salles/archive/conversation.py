"""A room's conversation, read from its history: who said what, and each file with its digest."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.commands import Call, Command, Unknown, parse
from colloque.errors import BadInput, HomeRefused, Tampered, Temporary
from colloque.identity import MxcUri, RoomId, UserId, server_of
from colloque.logs import event as log_event
from colloque.mail.words import printable
from colloque.matrix.home import Home, Past
from colloque.rooms.archive import Change, FileNote, Line, What, read, settled
from colloque.rooms.media import files_in, server_of_media
from colloque_salles.archive.printing import Conversation, Writer
from colloque_salles.rules.packing import name_of
from colloque_salles.store.invites import Invites
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import Kept
from colloque_salles.texts.archive import IDENTITY
from colloque_salles.texts.inviting import invited
from colloque_salles.texts.opening import told

IDENTITY_COMMAND = "patient identite"
_TRIES_OF_OURS = 3
"""Files of our own server that can't be had, one after the other, before the rest is not asked for."""
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

    def __init__(self, *, home: Reading, offers: Offers, invites: Invites, book: AttestationBook, clock: Clock) -> None:
        self._home = home
        self._offers = offers
        self._invites = invites
        self._book = book
        self._clock = clock

    async def read(self, kept: Kept, *, limit: int | None = None, wait: bool = False) -> Conversation:
        """All of it, as it stands now. Raises HomeUnavailable, HomeRefused (the room is gone).

        `limit`: bytes of files whose digests are made; of the others it says that they were not read. The same is said
        of a file that could not be had while `download` tried, and the server does answer: it may be gone for ever, and
        nobody else's words wait for it. With `wait`, one of our own server's raises HomeUnavailable: it is to be tried
        again later.
        """
        room = kept.room.room
        lines = await self._with_digests(room, await self._lines(kept), limit, wait=wait)
        people = {line.sender: self._writer(line.sender) for line in lines}
        facts = [told(each.what, self._writer(each.by).name, each.at) for each in await self._offers.told(room)]
        for each in await self._invites.invited(room):
            names = self._writer(each.person).name, self._writer(each.by).name
            facts.append(invited(names[0], each.what, names[1], each.at))
        return Conversation(kept.words, kept.room.opened_at, lines, people, self._clock.now(), tuple(facts))

    async def _lines(self, kept: Kept) -> Sequence[Line]:
        """Where people wrote, as far as was known when it came, and nothing of it is a line: all of it as unreadable.

        That tells them from a history that came back empty.
        """
        found = [(_unreadable(past), _read(past)) async for past in self._home.history(kept.room.room)]
        known = {each.event for _, each in found if isinstance(each, Line)}
        # A change of what is not there was said as well, in its own place.
        said = [mute if isinstance(each, Change) and each.of not in known else each for mute, each in found]
        lines = settled(each for each in said if each is not None)
        if not lines and kept.room.last_activity > kept.room.opened_at:
            return [mute for mute, _ in found]
        return [_without_identity(line) for line in lines]

    async def _with_digests(
        self, room: RoomId, lines: Sequence[Line], limit: int | None, *, wait: bool
    ) -> Sequence[Line]:
        left, out, away = limit, list[Line](), Counter[str]()
        for line in lines:
            if line.file is None or (left is not None and line.file.size > left):
                out.append(line)
                continue
            note = await self._digested(room, line.file, away, wait=wait)
            if left is not None:
                left -= max(note.size, line.file.size)
            out.append(replace(line, file=note))
        return out

    async def _digested(self, room: RoomId, note: FileNote, away: Counter[str], *, wait: bool) -> FileNote:
        """`away`: files that each server did not give in this reading; it is not asked for all the others then."""
        server, own = _server_of(note), server_of(self._home.user)
        if away[server] >= (_TRIES_OF_OURS if server == own else 1):
            return note
        try:
            data = await self._home.download(dict(note.share))
        except (BadInput, Tampered, HomeRefused) as error:
            log_event(log, "conversation.file_unread", code=error.code)
            return note
        except Temporary as error:
            if wait and server == own:
                raise
            await self._home.members(room)  # raises where it is our own server that does not answer
            log_event(log, "conversation.file_unread", code=error.code)
            away[server] += 1
            return note
        return replace(note, size=len(data), digest=hashlib.sha256(data).hexdigest())

    def _writer(self, user: UserId) -> Writer:
        self._book.refresh()
        held = self._book.state.by_user.get(user)
        return Writer(held.name, held.rpps.value) if held is not None else Writer(user, "")


def _without_identity(line: Line) -> Line:
    """What a referent typed to us of the patient's identity was no part of the talk, and may have been wrong."""
    match parse(line.text) if line.what is What.TEXT else None:
        case Call(command=meant) | Unknown(near=Command() as meant) if meant.name == IDENTITY_COMMAND:
            return replace(line, text=IDENTITY)
    return line


def _server_of(note: FileNote) -> str:
    """The server that holds the file; empty where it has no address."""
    file = note.share.get("file")
    found = files_in(file.get("url")) if isinstance(file, dict) else ()
    return server_of_media(found[0]) if found else ""


def _unreadable(past: Past) -> Line:
    """What was said there, and can't be told."""
    return Line(past.event, past.sender, past.sent_at, What.UNREADABLE)


def _read(past: Past) -> Line | Change | None:
    """One event never costs the others their place: what can't be taken in stands there as such."""
    if past.content is None:
        return _unreadable(past)
    try:
        each = read(past.event, past.sender, past.sent_at, past.type, past.content)
    except Exception as error:  # noqa: BLE001  anyone may write anything
        log_event(log, "conversation.event_unread", level=logging.ERROR, error=type(error).__name__)
        return _unreadable(past)
    if each is None:  # a message that says nothing by itself is a change, and of no shape
        return _unreadable(past) if past.type == "m.room.message" else None
    proven = past.device_signed or past.content == {}
    match each:
        case Line(file=FileNote() as file):
            return replace(each, text=printable(each.text), file=replace(file, name=name_of(file.name)), proven=proven)
    return replace(each, text=printable(each.text), proven=proven)
