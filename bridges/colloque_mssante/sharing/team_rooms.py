"""Who is in a team's rooms: its people of today, and nobody else. Follows the teams and the attestations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from colloque import logs
from colloque.clock import monotonic
from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId, UserId
from colloque.matrix.home import Home
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.rules.teams import Teams

_LOOK_S = 2.0
_PAUSE_S = 5.0

logger = logging.getLogger(__name__)


class TeamRooms:
    """One instance a process. `is_ours` tells bots and ghosts from people."""

    def __init__(
        self,
        *,
        home: Home,
        conversations: Conversations,
        teams: Teams,
        keys: RoomKeys,
        journal: Journal,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        self._home = home
        self._conversations = conversations
        self._teams = teams
        self._keys = keys
        self._journal = journal
        self._is_ours = is_ours
        self._settled: dict[RoomId, frozenset[UserId]] = {}
        """Rooms whose people are as they should be, and who that is."""
        self._later: dict[RoomId, float] = {}
        """When (monotonic) a room that refused somebody is tried again."""

    def changed(self, room: RoomId) -> None:
        """Somebody came into that room, or was invited."""
        self._settled.pop(room, None)

    async def run(self) -> None:
        """Follow the teams, for ever."""
        while True:
            await self.once()
            await asyncio.sleep(_LOOK_S)

    async def once(self) -> None:
        """One pass over every room of every team. What fails is tried again at the next."""
        for room, mailbox in await self._conversations.of_teams():
            wanted = frozenset(self._teams.members(mailbox))
            if self._settled.get(room) == wanted or monotonic() < self._later.get(room, 0.0):
                continue
            self._settled[room] = wanted
            try:
                await self._settle(room, wanted)
            except Temporary as error:
                logs.event(logger, "team.deferred", code=error.code)
                self.changed(room)
            except HomeRefused as error:
                # Somebody is not to be invited yet: Synapse may read who is verified a moment after us.
                logs.event(logger, "team.refused", level=logging.WARNING, errcode=error.errcode)
                self._later[room] = monotonic() + _PAUSE_S
                self.changed(room)

    async def _settle(self, room: RoomId, wanted: frozenset[UserId]) -> None:
        try:
            members = await self._home.members(room)
        except HomeRefused:
            await self._conversations.lost(room)
            return
        present = {user for user, how in members.items() if how in {"join", "invite"} and not self._is_ours(user)}
        token = await self._keys.token(room, room)
        # Out first: what is written from now on is not for them.
        for user in sorted(present - wanted):
            await self._home.set_state(room, "m.room.member", {"membership": "leave"}, user)
            self._journal.note("team.left", actor=user, room=token)
        refused: HomeRefused | None = None
        for user in sorted(wanted - present):
            try:
                await self._home.invite(room, user)
            except HomeRefused as error:  # the others are not kept waiting for them
                refused = error
                continue
            self._journal.note("team.joined", actor=user, room=token)
        self._conversations.changed(room)
        if refused is not None:
            raise refused
