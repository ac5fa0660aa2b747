"""Everything that happens in a patient room passes here first: activity, files, members. Safe to hear twice."""

from __future__ import annotations

from colloque.clock import Clock
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
                await self._membership.hear(heard)
