"""Encrypted rooms of two verified people. @annuaire makes them and leaves, so that it can't read them.

Nobody can write before the bot is about to leave: it opens the room as its last act but one. Room version 12 keeps
the creator's power for whoever created the room, but only while they are in it, and nobody left in this one may
invite. A crash at any line is repaired by `finish_all`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from weakref import WeakValueDictionary

from colloque.attestation import Attestation
from colloque.clock import Clock, start_of_day_in_paris
from colloque.errors import HomeRefused, Refused, Temporary
from colloque.identity import EventId, RoomId, UserId, digest, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home, RoomSpec, text
from colloque.patience import patiently
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.rules.results import Unopened
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import DirectRoom, DirectRooms, Results
from colloque_annuaire.texts import contact as texts

PER_DAY = 50
"""Rooms that one account may have made for it in a day."""
JOIN_S = 10.0
"""How long the asker's joining, which the homeserver does at once, is waited for before it is tried again later."""
GIVE_UP = timedelta(minutes=15)
"""After that long without the asker a room is taken back."""
ACT = "room.direct"
_POWERS = "m.room.power_levels"
_IN = frozenset({"join", "invite"})

log = logging.getLogger(__name__)


class Memberships(Protocol):
    """What tells who is in a room that the bot has left (`colloque.matrix.admin.SynapseAdmin`)."""

    async def memberships(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user; empty when the room is gone. Raises HomeUnavailable, HomeRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """The two people's room. `fresh` when this asking made it; `members`: who is in it, or invited."""

    room: RoomId
    fresh: bool
    members: Mapping[UserId, str]


def pair_key(one: UserId, other: UserId) -> str:
    """The same for both, whoever asks."""
    return digest(" ".join(sorted((one, other))))


class Direct:
    """One room a pair, while both are in it or invited. `keep`: how long its messages live."""

    def __init__(
        self,
        *,
        home: Home,
        server: Memberships,
        homes: Homes,
        rooms: DirectRooms,
        results: Results,
        people: People,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        keep: timedelta,
    ) -> None:
        self._home = home
        self._server = server
        self._homes = homes
        self._rooms = rooms
        self._results = results
        self._people = people
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self.keep = keep
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def open(self, asker: Attestation, other: Attestation, event: EventId) -> Opened:
        """The room of these two; made when there is none that both are in.

        Raises Refused (its reason: an `Unopened`), Temporary: asked again, it goes on where it was.
        """
        pair = pair_key(asker.user, other.user)
        async with self._lock(pair):
            kept = await self._rooms.get(pair)
            if kept is not None and kept.ready and kept.room is not None:
                members = await self._server.memberships(kept.room)
                if all(members.get(user) in _IN for user in (asker.user, other.user)):
                    return Opened(kept.room, fresh=False, members=members)
                kept = None
            if kept is None:
                kept = await self._begin(pair, asker.user, other.user, event)
            room = await self._finish(kept)
            return Opened(room, fresh=True, members=await self._server.memberships(room))

    async def settle(self) -> None:
        """At start: end the journal's intents whose room is ready, or was never begun."""
        for intent in self._journal.open_intents():
            if intent.kind != ACT:
                continue
            kept = await self._rooms.by_mark(intent.ref)
            if kept is None or kept.ready:
                self._journal.end(intent.act, "interrupted" if kept is None else "opened")

    async def finish_all(self) -> None:
        """Go on with every room that a crash or an outage left half made."""
        for kept in await self._rooms.unready():
            async with self._lock(kept.pair):
                now = await self._rooms.get(kept.pair)
                if now is None or now.ready or now.mark != kept.mark:
                    continue
                try:
                    await self._finish(now)
                except Refused as error:
                    log_event(log, "direct.given_up", reason=error.reason)
                except Temporary as error:
                    log_event(log, "direct.deferred", code=error.code)

    async def forget(self, room: RoomId) -> None:
        """It was erased. Safe to repeat; rooms that are not known are passed over."""
        await self._rooms.forget_room(room)
        await self._keys.destroy(room)

    def _lock(self, pair: str) -> asyncio.Lock:
        return self._locks.setdefault(pair, asyncio.Lock())

    async def _begin(self, pair: str, asker: UserId, other: UserId, event: EventId) -> DirectRoom:
        now = self._clock.now()
        since = start_of_day_in_paris(now)
        if await self._results.counted(asker, ACT, since, but=event) >= PER_DAY:
            raise Refused(Unopened.TOO_MANY.value)
        await self._results.count(asker, ACT, event, now)
        return await self._rooms.begin(pair, asker, other, now)

    async def _finish(self, kept: DirectRoom) -> RoomId:
        """From wherever it stands to a room that is theirs alone."""
        act = self._journal.begin(ACT, actor=kept.asker, ref=kept.mark)
        try:
            room = kept.room or await self._create(kept)
            await self._hand_over(room, kept)
            await self._tell(room, kept)
        except (HomeRefused, Refused) as error:
            reason = error.reason if isinstance(error, Refused) else Unopened.HOME.value
            await self._rooms.forget(kept.mark)
            self._journal.end(act, reason)
            raise Refused(reason) from None
        token = await self._keys.token(room, room)
        await self._rooms.ready(kept.mark)
        self._journal.end(act, "opened", room=token)
        return room

    async def _create(self, kept: DirectRoom) -> RoomId:
        room = await self._home.create_room(
            RoomSpec(
                name="",
                mark=RoomMark(RoomKind.DIRECT, kept.mark, owner=kept.asker, keep_s=round(self.keep.total_seconds())),
                invite=(kept.asker, kept.other),
                direct=True,
                readonly=True,
                shared=server_of(kept.asker) != server_of(kept.other),
            )
        )
        await self._rooms.created(kept.mark, room)
        return room

    async def _hand_over(self, room: RoomId, kept: DirectRoom) -> None:
        """Wait for the asker, let both write, leave. Both have the same power: to write, and nothing else."""
        if (await self._home.members(room)).get(self._home.user) != "join":
            return

        async def asker_is_in() -> None:
            members = await self._home.members(room)
            state = members.get(kept.asker)
            if state == "join":
                return
            if state == "invite" and self._clock.now() - kept.made_at < GIVE_UP:
                raise Temporary("the asker is not in the room yet")
            await self._take_back(room, members)
            raise Refused(Unopened.LEFT.value)

        await patiently(asker_is_in, for_s=JOIN_S, first_s=0.05, most_s=1.0)
        powers = await self._home.state(room, _POWERS) or {}
        await self._home.set_state(room, _POWERS, powers | {"events_default": 0})
        await self._home.leave(room)

    async def _take_back(self, room: RoomId, members: Mapping[UserId, str]) -> None:
        """Nobody will use it: take the others out, then leave."""
        for user, state in members.items():
            if state in _IN and user != self._home.user:
                await self._home.set_state(room, "m.room.member", {"membership": "leave"}, user)
        await self._home.leave(room)

    async def _tell(self, room: RoomId, kept: DirectRoom) -> None:
        """The other one's client shows an invitation by @annuaire: say in their home room whose it is."""
        asker = await self._people.attestation_of(kept.asker)
        if asker is None or not self._homes.is_person(kept.other):
            return  # Their own server tells people of other servers.
        try:
            own = await self._homes.ensure(kept.other)
            said = texts.invited(asker.name, texts.link_to(room), self.keep)
            await self._home.send(own, text(said), txn=f"direct-{digest(room)}")
        except HomeRefused as error:
            # They left their home room: the invitation itself stays.
            log_event(log, "direct.not_told", code=error.errcode)
