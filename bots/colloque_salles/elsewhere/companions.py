"""Companions: each other server with people in a patient room of ours has its own `@salles` there, and nobody else's.

It is invited before its people are, so that it can read what they share; it is let go when none of them is left, and
whenever one is missing it is invited again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home
from colloque.rooms.elsewhere import companions
from colloque_salles.store.elsewhere import Companions as Rows
from colloque_salles.store.rooms import PatientRooms

log = logging.getLogger(__name__)

_IN = frozenset({"join", "invite"})


class Companions:
    """One instance a service."""

    def __init__(self, *, home: Home, patients: PatientRooms, rows: Rows, book: AttestationBook, clock: Clock) -> None:
        self._home = home
        self._patients = patients
        self._rows = rows
        self._book = book
        self._clock = clock
        self._settled: dict[RoomId, tuple[tuple[UserId, ...], frozenset[UserId]]] = {}
        """Rooms where all is as it should be: the members and companions with which it was."""

    def of(self, people: Iterable[UserId]) -> tuple[UserId, ...]:
        """Who must be invited into a room of ours before these people."""
        self._book.refresh()
        now = self._clock.now()
        return companions(people, server_of(self._home.user), lambda server: self._book.salles_of(server, now))

    async def note(self, room: RoomId, bots: Iterable[UserId]) -> None:
        """Before they are invited."""
        for bot in bots:
            await self._rows.put(room, bot)

    async def invite(self, room: RoomId, people: Iterable[UserId]) -> None:
        """Those who must be there before these people. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        bots = self.of(people)
        await self.note(room, bots)
        for bot in bots:
            await self._home.invite(room, bot)

    async def once(self) -> None:
        """Whoever is missing is invited, whoever has nobody left there is taken out. Raises HomeUnavailable."""
        rows, ours = await self._rows.all(), server_of(self._home.user)
        for kept in await self._patients.all():
            room, noted = kept.room.room, rows.get(kept.room.room, frozenset())
            shared = noted or any(server_of(user) != ours for user in (kept.room.opener, *kept.room.members))
            state = (kept.room.members, noted)
            if not shared or kept.room.closed_at is not None or self._settled.get(room) == state:
                continue
            try:
                if await self._settle(room, noted):
                    self._settled[room] = state
            except HomeRefused as error:
                log_event(log, "companion.refused", level=logging.WARNING, code=error.errcode)

    async def _settle(self, room: RoomId, noted: frozenset[UserId]) -> bool:
        """True when nothing was to be done."""
        members = {user: state for user, state in (await self._home.members(room)).items() if state in _IN}
        people = [user for user in members if user not in noted and not self._book.is_bot(user)]
        wanted, there = (
            frozenset(self.of(people)),
            {user for user in members if user in noted or self._book.is_bot(user)},
        )
        for bot in there - wanted - {self._home.user}:
            await self._home.set_state(room, "m.room.member", {"membership": "leave"}, bot)
        for bot in noted - wanted:
            await self._rows.drop(room, bot)
        await self.note(room, wanted)
        for bot in wanted - there:
            await self._home.invite(room, bot)
        return wanted == noted and all(members.get(bot) == "join" for bot in wanted)
