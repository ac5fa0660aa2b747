"""What every mail room is told and known for before any of its threads ends: how long they stay; which files it shares.

Also the end of what people keep: announced, then over.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from colloque import logs
from colloque.clock import Clock, to_millis
from colloque.errors import HomeRefused, Temporary
from colloque.identity import EventId, MxcUri, RoomId, digest
from colloque.matrix.home import Incoming, MemberChange, Unreadable, text
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mail_thread import WEEK
from colloque.rooms.mark import HOLD, RoomKind
from colloque.rooms.media import files_in
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.store.life import Hold, RoomLife
from colloque_mssante.texts import ends as texts

logger = logging.getLogger(__name__)


class RoomsLife:
    """One instance a process; `once` is called again and again."""

    def __init__(self, *, home: NioHome, life: RoomLife, threads: Threads, lifetime: timedelta, clock: Clock) -> None:
        self._home = home
        self._life = life
        self._threads = threads
        self._lifetime = lifetime
        self._clock = clock

    async def hear(self, heard: Incoming | Unreadable) -> None:
        """Note which files an event of a mail room shares, or that it was withdrawn. Safe to repeat."""
        mark = await self._home.mark_of(heard.room) if isinstance(heard, Incoming) else None
        if not isinstance(heard, Incoming) or mark is None or mark.kind is not RoomKind.MAIL:
            return
        if heard.type == "m.room.redaction":
            withdrawn = heard.content.get("redacts")
            if isinstance(withdrawn, str):
                await self._life.shares_no_more([EventId(withdrawn)])
        elif files := files_in(heard.content):
            await self._life.shares(heard.room, {heard.event: files})

    async def invited(self, change: MemberChange) -> None:
        """Somebody is invited to a mail room: they read from there on. Safe to repeat."""
        if change.membership == "invite" and change.event is not None:
            await self._life.invited(change.room, change.event)

    async def once(self) -> None:
        """One pass. Raises Temporary: the rest follows at the next."""
        lasts = int(self._lifetime.total_seconds())
        for room, before in await self._life.untold(lasts):
            said = text(texts.entry(self._lifetime), notice=True)
            by = await self._say(room, said, f"{room} life {lasts} {before}")
            await self._life.told(room, lasts, by)
        for room, invited in await self._life.to_say_again():
            by = await self._say(room, text(texts.entry(self._lifetime), notice=True), f"{room} life {invited}")
            await self._life.said_again(room, invited, by)
        for room in await self._life.unwalked():
            await self._walk(room)
        for hold in await self._life.holds():
            await self._look(hold)

    async def _walk(self, room: RoomId) -> None:
        shared: dict[EventId, tuple[MxcUri, ...]] = {}
        try:
            async for stood in self._home.everything(room):
                if stood.files:
                    shared[stood.said.event] = stood.files
        except HomeRefused as error:
            if error.status not in {403, 404}:  # else we are not in it, or it is gone: nothing of it can be read
                raise Temporary("a room's past can't be read now") from None
        await self._life.shares(room, shared)
        await self._life.walked(room)

    async def _look(self, hold: Hold) -> None:
        now = self._clock.now()
        thread = await self._threads.get(hold.thread) if hold.thread else None
        number = thread.number if thread is not None else None
        if hold.until <= now:
            await self._say(hold.room, text(texts.released(number), notice=True), _once(hold, "over"))
            await self._life.release(hold)
        elif not hold.warned and now >= hold.until - WEEK:
            await self._say(hold.room, text(texts.kept_until(hold.until, number), notice=True), _once(hold, "ends"))
            await self._life.warned(hold)

    async def _say(self, room: RoomId, content: dict[str, object], about: str) -> EventId | None:
        try:
            return await self._home.send(room, content, txn=digest(about))
        except HomeRefused as error:  # the room is gone: nobody is left to be told
            logs.event(logger, "life.untold", errcode=error.errcode)
            return None


async def show_hold(home: NioHome, room: RoomId, until: int) -> None:
    """What the module inside Synapse reads: until then (milliseconds since 1970) nothing in the room is withdrawn."""
    if await home.state(room, HOLD) != {"until": until}:
        await home.set_state(room, HOLD, {"until": until})


def _once(hold: Hold, what: str) -> str:
    return f"keep {what} {hold.room} {hold.thread} {to_millis(hold.until)}"
