"""What an owner read in Matrix: kept at once, and made out a moment later, so that no receipt is lost to a crash."""

from __future__ import annotations

import logging

from colloque import logs
from colloque.errors import HomeRefused, Temporary
from colloque.identity import EventId, RoomId
from colloque.matrix.home import Read
from colloque.matrix.nio_home import NioHome
from colloque_mssante.rules.bell import Bell
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.reading import Reads

_LOOK_S = 5.0
_BEFORE = 50
"""Events looked through for the last mail before the one that was read up to."""

logger = logging.getLogger(__name__)


class Reading:
    """One instance a process."""

    def __init__(self, *, home: NioHome, reads: Reads, mails: Mails) -> None:
        self._home = home
        self._reads = reads
        self._mails = mails
        self._news = Bell()

    async def hear(self, read: Read) -> None:
        """Somebody who takes part in a mail room read up to an event."""
        await self._reads.hear(read)
        self._news.ring()

    async def run(self) -> None:
        """Make out what was read, for ever."""
        while True:
            self._news.hush()
            await self.once()
            await self._news.heard(_LOOK_S)

    async def once(self) -> None:
        """One pass. What can't be made out now comes again at the next."""
        for read in await self._reads.heard():
            try:
                if await self._reads.shows(read.room, read.event):
                    await self._reads.read(read, read.event)
                elif not await self._mails.arriving(read.room):  # else it may show the mail that is on its way
                    await self._reads.read(read, await self._last_mail(read.room, read.event))
            except Temporary as error:
                logs.event(logger, "receipt.deferred", code=error.code)

    async def _last_mail(self, room: RoomId, event: EventId) -> EventId | None:
        """The nearest event before it that shows a mail."""
        try:
            before = await self._home.before(room, event, _BEFORE)
        except HomeRefused:  # the room is gone, or the event is not there
            return None
        for one in before:
            if await self._reads.shows(room, one):
                return one
        return None
