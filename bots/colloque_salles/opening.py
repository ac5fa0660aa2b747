"""Opens patient rooms. A crash anywhere is repaired when the same command is heard again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from colloque.attestation import Attestation
from colloque.clock import Clock
from colloque.identity import EventId, RoomId, UserId, digest, server_of
from colloque.matrix.home import Home, RoomSpec, text
from colloque.rooms.lifecycle import LifetimeRule
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.rooms.patient_room import PatientRoom, RoomState
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles import texts
from colloque_salles.store import PatientRooms
from colloque_salles.words import pick


class Opening:
    """`@salles` alone creates patient rooms; clinicians can neither invite, rename nor change them."""

    def __init__(
        self,
        *,
        home: Home,
        rooms: Rooms,
        patients: PatientRooms,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        rule: LifetimeRule,
    ) -> None:
        self._home = home
        self._rooms = rooms
        self._patients = patients
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule

    async def open(self, opener: Attestation, team: Sequence[Attestation], event: EventId) -> tuple[RoomId, str]:
        """Create the room asked for by `event`; returns it and its words. The same event never makes two rooms."""
        ref = digest(event)
        key = f"patient-{ref}"
        known = await self._rooms.get(key)
        if known is not None:
            kept = await self._patients.get(known.room)
            if kept is not None:
                return known.room, kept.words
        now = self._clock.now()
        act = self._journal.begin("room.open", actor=opener.user, ref=ref)
        words = await self._words(key)
        room = await self._home.create_room(
            RoomSpec(
                name=texts.room_name(words, opener.name),
                mark=RoomMark(RoomKind.PATIENT, key, owner=opener.user),
                invite=(opener.user, *(a.user for a in team)),
                shared=any(server_of(a.user) != server_of(opener.user) for a in team),
            )
        )
        await self._patients.add(_room(room, opener.user, now), words)
        await self._rooms.put(key, room, RoomKind.PATIENT, opener.user)
        token = await self._keys.token(room, room)
        first = texts.first_words(opener.name, self._rule.idle, self._rule.notice)
        await self._home.send(room, text(first), txn=f"first-{key}")
        self._journal.end(act, "opened", room=token, members=1 + len(team))
        return room, words

    async def _words(self, key: str) -> str:
        reserved = await self._patients.words_for(key)
        if reserved is None:
            reserved = pick(await self._patients.words_taken())
            await self._patients.reserve_words(reserved, key)
        return reserved


def _room(room: RoomId, opener: UserId, now: datetime) -> PatientRoom:
    return PatientRoom(room=room, opener=opener, members=(), opened_at=now, last_activity=now, state=RoomState.OPEN)
