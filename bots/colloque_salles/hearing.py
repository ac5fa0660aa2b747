"""Everything that happens in a patient room passes here first: activity, files, members. Safe to hear twice."""

from __future__ import annotations

from collections.abc import Callable

from colloque.clock import Clock
from colloque.identity import UserId
from colloque.matrix.home import Echo, Heard, Incoming, MemberChange, Unreadable
from colloque.rooms.lifecycle import written
from colloque.rooms.media import files_in
from colloque_salles.store import PatientRooms
from colloque_salles.store_life import RoomLife


class Ledger:
    """Keeps, for each patient room, what an erasure will have to account for."""

    def __init__(
        self, patients: PatientRooms, life: RoomLife, me: UserId, clock: Clock, is_bot: Callable[[UserId], bool]
    ) -> None:
        """`is_bot(user)`: another server's, who is of no team."""
        self._patients = patients
        self._life = life
        self._me = me
        self._clock = clock
        self._is_bot = is_bot

    async def hear(self, heard: Heard) -> None:
        """Note one event; rooms that are no patient rooms of ours are passed over."""
        kept = await self._patients.get(heard.room)
        if kept is None:
            return
        match heard:
            case Incoming():
                await self._patients.heard(heard.room, heard.event, readable=True, files=files_in(heard.content))
                if heard.type == "m.room.message":
                    await self._patients.active(heard.room, written(kept.room, heard.sent_at, self._clock.now()))
            case Echo():
                await self._patients.heard_own(heard.room, heard.event)
            case Unreadable():
                await self._patients.heard(heard.room, heard.event, readable=False)
                await self._patients.active(heard.room, written(kept.room, heard.sent_at, self._clock.now()))
            case MemberChange():
                await self._members(heard)

    async def _members(self, change: MemberChange) -> None:
        kept = await self._patients.get(change.room)
        if kept is None or change.user == self._me or self._is_bot(change.user):
            return
        members = set(kept.room.members)
        if change.membership == "join":
            members.add(change.user)
            await self._life.set_alone(change.room, alone=False)
        elif change.membership in {"leave", "ban"} and change.user in members:
            members.discard(change.user)
            await self._life.set_alone(change.room, alone=len(members) == 1)
        await self._patients.members(change.room, tuple(sorted(members)))
