"""Who is of a patient room's team: heard from its events, and asked of the server where one may have been missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from colloque.identity import RoomId, UserId
from colloque.matrix.home import Home, MemberChange
from colloque_salles.store.life import RoomLife
from colloque_salles.store.rooms import PatientRooms


class Membership:
    """One instance a service. `is_bot(user)`: another server's `@salles`, who is of no team."""

    def __init__(self, *, home: Home, patients: PatientRooms, life: RoomLife, is_bot: Callable[[UserId], bool]) -> None:
        self._home = home
        self._patients = patients
        self._life = life
        self._is_bot = is_bot
        self._changing = asyncio.Lock()
        """Held from asking, or reading, who is there to writing it down."""

    async def hear(self, change: MemberChange) -> None:
        """Safe to repeat."""
        if not self.counts(change.user):
            return
        async with self._changing:
            kept = await self._patients.get(change.room)
            members = set(kept.room.members) if kept is not None else set()
            if change.membership == "join":
                members.add(change.user)
                await self._life.set_alone(change.room, alone=False)
            elif change.membership in {"leave", "ban"} and change.user in members:
                members.discard(change.user)
                await self._life.set_alone(change.room, alone=len(members) == 1)
            await self._patients.members(change.room, tuple(members))

    async def recount(self, room: RoomId) -> None:
        """As the server says now. Raises HomeUnavailable, HomeRefused.

        Whom Synapse joined before the room was followed (a crash came in between) was not heard.
        """
        async with self._changing:
            members = await self._home.members(room)
            inside = [user for user, state in members.items() if state == "join" and self.counts(user)]
            await self._patients.members(room, tuple(inside))

    def counts(self, user: UserId) -> bool:
        """Whether that account is a person: none of our services, nor another server's."""
        return user != self._home.user and not self._is_bot(user)
