"""How long threads stay, wired: what `app` needs to know of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from colloque import logs
from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.errors import Temporary
from colloque.identity import UserId
from colloque.rooms.mail_thread import Rule
from colloque.sockets import Client
from colloque.thread_eraser import ThreadEraser
from colloque_mssante.access.notices import Notices
from colloque_mssante.ends.commands import KeepCommands
from colloque_mssante.ends.ends import ThreadEnds
from colloque_mssante.ends.room_life import RoomsLife
from colloque_mssante.ends.room_reading import RoomReading
from colloque_mssante.mapping.drafts import RoomLocks
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.ends import Ends
from colloque_mssante.store.life import RoomLife
from colloque_mssante.store.mails import Mails

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lasting:
    """Rooms that say how long threads stay (`rooms`), threads that end (`ends`), and the commands."""

    rooms: RoomsLife
    ends: ThreadEnds
    table: Mapping[str, Handler]

    async def once(self) -> None:
        """One pass; what fails is tried again at the next."""
        try:
            await self.rooms.once()
            await self.ends.once()
        except Temporary as error:
            logs.event(logger, "lasting.deferred", code=error.code)


def open_lasting(
    *,
    config: Config,
    parts: Parts,
    teams: Teams,
    conversations: Conversations,
    mails: Mails,
    notices: Notices,
    locks: RoomLocks,
    is_ours: Callable[[UserId], bool],
) -> Lasting:
    """All of it, on the service's parts. `is_ours` tells bots and ghosts from people."""
    own = config.mssante.threads
    lifetime = timedelta(seconds=own.lifetime_s)
    life, threads = RoomLife(parts.db, parts.clock), Threads(parts.db, parts.clock)
    reading = RoomReading(parts.db, parts.home, is_ours)
    ends = ThreadEnds(
        db=parts.db,
        home=parts.home,
        admin=parts.admin,
        ends=Ends(parts.db, parts.clock),
        life=life,
        reading=reading,
        eraser=ThreadEraser(Client(config.socket("salles"), "mssante")),
        notes=notices,
        incidents=parts.incidents,
        teams=teams,
        locks=locks,
        rule=Rule(lifetime),
        clock=parts.clock,
    )
    commands = KeepCommands(
        db=parts.db,
        home=parts.home,
        life=life,
        reading=reading,
        mails=mails,
        threads=threads,
        conversations=conversations,
        keys=parts.keys,
        journal=parts.journal,
        clock=parts.clock,
        lasts=timedelta(seconds=own.hold_s),
    )
    rooms = RoomsLife(home=parts.home, life=life, threads=threads, lifetime=lifetime, clock=parts.clock)
    return Lasting(rooms, ends, commands.table)
