"""Opens patient rooms. A crash anywhere is repaired when the same command is heard again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta

from colloque.attestation import Attestation
from colloque.clock import Clock
from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId, digest, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home, RoomSpec, reaction, text
from colloque.rooms.lifecycle import LifetimeRule
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.rooms.patient_room import PatientRoom, RoomState
from colloque.rooms.picture import emblem
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.living.evicting import IN, Evicting
from colloque_salles.living.membership import Membership
from colloque_salles.rules.words import are_alike, pick
from colloque_salles.store.copies import Copies
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import rooms as texts
from colloque_salles.texts.opening import SIGNS, ask

log = logging.getLogger(__name__)

_ACT = "room.open"
_KEY = "patient-"
"""Begins the key of each room's mark; the rest is the act's `ref`."""


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
        offers: Offers,
        copies: Copies,
        companions: Companions,
        membership: Membership,
        evicting: Evicting,
        where: Callable[[UserId], Awaitable[dict[RoomId, str]]],
        reserve: Callable[[], Awaitable[MxcUri]],
        upload: Callable[[bytes, MxcUri], Awaitable[MxcUri]],
    ) -> None:
        """`where`: an account's memberships, by room, as the homeserver says (HomeRefused, HomeUnavailable).

        `upload` stores a picture there, at an address that `reserve` gave.
        """
        self._home = home
        self._rooms = rooms
        self._patients = patients
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule
        self._offers = offers
        self._copies = copies
        self._companions = companions
        self._membership = membership
        self._evicting = evicting
        self._where = where
        self._picking = asyncio.Lock()
        """Held from picking a room's words to following it: of two openings at once, one sees the other's room."""
        self._reserve = reserve
        self._upload = upload

    async def opened_by(self, event: EventId) -> tuple[RoomId, str] | None:
        """The room that was asked for by `event`, and its words; None while it is not all there."""
        known = await self._rooms.get(_key(event))
        kept = await self._patients.get(known.room) if known is not None else None
        return (kept.room.room, kept.words) if kept is not None else None

    async def open(
        self, opener: Attestation, team: Sequence[Attestation], event: EventId, idle: timedelta | None = None
    ) -> tuple[RoomId, str]:
        """Create the room asked for by `event`; returns it and its words. The same event never makes two rooms.

        `idle`: how long it lives after its last message, where the opener said so.
        """
        known = await self.opened_by(event)
        if known is not None:
            return known
        key, now = _key(event), self._clock.now()
        act = self._journal.begin(_ACT, actor=opener.user, ref=digest(event))
        async with self._picking:
            words = await self._words(key, {opener.user, *(held.user for held in team)})
            # First of all: they can read what is written from their invitation on.
            beside = self._companions.of([opener.user, *(held.user for held in team)])
            room = await self._home.create_room(
                RoomSpec(
                    name=texts.room_name(words, opener.name),
                    mark=RoomMark(RoomKind.PATIENT, key, owner=opener.user),
                    invite=(*beside, opener.user, *(a.user for a in team)),
                    shared=any(server_of(a.user) != server_of(opener.user) for a in team),
                )
            )
            await self._companions.note(room, beside)
            await self._follow(_room(room, opener.user, now), words)
        # Followed from here on: who loses their access later is taken out of it.
        await self._evicting.let_in(room, [opener.user, *(held.user for held in team)])
        rule = self._rule if idle is None else self._rule.lasting(idle)
        first = f"{texts.first_words(opener.name, rule.idle, rule.notice)}\n{ask()}"
        asked = await self._home.send(room, text(first), txn=f"first-{key}")
        await self._offers.shape(room, idle, await self._picture(room, words), asked)
        for what, sign in SIGNS.items():
            await self._home.send(room, reaction(asked, sign), txn=f"first-{what}-{key}", type_="m.reaction")
        # Last: until it is kept, the same command goes through all of this again.
        await self._rooms.put(key, room, RoomKind.PATIENT, opener.user)
        self._journal.end(act, "opened", room=await self._keys.token(room, room), members=1 + len(team))
        return room, words

    async def _follow(self, room: PatientRoom, words: str) -> None:
        await self._patients.add(room, words)
        await self._membership.recount(room.room)

    async def settle(self) -> None:
        """At start: the room of an opening that a crash cut short is followed, and so ends, whatever becomes of it.

        The command that asked for it is heard again, and mostly finds it by its key; but whoever typed it may have lost
        their access by then, or whom they named. Raises HomeUnavailable. What the homeserver refuses waits for the next
        start.
        """
        for intent in self._journal.open_intents():
            if intent.kind != _ACT:
                continue
            try:
                await self._settle(_KEY + intent.ref, UserId(intent.actor))
            except HomeRefused as error:
                log_event(log, "opening.not_settled", level=logging.WARNING, code=error.errcode)
                continue
            self._journal.end(intent.act, "interrupted")

    async def _settle(self, key: str, opener: UserId) -> None:
        words, room = await self._patients.words_for(key), await self._home.own_room(key)
        if words is not None and room is not None:
            await self._follow(_room(room, opener, self._clock.now()), words)
            people = filter(self._membership.counts, await self._home.members(room))
            await self._evicting.let_in(room, people)

    async def _picture(self, room: RoomId, words: str) -> MxcUri:
        said = await self._home.state(room, "m.room.avatar") or {}
        if not said.get("url"):
            mxc = await self._reserve()
            await self._copies.keep(room, mxc)  # should a crash come before the room shows it
            said = {"url": await self._upload(emblem(words), mxc)}
            await self._home.set_state(room, "m.room.avatar", said)
        return MxcUri(str(said["url"]))

    async def _words(self, key: str, people: Collection[UserId]) -> str:
        reserved = await self._patients.words_for(key)
        if reserved is None:
            reserved = pick(await self._patients.words_taken(), await self._beside(people))
            await self._patients.reserve_words(reserved, key)
        return reserved

    async def _beside(self, people: Collection[UserId], but: RoomId | None = None) -> list[str]:
        """The words of the rooms that they are in, or invited to, without those of one."""
        theirs: set[RoomId] = set()
        for user in people:
            try:
                theirs |= {room for room, state in (await self._where(user)).items() if state in IN}
            except HomeRefused as error:  # what was heard of them counts
                log_event(log, "opening.where_refused", level=logging.WARNING, code=error.errcode)
        return [
            kept.words
            for kept in await self._patients.all()
            if kept.room.room != but
            and (kept.room.room in theirs or not {kept.room.opener, *kept.room.members}.isdisjoint(people))
        ]

    async def blurs(self, kept: Kept, user: UserId, team: Collection[UserId]) -> bool:
        """Whether that room and another of `user`'s share a word, and a new one for them and `team` need not."""
        if not are_alike(kept.words, await self._beside({user}, kept.room.room)):
            return False
        beside = await self._beside({user, *team})
        return not are_alike(pick(await self._patients.words_taken(), beside), beside)


def _key(event: EventId) -> str:
    return _KEY + digest(event)


def _room(room: RoomId, opener: UserId, now: datetime) -> PatientRoom:
    return PatientRoom(room=room, opener=opener, members=(), opened_at=now, last_activity=now, state=RoomState.OPEN)
