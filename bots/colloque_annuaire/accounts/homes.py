"""Everyone's home room, the administrators' room, and the first greeting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from colloque.bot_service import post_incidents
from colloque.clock import Clock
from colloque.config import Config
from colloque.errors import HomeRefused, Temporary
from colloque.identity import RoomId, UserId, digest, localpart, server_of
from colloque.logs import event as log_event
from colloque.matrix.admin import Account
from colloque.matrix.home import Home, RoomSpec, text
from colloque.rights import Rights
from colloque.rooms.mark import ADMIN_KEY, RoomKind, RoomMark, home_key
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import annuaire as texts

log = logging.getLogger(__name__)

_GREET_WITHIN = timedelta(hours=1)
_IN = frozenset({"join", "invite"})


class Homes:
    """Creates what is missing; one creation at a time, so that nobody ever gets two home rooms."""

    def __init__(
        self,
        *,
        config: Config,
        home: Home,
        rooms: Rooms,
        keys: RoomKeys,
        people: People,
        journal: Journal,
        clock: Clock,
        has_signed_device: Callable[[UserId], Awaitable[bool]],
        rights: Rights,
    ) -> None:
        self._config = config
        self._home = home
        self._rooms = rooms
        self._keys = keys
        self._people = people
        self._journal = journal
        self._clock = clock
        self._has_signed_device = has_signed_device
        self._rights = rights
        self._lock = asyncio.Lock()

    def is_person(self, user: UserId) -> bool:
        """True for accounts of people on this homeserver: not our bots, not ghosts."""
        ghost = localpart(user).startswith(self._config.mssante.ghost_prefix)
        return server_of(user) == self._config.homeserver.server_name and user not in self._config.bots and not ghost

    async def ensure(self, user: UserId) -> RoomId:
        """The person's home room, created when there is none."""
        spec = RoomSpec(
            name=texts.HOME_NAME,
            topic=texts.HOME_TOPIC,
            mark=RoomMark(RoomKind.HOME, home_key(user), owner=user),
            invite=(user, self._config.bot("salles"), self._config.bot("mssante")),
        )
        return await self._ensure(spec)

    async def ensure_admin(self) -> RoomId:
        """The administrators' room; whoever administers since is invited, whoever no longer does is taken out."""
        administrators = self._rights.administrators()
        spec = RoomSpec(
            name=texts.ADMIN_NAME,
            mark=RoomMark(RoomKind.ADMIN, ADMIN_KEY),
            invite=(*sorted(administrators), self._config.bot("salles"), self._config.bot("mssante")),
        )
        room = await self._ensure(spec)
        members = await self._home.members(room)
        for user in spec.invite:
            if user not in members:
                await self._home.invite(room, user)
        for user, membership in members.items() if self._rights.certain else ():
            if membership in _IN and user not in {*spec.invite, self._home.user}:
                await self._home.set_state(room, "m.room.member", {"membership": "leave"}, user)
        return room

    async def alert(self, incidents: Incidents) -> None:
        """Tell the administrators of each incident once. Raises Temporary: what was not told stays."""
        await post_incidents(self._home, incidents, await self.ensure_admin())

    async def let_into_admin(self, user: UserId) -> None:
        """Somebody administers from now on: into the room, also when they had left it."""
        room = await self.ensure_admin()
        if (await self._home.members(room)).get(user) not in _IN:
            await self._home.invite(room, user)

    async def _ensure(self, spec: RoomSpec) -> RoomId:
        async with self._lock:
            known = await self._rooms.get(spec.mark.key)
            if known is not None:
                return known.room
            act = self._journal.begin("room.create", actor=spec.mark.owner or "system", ref=digest(spec.mark.key))
            room = await self._home.create_room(spec)
            await self._rooms.put(spec.mark.key, room, spec.mark.kind, spec.mark.owner)
            token = await self._keys.token(room, room)
            self._journal.end(act, "created", room=token, kind=spec.mark.kind.value)
            return room

    async def settle(self) -> None:
        """At start: an interrupted creation is found again by its key when the room is next needed."""
        for intent in self._journal.open_intents():
            if intent.kind == "room.create":
                self._journal.end(intent.act, "interrupted")

    async def reconcile(self, accounts: AsyncIterator[Account]) -> int:
        """Give a home room to every person who has none. Returns how many have one."""
        count = 0
        async for account in accounts:
            if account.admin or not self.is_person(account.user):
                continue
            await self._people.saw_account(account.user)
            try:
                await self.ensure(account.user)
            except HomeRefused as error:
                log_event(log, "home.refused", code=error.errcode)
                continue
            count += 1
        return count

    async def greet(self) -> None:
        """Say welcome to those who just logged in, once a device of theirs can read it."""
        for user in await self._people.to_welcome(self._clock.now() - _GREET_WITHIN):
            try:
                if not await self._has_signed_device(user):
                    continue
                room = await self.ensure(user)
                held = await self._people.attestation_of(user)
                verified = held is not None and held.is_valid(self._clock.now())
                said = texts.welcome(verified=verified)
                await self._home.send(room, text(said), txn=f"welcome-{home_key(user)}")
            except Temporary as error:
                log_event(log, "greeting.deferred", code=error.code)
                return
            await self._people.welcomed(user)
