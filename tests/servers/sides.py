"""Annuaire services of several servers, without homeservers: real HTTP between them, real databases, one list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Method
from colloque.clock import FrozenClock
from colloque.config import Listen
from colloque.directory.lookup import AgeRules
from colloque.errors import ServiceUnavailable
from colloque.federation.http_client import Peers
from colloque.federation.http_server import Api
from colloque.federation.keeper import Keeper
from colloque.federation.nonces import Nonces
from colloque.files import free_port
from colloque.identity import EventId, UserId
from colloque.rooms.erasure import AskedBy
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import open_database
from colloque_annuaire.federation.accounts import Accounts
from colloque_annuaire.federation.answers import Answers
from colloque_annuaire.federation.erasures import Erasures
from colloque_annuaire.federation.leaving import Leaving
from colloque_annuaire.federation.meeting import Meetings
from colloque_annuaire.federation.people import Crossing
from colloque_annuaire.federation.teams import Teams
from colloque_annuaire.federation.telling import Telling
from colloque_annuaire.federation.upkeep import FederationUpkeep
from colloque_annuaire.store.federation import Abroad
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.federation_returning import Returns
from colloque_annuaire.store.people import People
from colloque_annuaire.store.tables import annuaire_upgrades
from colloque_demo.pki import make_pki
from tests.federation import Member, listing
from tests.servers.annuaire import rpps
from tests.servers.postgres import PostgresServer
from tests.servers.side_parts import Fresh, Press, Rooms
from tests.servers.tls import TlsFront

NewDatabase = Callable[[], Awaitable[str]]


@dataclass
class Side:
    """One server's annuaire service, as far as other servers are concerned."""

    member: Member
    folder: Path
    clock: FrozenClock
    press: Press
    url: str
    http: aiohttp.ClientSession
    ca: Path
    port: int
    published: int = 0
    running: AsyncExitStack = field(default_factory=AsyncExitStack)
    closed: list[UserId] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    answer: Callable[[AskedBy], Awaitable[dict[str, Any]]] | None = None

    def __post_init__(self) -> None:
        self.server = self.member.server
        self.directory = Fresh(self.clock)
        self.rooms = Rooms(self.server)

    def user(self, n: int) -> UserId:
        return UserId(f"@p{n}:{self.server}")

    async def start(self) -> None:
        """As after a crash: nothing but files and tables is left of the last run."""
        self.running = AsyncExitStack()
        self.db: Database = await open_database(self.url, annuaire_upgrades(), "colloque_annuaire")
        self.running.push_async_callback(self.db.stop)
        self.journal = Journal.open(self.folder / "journal.jsonl", self.clock)
        self.running.callback(self.journal.close)
        self.keeper = Keeper(
            source=self.press, folder=self.folder, authority=self.press.authority.pins, clock=self.clock
        )
        self.keeper.load()
        us, key_of = self.member.signer, self.keeper.key_of
        self.people, self.abroad, self.own = People(self.db), Abroad(self.db), OwnAbroad(self.db)
        self.returns, self.incidents = Returns(self.db), Incidents(self.db, self.clock)
        self.peers = Peers(http=self.http, us=us, key_of=key_of, clock=self.clock, ca=self.ca)
        base: dict[str, Any] = {"keeper": self.keeper, "journal": self.journal, "clock": self.clock}
        self.crossing = Crossing(
            **base,
            us=us,
            abroad=self.abroad,
            own=self.own,
            people=self.people,
            directory=self.directory,
            ages=AgeRules(),
            publish=self.publish,
            test=False,
        )
        both = {"peers": self.peers, "crossing": self.crossing, "abroad": self.abroad, "own": self.own}
        self.meetings = Meetings(**base, **both, home=self.rooms, homes=self.rooms, direct=self.rooms)  # type: ignore[arg-type]
        self.accounts = Accounts(
            **base,
            us=us,
            key=self.member.key,
            peers=self.peers,
            crossing=self.crossing,
            own=self.own,
            people=self.people,
            closed=self.close,
        )
        self.upkeep = FederationUpkeep(
            **base,
            **both,  # type: ignore[arg-type]
            returns=self.returns,
            incidents=self.incidents,
            publish=self.publish,
        )
        self.telling = Telling(**base, peers=self.peers, crossing=self.crossing, own=self.own, returns=self.returns)
        self.leaving = Leaving(abroad=self.abroad, rooms=self.rooms, partners=self.rooms, journal=self.journal)
        await self.accounts.settle()
        await self.upkeep.follow()
        api = Api(us=us, key_of=key_of, nonces=Nonces(self.db, self.clock), clock=self.clock)
        self.answers = Answers(
            us=us.server,
            crossing=self.crossing,
            meetings=self.meetings,
            accounts=self.accounts,
            own=self.own,
            clock=self.clock,
        )
        self.answers.register(api)
        self.teams = Teams(
            us=us.server,
            keeper=self.keeper,
            peers=self.peers,
            crossing=self.crossing,
            abroad=self.abroad,
            meetings=self.meetings,
            clock=self.clock,
        )
        self.teams.register(api)
        self.erasures = Erasures(
            us=us.server, keeper=self.keeper, peers=self.peers, clock=self.clock, erase_copy=self.erase_copy
        )
        self.erasures.register(api)
        await api.serve(self.running, Listen(self.port))

    async def erase_copy(self, server: str, room: str, ref: str) -> dict[str, Any]:
        """As its @salles, who answers what the test says."""
        self.asked.append((server, room, ref))
        if self.answer is None:
            raise ServiceUnavailable("salles does not answer")
        return await self.answer(AskedBy(server, ref))

    async def publish(self) -> None:
        self.published += 1

    async def close(self, user: UserId, organisation: str) -> None:
        self.closed.append(user)

    async def stop(self) -> None:
        await self.running.aclose()

    async def attest(self, n: int, days: float = 365) -> Attestation:
        now = self.clock.now()
        held = Attestation(
            self.user(n), rpps(n), f"Dr Anne NOM{n}", Method.MAILBOX_CODE, now, now + timedelta(days=days)
        )
        await self.people.attest(held, EventId(f"$a{n} {now}"))
        return held

    async def revoke(self, n: int) -> None:
        """As the end of an attestation is written down, whoever decides on it."""
        await self.own.close_own(self.user(n))

    async def knows(self, user: UserId) -> bool:
        found = await self.abroad.remote(user)
        return found is not None and found.attestation.is_valid(self.clock.now())

    async def meet(self) -> None:
        """Look into the first contacts that wait, then rest."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.meetings.run(stop))
        try:
            while await self.own.meetings():
                await asyncio.sleep(0.01)
                if task.done():
                    break
        finally:
            stop.set()
            self.meetings._news.set()
            await task

    async def refused(self, actor: UserId, other: UserId, reason: str = "remote_unknown") -> None:
        """What the homeserver reports."""
        await self.meetings.note([{"actor": actor, "other": other, "act": "invite", "reason": reason}])


@dataclass
class Sides:
    """All of them, and the list that names them."""

    a: Side
    b: Side
    press: Press
    clock: FrozenClock
    version: int = 0

    async def list(self, *sides: Side, days: float = 30) -> None:
        """Issue a list of exactly these, and have every side fetch it."""
        self.version += 1
        members = [side.member for side in sides]
        self.press.issue(listing(*members, version=self.version, now=self.clock.now(), days=days))
        for side in (self.a, self.b):
            await side.upkeep.refresh(ordered=True)


@asynccontextmanager
async def two_sides(tmp: Path, clock: FrozenClock, new_database: NewDatabase) -> AsyncIterator[Sides]:
    """chu-a.test and chu-b.test, running, each behind TLS."""
    press, pki = Press(), make_pki(tmp / "pki")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        made = []
        for name in ("chu-a.test", "chu-b.test"):
            folder = tmp / name
            folder.mkdir()
            port = free_port()
            front = await stack.enter_async_context(TlsFront(port, pki.cert, pki.key))
            member = Member(name, api=f"https://127.0.0.1:{front.port}")
            made.append(Side(member, folder, clock, press, await new_database(), http, pki.ca, port))
        sides = Sides(made[0], made[1], press, clock)
        try:
            for side in made:
                await side.start()
            yield sides
        finally:
            for side in made:
                await side.stop()


def acts(sides: Sides) -> list[tuple[str, str]]:
    """What both journals say, A's first."""
    out = []
    for side in (sides.a, sides.b):
        lines = (side.folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        out += [(e["kind"], e["outcome"] or e["facts"].get("reason", "")) for e in map(json.loads, lines)]
    return out


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def sides(request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Sides]:
    """Listed, on each kind of database; tests/contract/conftest.py imports it."""
    count = iter(range(9))

    async def new_database() -> str:
        if request.param == "sqlite":
            return f"sqlite:{tmp_path}/{next(count)}.db"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return await server.new_database()

    async with two_sides(tmp_path, clock, new_database) as made:
        await made.list(made.a, made.b)
        yield made
