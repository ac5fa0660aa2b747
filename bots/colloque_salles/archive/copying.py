"""`!patient copie`: the conversation so far as PDF/A-1, to whoever asks for it, in their own encrypted home room.

Asked for in the database and made one after the other: a long room takes minutes, and nobody's words wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from colloque import texts as core
from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId
from colloque.logs import event as log_event
from colloque.logs import reference
from colloque.matrix.home import Incoming, text
from colloque.rooms.mark import home_key
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.archive.conversation import Reader, Reading
from colloque_salles.archive.printing import parts
from colloque_salles.store.copies import Asked, Copies
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts import archive as says
from colloque_salles.texts import rooms as texts

READ_LIMIT = 200 << 20
"""Bytes of files whose digests are made for one copy; of the others it says that they were not read."""

log = logging.getLogger(__name__)


class Copying:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Reading,
        reader: Reader,
        patients: PatientRooms,
        rooms: Rooms,
        copies: Copies,
        keys: RoomKeys,
        journal: Journal,
    ) -> None:
        self._home = home
        self._reader = reader
        self._patients = patients
        self._rooms = rooms
        self._copies = copies
        self._keys = keys
        self._journal = journal

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
        """Make what was asked for; what can't be made now holds back no other, and waits for the next round.

        What is refused, or breaks, is not tried again.
        """
        for asked in await self._copies.to_make():
            home = await self._rooms.get(home_key(asked.asker))
            try:
                if home is not None:
                    await self._try(asked, home.room)
            except Temporary as error:
                log_event(log, "copy.deferred", code=error.code)
                continue
            await self._copies.settled(asked.event)

    async def _try(self, asked: Asked, home: RoomId) -> None:
        """Raises Temporary."""
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
        said = await self._reader.read(kept, limit=READ_LIMIT)
        sheets = await asyncio.to_thread(parts, said)
        for rank, sheet in enumerate(sheets, 1):
            name = says.file_name(kept.words, rank, len(sheets))
            mxc = await self._home.reserve_file()
            if not await self._copies.keep(asked.room, mxc):
                return
            shared = await self._home.upload_encrypted(sheet, name, "application/pdf", to=mxc)
            await self._home.send(home, shared, txn=f"copy-{asked.event}-{rank}")
        token = await self._keys.token(asked.room, asked.room)
        self._journal.note("room.copied", actor=asked.asker, room=token)
