"""Takes an account, of this server or another, out of the patient rooms that `@salles` made. Safe to repeat."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from colloque.attestation import Attestation, Kind
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId
from colloque.logs import event as log_event
from colloque.matrix.home import Home
from colloque.policy.admission import rights_of
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.texts.team import INCIDENT_NOBODY

log = logging.getLogger(__name__)

IN = frozenset({"join", "invite"})
"""Memberships of who is in a room, or will be."""


class Memberships(Protocol):
    """What tells where an account is (`colloque.matrix.admin.SynapseAdmin`)."""

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        """Membership by room, as far as this server knows. Raises HomeUnavailable, HomeRefused."""
        ...


def may_lead(held: Attestation) -> bool:
    """Whether somebody may be a patient room's referent: whoever may open one."""
    return not held.frozen and could_lead(held)


def could_lead(held: Attestation) -> bool:
    """The same of somebody whose access is ending, as far as their profession goes."""
    return held.kind is Kind.PROFESSIONAL and rights_of(held.professions, held.category).opens


class Evicting:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        server: Memberships,
        patients: PatientRooms,
        evicted: Evicted,
        book: AttestationBook,
        incidents: Incidents,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._home = home
        self._server = server
        self._patients = patients
        self._evicted = evicted
        self._book = book
        self._incidents = incidents
        self._keys = keys
        self._journal = journal
        self._clock = clock

    async def evict(self, user: UserId, reason: str) -> int:
        """Out of every patient room, and of every invitation to one; in how many they still are.

        `reason` is a code, for the journal alone: the others read only that the person is gone. Raises HomeUnavailable.
        """
        left = 0
        for room, membership in (await self._server.rooms_of(user)).items():
            if membership in IN and await self._patients.get(room) is not None:
                left += not await self._out(room, user, reason)
        return left

    async def let_in(self, room: RoomId, users: Iterable[UserId]) -> list[UserId]:
        """They were just invited: whoever has lost their access since then, out again by now. Safe to repeat.

        Their eviction may have come before the room was followed, or before they were invited: it passed it over.
        Raises HomeUnavailable, and HomeRefused where somebody is still in.
        """
        now = self._clock.now()
        lost = [user for user in users if self._book.of(user, now) is None]
        members = await self._home.members(room) if lost else {}
        for user in lost:
            if members.get(user) in IN and not await self._out(room, user, "unverified"):
                raise HomeRefused(403, "M_FORBIDDEN", "somebody without access could not be taken out")
        return lost

    async def _out(self, room: RoomId, user: UserId, reason: str) -> bool:
        token, ref = await self._keys.token(room, room), await self._keys.token(room, user)
        act = self._journal.begin("room.evict", actor=user, room=token, ref=ref, reason=reason)
        await self._evicted.put(room, user, self._clock.now())
        try:
            await self._warn_if_last(room, user, token)
            await self._home.set_state(room, "m.room.member", {"membership": "leave"}, user)
        except HomeRefused as error:
            log_event(log, "evict.refused", level=logging.WARNING, code=error.errcode)
            self._journal.end(act, "refused")
            return False
        self._journal.end(act, "out")
        return True

    async def _warn_if_last(self, room: RoomId, leaving: UserId, token: str) -> None:
        """Before the last one who could be the room's referent leaves, the administrators are told, once a room."""
        key = f"room.nobody.{token}"
        if not await self._evicted.is_nobody_told(room):
            if not await self._is_last(room, leaving):
                return
            await self._incidents.open(key, INCIDENT_NOBODY)
            await self._evicted.nobody_told(room)
        # Closed after it was noted: an eviction that is tried again and again tells it no second time.
        await self._incidents.close(key)

    async def _is_last(self, room: RoomId, leaving: UserId) -> bool:
        now = self._clock.now()
        self._book.refresh()
        gone = self._book.state.by_user.get(leaving)
        if gone is None or not could_lead(gone):
            return False
        members = await self._home.members(room)
        stay = [self._book.of(user, now) for user, state in members.items() if state in IN and user != leaving]
        return not any(held is not None and may_lead(held) for held in stay)

    async def settle(self) -> None:
        """At start: whoever asked for an eviction that a crash cut short asks again."""
        for intent in self._journal.open_intents():
            if intent.kind == "room.evict":
                self._journal.end(intent.act, "interrupted")
