"""After an eviction: those who stay are told, and whoever gets their access back is invited again. One round a call."""

from __future__ import annotations

import logging

from colloque.book import AttestationBook
from colloque.clock import Clock, to_millis
from colloque.errors import HomeRefused
from colloque.identity import digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.rooms.patient_room import RoomState
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.living.evicting import Evicting
from colloque_salles.store.evicted import Evicted, Gone
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import team as texts

log = logging.getLogger(__name__)

_OPEN = frozenset({RoomState.OPEN, RoomState.WARNED})


class Returning:
    """Everything starts from what the tables and the published attestations say now."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        evicted: Evicted,
        evicting: Evicting,
        companions: Companions,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._evicted = evicted
        self._evicting = evicting
        self._companions = companions
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock

    async def run_once(self) -> None:
        """Raises HomeUnavailable: what was not done is done next time."""
        for gone in await self._evicted.all():
            kept = await self._patients.get(gone.room)
            if kept is None or kept.room.state not in _OPEN:
                await self._evicted.forget(gone)
                continue
            try:
                if not gone.told:
                    await self._tell(gone, kept)
                await self._invite_again(gone)
            except HomeRefused as error:
                log_event(log, "returning.refused", level=logging.WARNING, code=error.errcode)

    async def _tell(self, gone: Gone, kept: Kept) -> None:
        members = await self._home.members(gone.room)
        if members.get(gone.user) in {"join", "invite"}:
            return  # Not out yet.
        self._book.refresh()
        held = self._book.state.by_user.get(gone.user)
        name = held.person if held is not None else ""
        said = texts.no_access(name, was_referent=kept.room.opener == gone.user)
        ref = digest(f"{gone.room} {gone.user} {to_millis(gone.at)}")
        await self._home.send(gone.room, text(said), txn=f"gone-{ref}")
        await self._evicted.told(gone)

    async def _invite_again(self, gone: Gone) -> None:
        held = self._book.of(gone.user, self._clock.now())
        # Published before the eviction was asked for: somebody whose access ended is not taken for somebody who has it.
        is_back = held is not None and not held.frozen
        if is_back:
            token, ref = await self._keys.token(gone.room, gone.room), await self._keys.token(gone.room, gone.user)
            await self._companions.invite(gone.room, [gone.user])
            await self._home.invite(gone.room, gone.user)
            self._journal.note("room.returned", actor=gone.user, room=token, ref=ref)
        # Whoever lost it again meanwhile, or before a crash after their invitation, is out again.
        if not await self._evicting.let_in(gone.room, [gone.user]) and is_back:
            await self._evicted.forget(gone)
