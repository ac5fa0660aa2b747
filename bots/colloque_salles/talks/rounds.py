"""The rounds over direct rooms and groups: which there are, whether their people know how long messages live,
what goes of them.

A round goes by the time of the one before it (`colloque.rooms.direct`), which stands in the database.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from colloque.book import AttestationBook
from colloque.clock import Clock, from_millis, monotonic, to_millis
from colloque.errors import ColloqueError, HomeRefused, Temporary
from colloque.identity import RoomId, UserId, digest, server_of
from colloque.logs import event as log_event
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.admin_history import SynapseHistory
from colloque.matrix.home import Home, text
from colloque.rooms.direct import DirectRoom, End, Purge, base_of, cut_of, is_astray, plan
from colloque.rooms.lifecycle import too_many
from colloque.rooms.mark import ROOM_MARK, RoomKind, RoomMark, home_key
from colloque.store.incidents import Incidents
from colloque.store.rooms import Rooms
from colloque_salles.erasing.direct import DirectErasing
from colloque_salles.store.direct import DirectRooms, Found
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.texts import direct as says

MANY = "directs.many"
"""The incident of too many direct rooms that would end at once."""
FIND_S = 600.0
"""Between two looks at which direct rooms the server has."""
log = logging.getLogger(__name__)


class DirectRounds:
    """One instance a service. `annuaire`: the bot of ours that makes direct rooms; `keep`: how long messages live."""

    def __init__(
        self,
        *,
        home: Home,
        admin: SynapseAdmin,
        history: SynapseHistory,
        directs: DirectRooms,
        row: DirectRoundRow,
        erasing: DirectErasing,
        rooms: Rooms,
        incidents: Incidents,
        book: AttestationBook,
        clock: Clock,
        annuaire: UserId,
        keep: timedelta,
        every: timedelta,
        notice: timedelta,
        many_share: float,
    ) -> None:
        self._home = home
        self._admin = admin
        self._history = history
        self._directs = directs
        self._round_row = row
        self._erasing = erasing
        self._rooms = rooms
        self._incidents = incidents
        self._book = book
        self._clock = clock
        self._annuaire = annuaire
        self._keep = keep
        self._every = every
        self._notice = notice
        self._many_share = many_share
        self._find_s = min(FIND_S, every.total_seconds())
        self._found_at: float | None = None
        self._others: set[RoomId] = set()
        """Rooms that were looked at, and are none."""

    async def once(self) -> None:
        """What is due of all this; what fails is asked again, and goes on where it was."""
        try:
            await self._once()
        except Temporary as error:
            log_event(log, "direct.deferred", code=error.code)
        except ColloqueError as error:
            log_event(log, "direct.failed", code=error.code)

    async def _once(self) -> None:
        if self._found_at is None or monotonic() - self._found_at >= self._find_s:
            await self._find()
            self._found_at = monotonic()
        await self._tell()
        last, now = await self._round_row.last(), self._clock.now()
        if last is None or is_astray(last.at, now):
            await self._round_row.went(now)
            return
        base = base_of(last.at, now, self._every)
        if base is not None:
            await self._round(base, now, last.allowed)

    async def find_of(self, user: UserId) -> None:
        """Know every direct room that somebody is in; its people are told. Raises HomeUnavailable, HomeRefused."""
        known = await self._directs.known()
        for room, membership in (await self._admin.rooms_of(user)).items():
            if membership in {"join", "invite"} and room not in known:
                await self._look(room)
        await self._tell()

    async def _find(self) -> None:
        known, there = await self._directs.known(), set()
        async for listed in self._history.rooms():
            there.add(listed.room)
            if listed.room not in known and await self._may_be_one(listed.creator):
                await self._look(listed.room)
        # A page may miss a room while others come and go.
        under_way = await self._directs.under_way()
        for room in known - there - under_way:
            if await self._admin.room(room) is None:
                await self._directs.forget(room)
        for room, members in (await self._directs.groups()).items():
            if room in there:
                await self._refresh(room, members)

    async def _may_be_one(self, creator: str) -> bool:
        return bool(creator) and (self._is_trusted(UserId(creator)) or await self._is_person(UserId(creator)))

    def _is_trusted(self, user: UserId) -> bool:
        """Does whoever made a room say truly what it is?"""
        if user == self._annuaire:
            return True
        self._book.refresh()
        return user in self._book.state.bots and self._book.is_listed(server_of(user), self._clock.now())

    async def _is_person(self, user: UserId) -> bool:
        """Somebody of this server, who has a home room; no bot, ghost or service."""
        return await self._rooms.get(home_key(user)) is not None

    def _is_our_other_bot(self, user: UserId) -> bool:
        return server_of(user) == server_of(self._annuaire) and user != self._annuaire

    async def _look(self, room: RoomId) -> None:
        if room in self._others:
            return
        state = {(e["type"], e.get("state_key")): e for e in await self._history.state(room)}
        create = state.get(("m.room.create", ""))
        if create is None:
            return
        if create["content"].get("type"):
            self._others.add(room)  # a space: nobody writes there
            return
        maker = UserId(str(create["sender"]))
        members = {
            UserId(str(key)): str(e["content"].get("membership", ""))
            for (type_, key), e in state.items()
            if type_ == "m.room.member"
        }
        opened = from_millis(int(create["origin_server_ts"]))
        if await self._is_person(maker):
            await self._directs.follow(Found(room, _inside(members), opened_at=opened, group=True), self._keep)
            return
        marked = state.get((ROOM_MARK, ""))
        mark = RoomMark.read(marked["content"]) if marked is not None and marked["sender"] == maker else None
        if mark is not None and (mark.kind is not RoomKind.DIRECT or self._is_our_other_bot(maker)):
            self._others.add(room)
            return
        if mark is None or not self._is_trusted(maker) or members.get(maker) == "join":
            return  # It is being made; or its maker may be believed some day.
        promised = timedelta(seconds=mark.keep_s) if mark.keep_s and maker == self._annuaire else None
        people = tuple(user for user in members if user != maker)
        await self._directs.follow(Found(room, people, opened_at=opened, promised=promised), self._keep)

    async def _refresh(self, room: RoomId, before: tuple[UserId, ...]) -> None:
        """Who came into a group since reads how long messages live there."""
        now = _inside(await self._admin.memberships(room))
        if set(now) == set(before):
            return
        if (known := await self._directs.get(room)) is not None:
            for member in sorted({*now} - {*before}):
                await self._say(member, says.entered(known.keep, room), f"keeps-{digest(f'{member} {room}')}")
        await self._directs.members(room, now)

    async def _tell(self) -> None:
        """Who has not read how long messages live reads it now, in their own room; from then on it holds."""
        untold = await self._directs.untold(self._keep)
        if not untold:
            return
        now = self._clock.now()
        theirs: dict[UserId, list[RoomId]] = {}
        for each in untold:
            for member in each.members:
                theirs.setdefault(member, []).append(each.room)
        for member, rooms in sorted(theirs.items()):
            await self._say(
                member,
                says.lives(self._keep, now + self._keep, len(rooms)),
                f"keeps-{digest(f'{member} {self._keep.total_seconds()} {sorted(rooms)}')}",
            )
        await self._directs.told([each.room for each in untold], self._keep, now)

    async def _say(self, member: UserId, words: str, txn: str) -> None:
        own = await self._rooms.get(home_key(member))
        if own is None:
            return  # Of another server, whose own @salles tells them; or they have no room of ours.
        try:
            await self._home.send(own.room, text(words), txn=txn)
        except HomeRefused as error:
            log_event(log, "direct.not_told", code=error.errcode)

    async def _round(self, base: datetime, now: datetime, allowed: datetime | None) -> None:
        rooms = await self._directs.all()
        due: list[tuple[DirectRoom, End | Purge, datetime]] = []
        ending = 0
        for room in rooms:
            cut = cut_of(room, base, now, self._notice)
            if cut is None:
                continue
            what = await self._planned(room, cut)
            if what is None:
                continue
            due.append((room, what, cut))
            if isinstance(what, End) and (allowed is None or what.last + room.keep > allowed):
                ending += 1
        if too_many(ending, len(rooms), self._many_share):
            await self._round_row.went(now, stopped=base, waiting=ending)
            await self._incidents.open(MANY, says.INCIDENT_MANY)
            return
        await self._incidents.close(MANY)
        for room, what, cut in due:
            await self._erasing.start(room, what, to_millis(cut))
        await self._round_row.went(now)
        log_event(log, "direct.round", rooms=len(rooms), due=len(due), ending=ending)

    async def _planned(self, room: DirectRoom, cut: datetime) -> End | Purge | None:
        try:
            return plan(room, await self._erasing.history(room.room, cut=to_millis(cut)), cut)
        except HomeRefused as error:
            # A room that the server does not let us read holds back no other.
            log_event(log, "direct.not_read", code=error.errcode)
            return None


def _inside(members: Mapping[UserId, str]) -> tuple[UserId, ...]:
    return tuple(user for user, state in members.items() if state in {"join", "invite"})
