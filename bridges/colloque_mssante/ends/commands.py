"""`!fil garder` and `!fil ne plus garder`: a thread, or all of a room, stays longer than others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.bot import Handler, Reply
from colloque.clock import Clock, to_millis
from colloque.commands import Call
from colloque.errors import HomeRefused
from colloque.matrix.home import Incoming
from colloque.matrix.nio_home import NioHome
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.schema import transaction
from colloque_mssante.ends.room_life import show_hold
from colloque_mssante.ends.room_reading import RoomReading
from colloque_mssante.mapping.threads import Thread, Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.store.life import Hold, RoomLife
from colloque_mssante.store.mails import Mails
from colloque_mssante.texts import ends as texts


class KeepCommands:
    """Handlers by command name. Who takes part in a room may keep its threads, and let go of what others kept."""

    def __init__(
        self,
        *,
        db: Database,
        home: NioHome,
        life: RoomLife,
        reading: RoomReading,
        mails: Mails,
        threads: Threads,
        conversations: Conversations,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        lasts: timedelta,
    ) -> None:
        self._db = db
        self._home = home
        self._life = life
        self._reading = reading
        self._mails = mails
        self._threads = threads
        self._conversations = conversations
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._lasts = lasts
        self.table: Mapping[str, Handler] = {"fil garder": self.keep, "fil ne plus garder": self.release}

    async def keep(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!fil garder MOTIF`, in a thread or as a reply to a message of it; else for all of the room. First in the
        database: from then on nothing ends.
        """
        if not await self._may(said):
            await reply(texts.NOT_YOURS)
            return
        if not call.rest.strip():
            await reply(texts.KEEP_WHY)
            return
        thread = await self._thread(said)
        if thread is None and (said.reply_to or said.root):
            await reply(texts.NO_THREAD)
            return
        until = said.sent_at + self._lasts
        hold = Hold(said.room, thread.id if thread else "", said.sender, call.rest, until)
        async with transaction(self._db):
            lives = thread is None or await self._threads.lives(thread)
            if lives:
                await self._life.hold(hold)
        if not lives:
            await reply(texts.ENDING)
            return
        if thread is None:
            try:
                await show_hold(self._home, said.room, to_millis(until))
            except HomeRefused:
                await self._life.release(hold)
                await reply(texts.KEEP_REFUSED)
                return
        await reply(texts.kept(until, thread.number if thread else None))
        room = await self._keys.token(said.room, said.room)
        self._journal.note("thread.held", actor=said.sender, room=room, whole=thread is None)

    async def release(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!fil ne plus garder`, likewise."""
        thread = await self._thread(said)
        is_clear = thread is not None or not (said.reply_to or said.root)
        may = is_clear and await self._may(said)
        hold = await self._life.held(said.room, thread.id if thread else "") if may else None
        if hold is None:
            await reply(texts.NOT_KEPT)
            return
        if thread is None:
            await show_hold(self._home, said.room, to_millis(self._clock.now()))
        await self._life.release(hold)
        await reply(texts.released(thread.number if thread else None))
        room = await self._keys.token(said.room, said.room)
        self._journal.note("thread.released", actor=said.sender, room=room, whole=thread is None)

    async def _may(self, said: Incoming) -> bool:
        mark = await self._home.mark_of(said.room)
        return mark is not None and await self._conversations.takes_part(said.sender, said.room, mark)

    async def _thread(self, said: Incoming) -> Thread | None:
        """The thread of the event that a message answers, or in whose Matrix thread it stands."""
        event = said.reply_to or said.root
        if event is None:
            return None
        await self._mails.linked(said.room, event)
        found = await self._reading.thread_of(said.room, event)
        thread = await self._threads.get(found) if found else None
        return thread if thread is not None and thread.room == said.room else None
