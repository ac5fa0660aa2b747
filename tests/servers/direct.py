"""@annuaire's part that makes rooms of two, on a real Synapse with our module; it may be killed at any call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from colloque.attestation import Attestation, Method
from colloque.book import AttestationBook
from colloque.clock import FrozenClock, SystemClock
from colloque.config_load import load
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.nio_home import NioHome
from colloque.rights import Rights
from colloque.rooms.mark import ROOM_MARK
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import open_database
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.finding.direct import Direct, Opened
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import DirectRooms, Results
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.annuaire import rpps
from tests.servers.house import Account, House, joined

SAMPLE = Path(__file__).parents[2] / "deploy" / "config.sample.yaml"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RANKS = itertools.count(100)
EVENTS = itertools.count()


Hook = Callable[[str, str], Awaitable[None]]


async def quiet(_name: str, _when: str) -> None:
    """Nothing happens."""


class Hooked:
    """Passes calls on; something may happen "before" or "after" each, as a kill."""

    def __init__(self, target: Any, world: World) -> None:
        self._target = target
        self._world = world

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **values: Any) -> Any:
            await self._world.hook(name, "before")
            answer = await found(*args, **values)
            await self._world.hook(name, "after")
            return answer

        return call


@dataclass
class Service:
    """What stands in one process of the annuaire service."""

    direct: Direct
    home: NioHome
    rooms: DirectRooms
    people: People


@dataclass
class World:
    """A house, and @annuaire started in it as often as need be on the same folder."""

    house: House
    folder: Path
    session: aiohttp.ClientSession
    admin_token: str
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW))
    hook: Hook = quiet

    async def start(self, stack: AsyncExitStack) -> Service:
        """One life; unwinding the stack is its end."""
        name = self.house.server.server_name
        config = load(SAMPLE)
        config = replace(config, homeserver=replace(config.homeserver, server_name=name))
        home = await NioHome.open(
            session=self.session,
            base_url=self.house.server.url,
            user=config.bot("annuaire"),
            token=self.house.services[0].as_token,
            state_dir=self.folder,
            mark_dir=self.folder,
            identity_secret=b"i" * 32,
            pickle_key="pickle",
            bots=frozenset(config.bots),
        )
        stack.callback(home.close)
        database = await open_database(f"sqlite:{self.folder}/a.db", annuaire_upgrades(), "colloque_annuaire")
        stack.push_async_callback(database.stop)
        journal = Journal.open(self.folder / "journal.jsonl", SystemClock())
        stack.callback(journal.close)
        people, rooms, keys = People(database), DirectRooms(database), RoomKeys(database)

        async def signed(user: UserId) -> bool:
            return False

        homes = Homes(
            config=config,
            home=home,
            rooms=Rooms(database),
            keys=keys,
            people=people,
            journal=journal,
            clock=self.clock,
            has_signed_device=signed,
            rights=Rights((), AttestationBook(self.folder / "snapshot", b"k" * 32), self.clock),
        )
        direct = Direct(
            home=Hooked(home, self),
            server=SynapseAdmin(self.session, self.house.server.url, self.admin_token),
            homes=homes,
            rooms=Hooked(rooms, self),
            results=Results(database),
            people=people,
            keys=keys,
            journal=journal,
            clock=self.clock,
            keep=timedelta(days=90),
        )
        await direct.settle()
        return Service(direct, home, rooms, people)

    async def pair(self, service: Service) -> tuple[Person, Person]:
        """Two verified people."""
        both = [Person(await self.house.account(), next(RANKS)) for _ in range(2)]
        self.house.attest(*(p.account for p in both))
        for one in both:
            await service.people.attest(one.held, EventId(f"$a{one.user}"))
        return both[0], both[1]


@dataclass
class Person:
    """Somebody verified."""

    account: Account
    rank: int

    @property
    def user(self) -> UserId:
        return self.account.user

    @property
    def held(self) -> Attestation:
        return Attestation(self.user, rpps(self.rank), "Dr X", Method.MAILBOX_CODE, NOW, NOW + timedelta(days=9))

    async def put(self, room: RoomId, type_: str, key: str = "", **content: Any) -> int:
        """The status of an attempt to set room state."""
        said = await self.account.call("PUT", f"/rooms/{quote(room)}/state/{type_}/{key}", content)
        return said.status

    async def say(self, room: RoomId) -> int:
        """The status of an attempt to write."""
        txn = f"t{next(EVENTS)}"
        content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}
        said = await self.account.call("PUT", f"/rooms/{quote(room)}/send/m.room.encrypted/{txn}", content)
        return said.status

    async def state(self, room: RoomId, type_: str) -> dict[str, Any]:
        return (await self.account.call("GET", f"/rooms/{quote(room)}/state/{type_}")).body


def event() -> EventId:
    return EventId(f"$event{next(EVENTS)}")


async def theirs(world: World, service: Service, opened: Opened, asker: Person, other: Person) -> None:
    """The room is in the state that we promise."""
    room = opened.room
    await joined(room, asker.account, asker.account)
    assert await asker.account.membership(room, other.account) in {"invite", "join"}
    bot = await world.house.bot("annuaire")
    assert await asker.account.membership(room, bot) == "leave"
    assert (await asker.state(room, "m.room.encryption"))["algorithm"] == "m.megolm.v1.aes-sha2"
    assert (await asker.state(room, "m.room.history_visibility"))["history_visibility"] == "invited"
    assert (await asker.state(room, ROOM_MARK))["kind"] == "direct"
    assert (await asker.account.call("GET", f"/rooms/{quote(room)}/state/m.room.name")).status == 404
    powers = await asker.state(room, "m.room.power_levels")
    assert powers["events_default"] == 0
    assert powers.get("users", {}) == {}
    assert min(powers[k] for k in ("state_default", "invite", "kick", "ban", "redact")) == 100
    assert await asker.say(room) == 200
