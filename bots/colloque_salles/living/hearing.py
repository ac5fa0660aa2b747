"""Everything that happens in a patient room passes here first: activity, files, members. Safe to hear twice."""

from __future__ import annotations

from datetime import datetime

from colloque.clock import Clock
from colloque.identity import RoomId
from colloque.matrix.home import Echo, Heard, Incoming, MemberChange, Unreadable
from colloque.rooms.lifecycle import written
from colloque.rooms.media import files_in
from colloque_salles.living.membership import Membership
from colloque_salles.store.rooms import PatientRooms


class Ledger:
    """Keeps, for each patient room, what an erasure will have to account for."""

    def __init__(self, patients: PatientRooms, membership: Membership, clock: Clock) -> None:
        self._patients = patients
        self._membership = membership
        self._clock = clock

    async def hear(self, heard: Heard) -> None:
        """Note one event; rooms that are no patient rooms of ours are passed over."""
        if not await self._patients.follows(heard.room):
            return
        match heard:
            case Incoming():
                await self._patients.heard(heard.room, heard.event, readable=True, files=files_in(heard.content))
                if heard.type == "m.room.message":
                    await self._wrote(heard.room, heard.sent_at)
            case Echo():
                await self._patients.heard_own(heard.room, heard.event)
            case Unreadable():
                await self._patients.heard(heard.room, heard.event, readable=False)
                await self._wrote(heard.room, heard.sent_at)
            case MemberChange():
                await self._membership.hear(heard)

    async def _wrote(self, room: RoomId, at: datetime) -> None:
        kept = await self._patients.get(room)
        if kept is not None:
            await self._patients.active(room, written(kept.room, at, self._clock.now()))
