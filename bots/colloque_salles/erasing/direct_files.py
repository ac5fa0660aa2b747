"""Which files go with what two people wrote, and which stay for them when a patient room ends: the server can't know
what an encrypted message names.

A wrong deletion would take a file out of a living patient room. So a file goes only when all of this holds: a member
uploaded it here; it is old, and nobody has asked for it since, with a round's time to spare; no patient room's ledger
knows it; it is no person's nor room's picture; and its uploader is, or was, in no room whose files we don't know, or
keep longer: a mail room, another server's patient room, a patient room with messages that @salles could not read, a
conversation that is held. What is left is counted in the receipt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.clock import Clock
from colloque.identity import MxcUri, RoomId, UserId, server_of
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.admin_history import SynapseHistory
from colloque.rooms.direct import cut_of, is_held
from colloque.rooms.mark import home_key
from colloque.rooms.media import files_in
from colloque.store.rooms import Rooms
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.rooms import PatientRooms

ELSEWHERE = "may_be_elsewhere"
"""Why files of a member were kept, as a receipt says it."""
WAS_IN = frozenset({"join", "leave", "ban"})
"""Memberships of whoever is, or was, in a room."""


@dataclass(frozen=True, slots=True)
class Spared:
    """Files of one person that outlive a patient room."""

    all: bool
    """They are, or were, in a conversation that is held: it may name any of their files."""
    picture: str
    """Of their account; empty when it has none."""

    def __contains__(self, mxc: MxcUri) -> bool:
        return self.all or mxc == self.picture


class Uploads:
    """Old files of direct rooms' members. `spare`: how much older they must be than the messages; `notice`: as in
    `cut_of`."""

    def __init__(
        self,
        *,
        admin: SynapseAdmin,
        history: SynapseHistory,
        directs: DirectRooms,
        patients: PatientRooms,
        rooms: Rooms,
        jobs: Jobs,
        clock: Clock,
        me: UserId,
        spare: timedelta,
        notice: timedelta,
    ) -> None:
        self._admin = admin
        self._history = history
        self._directs = directs
        self._patients = patients
        self._rooms = rooms
        self._jobs = jobs
        self._clock = clock
        self._server = server_of(me)
        self._spare = spare
        self._notice = notice

    async def of(self, members: Iterable[UserId], cut: datetime) -> tuple[list[MxcUri], dict[str, int]]:
        """Files of these people to delete, and how many old ones are kept, by reason."""
        go: list[MxcUri] = []
        kept = 0
        taken = await self._jobs.taken()
        for member in members:
            if server_of(member) != self._server:
                continue
            old = await self._old(member, cut - self._spare)
            old = [mxc for mxc in old if mxc not in taken]
            rooms = await self._known_rooms(member, cut) if old else None
            if rooms is None:
                kept += len(old)
                continue
            state = [event["content"] for room in rooms for event in await self._history.state(room)]
            pictures = set(files_in(state))
            go += [mxc for mxc in old if mxc not in pictures]
        return go, {ELSEWHERE: kept} if kept else {}

    async def spared(self, member: UserId) -> Spared:
        """What stays of the files that somebody uploaded when a patient room ends that knows them."""
        now = self._clock.now()
        held = {each.room for each in await self._directs.all() if is_held(each, now)}
        rooms = await self._admin.rooms_of(member) if held else {}
        return Spared(
            all=any(room in held and membership in WAS_IN for room, membership in rooms.items()),
            picture=await self._history.picture(member),
        )

    async def _old(self, member: UserId, before: datetime) -> list[MxcUri]:
        picture = await self._history.picture(member)
        found = []
        async for upload in self._history.uploads(member):
            if upload.used_at >= before or upload.mxc == picture:
                continue
            if not await self._directs.is_shared(upload.mxc):
                found.append(upload.mxc)
        return found

    async def _known_rooms(self, member: UserId, cut: datetime) -> list[RoomId] | None:
        """Their rooms, when each is or was their home room, a patient room that we could read, or one where all that
        is so old goes; None when one is not."""
        home, now = await self._rooms.get(home_key(member)), self._clock.now()
        known = await self._directs.under_way() | ({home.room} if home is not None else set())
        for each in await self._directs.all():
            theirs = cut_of(each, now, now, self._notice)
            if theirs is not None and theirs >= cut:
                known.add(each.room)
        memberships = await self._admin.rooms_of(member)
        rooms = [room for room, membership in memberships.items() if membership in WAS_IN]
        for room in rooms:
            if room not in known and not await self._is_read(room):
                return None
        return rooms

    async def _is_read(self, room: RoomId) -> bool:
        if await self._patients.get(room) is None:
            return False
        _, blind = await self._patients.counts(room)
        return blind == 0
