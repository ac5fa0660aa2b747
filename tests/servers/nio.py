"""Bots and people on a real Synapse, each through NioHome: what outlives a process, and what a home has heard."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from colloque.identity import EventId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.crosssign import Identity
from colloque.matrix.home import Heard, Incoming, MemberChange, RoomSpec, Unreadable
from colloque.matrix.nio_home import NioHome
from colloque.rooms.mark import RoomKind, RoomMark
from colloque_demo.homeserver import Appservice, Homeserver
from tests.waiting import until

SECRET = secrets.token_bytes(32)
PICKLE = secrets.token_hex(16)
NAMES = itertools.count()


@dataclass
class Place:
    """Where a reading stands: the part of `Handled` that NioHome uses."""

    token: str | None = None

    async def position(self) -> str | None:
        return self.token

    async def save_position(self, token: str) -> None:
        self.token = token


@dataclass
class Server:
    synapse: Homeserver
    session: aiohttp.ClientSession
    tokens: Iterator[Appservice]
    folder: Path

    def bot(self) -> Bot:
        service = next(self.tokens)
        user = UserId(f"@{service.localpart}:{self.synapse.server_name}")
        return Bot(self, user, service.as_token, self.folder / service.localpart)

    def login(self, name: str, password: str) -> JsonDict:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password}
        answer: JsonDict = self.synapse.call("POST", "/_matrix/client/v3/login", body)
        return answer


@dataclass
class Bot:
    """What outlives one process of a bot: its folders and its place."""

    server: Server
    user: UserId
    token: str
    folder: Path
    place: Place = field(default_factory=Place)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    async def open(self) -> NioHome:
        return await NioHome.open(
            session=self.server.session,
            base_url=self.server.synapse.url,
            user=self.user,
            token=self.token,
            state_dir=self.state,
            mark_dir=self.marks,
            identity_secret=SECRET,
            pickle_key=PICKLE,
            bots=frozenset({self.user}),
        )

    @property
    def api(self) -> MatrixApi:
        return MatrixApi(self.server.session, self.server.synapse.url, self.token, user=self.user)

    async def keys(self) -> JsonDict:
        return await self.api.call("POST", path(CLIENT, "keys", "query"), {"device_keys": {self.user: []}})

    async def devices(self) -> set[str]:
        return {d["device_id"] for d in (await self.api.call("GET", path(CLIENT, "devices")))["devices"]}


@dataclass
class Person:
    """A clinician's account; each login is a device."""

    server: Server
    name: str
    password: str
    identity: Identity
    bots: frozenset[UserId]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def user(self) -> UserId:
        return self.identity.user

    async def login(self, *, signed: bool = True) -> NioHome:
        answer = self.server.login(self.name, self.password)
        self.tokens[answer["device_id"]] = answer["access_token"]
        return await self.reopen(answer["device_id"], signed=signed)

    async def reopen(self, device_id: str, *, signed: bool = True) -> NioHome:
        return await NioHome.open_person(
            session=self.server.session,
            base_url=self.server.synapse.url,
            user=self.user,
            token=self.tokens[device_id],
            device_id=device_id,
            state_dir=self.server.folder / device_id,
            identity=self.identity if signed else None,
            pickle_key=PICKLE,
            bots=self.bots,
        )


def person(server: Server, *bots: UserId) -> Person:
    name, password = f"clinicien{next(NAMES)}", secrets.token_urlsafe()
    server.synapse.register(name, password)
    user = UserId(f"@{name}:{server.synapse.server_name}")
    return Person(server, name, password, Identity.derive(SECRET, user), frozenset(bots))


class Ear:
    """What a running home has heard."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    async def __call__(self, heard: Heard) -> None:
        self.heard.append(heard)

    def messages(self) -> list[Incoming]:
        return [h for h in self.heard if isinstance(h, Incoming)]

    def bodies(self) -> list[str]:
        return [m.body for m in self.messages()]

    async def body(self, wanted: str) -> Incoming:
        async def found() -> Incoming | None:
            return next((m for m in self.messages() if m.body == wanted), None)

        return await until(found, f"a message {wanted!r}")

    async def member(self, user: UserId, membership: str) -> MemberChange:
        async def found() -> MemberChange | None:
            changes = [h for h in self.heard if isinstance(h, MemberChange)]
            return next((c for c in changes if (c.user, c.membership) == (user, membership)), None)

        return await until(found, f"{membership} of somebody")

    async def unreadable(self, event: EventId) -> Unreadable:
        async def found() -> Unreadable | None:
            return next((h for h in self.heard if isinstance(h, Unreadable) and h.event == event), None)

        return await until(found, "the report of an unreadable message", within=40)


@asynccontextmanager
async def listening(home: NioHome, place: Place | None = None) -> AsyncIterator[Ear]:
    """Run the home's loop; leaving the block is like a kill: nothing more is handled or saved."""
    ear, stop = Ear(), asyncio.Event()
    task = asyncio.create_task(home.run(ear, stop, position=place or Place()))
    try:

        async def ready() -> bool:
            assert not task.done() or task.result()
            return not home.problem

        await until(ready, "the first sync")
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        home.close()


def spec(key: str, *invite: UserId) -> RoomSpec:
    return RoomSpec("Colloque", RoomMark(RoomKind.HOME, key), invite)


@asynccontextmanager
async def serve() -> AsyncIterator[Server]:
    """A Synapse of its own, with appservices enough for a file of tests."""
    with tempfile.TemporaryDirectory(prefix="clq-nio-", dir="/tmp") as folder:
        services = tuple(
            Appservice(f"bot{n}", f"bot{n}", secrets.token_hex(16), secrets.token_hex(16)) for n in range(12)
        )
        synapse = Homeserver(Path(folder) / "hs", f"t{secrets.token_hex(4)}.example")
        synapse.configure(appservices=services)
        synapse.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Server(synapse, session, iter(services), Path(folder))
        finally:
            synapse.stop()
