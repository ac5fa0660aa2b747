"""The daily list of a quiet room: one message that rings, at the end of the day."""

from __future__ import annotations

import logging

from colloque import logs
from colloque.clock import PARIS, Clock
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId, digest
from colloque.mail.message import one_line
from colloque.matrix.home import Home, text
from colloque_mssante.people.ghosts import correspondent
from colloque_mssante.store.documents import Documents, Listed
from colloque_mssante.texts import documents as texts

HOUR = 18
"""In Paris. What comes later stands in the list of the next day."""
LINES = 60
"""Mails named in one list."""
WIDTH = 120
"""Characters of a sender or a subject in it: the whole list fits in an event."""

logger = logging.getLogger(__name__)


class DailyList:
    """One instance a process."""

    def __init__(self, *, home: Home, directory: Directory, documents: Documents, clock: Clock) -> None:
        self._home = home
        self._directory = directory
        self._documents = documents
        self._clock = clock

    async def once(self) -> None:
        """List what is due. What fails is tried again at the next pass."""
        now = self._clock.now()
        today = now.astimezone(PARIS)
        due = today.replace(hour=HOUR, minute=0, second=0, microsecond=0)
        if today < due:
            return
        for room, listed_at in await self._documents.rooms():
            found = [mail for mail in await self._documents.after(room, listed_at) if mail.at < due]
            if not found:
                continue
            try:
                await self._send(room, found)
            except Temporary as error:
                logs.event(logger, "list.deferred", code=error.code)
                continue
            except HomeRefused as error:
                logs.event(logger, "list.refused", level=logging.WARNING, errcode=error.errcode)
                if error.status not in {403, 404}:  # else the room is gone: nobody is left to be told
                    continue
            await self._documents.listed(room, found[-1].at)

    async def _send(self, room: RoomId, found: list[Listed]) -> None:
        lines = [
            (mail.at, one_line(correspondent(mail.author, self._directory).label, WIDTH), one_line(mail.subject, WIDTH))
            for mail in found[:LINES]
        ]
        words = texts.daily(lines, len(found))
        await self._home.send(room, text(words), txn=digest(f"{room} list {found[-1].id}"))
