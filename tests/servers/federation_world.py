"""Three servers and their people: what the tests of the federation share.

cabinet-c.test is listed, and its Synapse holds to no rule of ours: what it tries must fail at the others.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from colloque.book import AttestationBook, read_secret
from colloque.errors import HomeRefused
from colloque.federation.http_client import Peers
from colloque.identity import RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, text
from colloque.matrix.nio_home import NioHome
from colloque.policy.federation import Entry
from colloque.policy.passport import LIFE, Passport, sign_passport
from colloque.professional import Professional
from colloque.rooms.mark import RoomKind
from tests.federation import keys_of, listing
from tests.servers.federation import Federation, begin, running_federation
from tests.servers.federation_place import Place
from tests.servers.nio import Ear, listening
from tests.waiting import until

A, B, C = "chu-a.test", "chu-b.test", "cabinet-c.test"


@dataclass
class Somebody:
    """An attested account of one server; `client` is a phone."""

    place: Place
    user: UserId
    professional: Professional

    @asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[NioHome, Ear]]:
        home = await self.person.login()
        async with listening(home) as ear:
            yield home, ear

    def __post_init__(self) -> None:
        self.person = self.place.clinician(self.user[1:].partition(":")[0])


@dataclass
class World:
    """The servers, and people attested before they started."""

    federation: Federation
    people: dict[str, Somebody]

    def __getitem__(self, name: str) -> Somebody:
        return self.people[name]


CAST = {"anne": A, "alice": A, "bob": B, "boris": B, "berthe": B, "chloe": C} | {"amelie": A, "basile": B}


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[World]:
    """One for the whole run: each test leaves all servers listed and well."""
    async with running_federation(A, B, C, lawless=C) as federation, AsyncExitStack() as stack:
        people = {}
        for name, server in CAST.items():
            place, professional = federation.places[server], next(federation.professionals)
            people[name] = Somebody(place, place.user(name), professional)
            await place.attest(people[name].user, professional)
        await begin(stack, *federation.places.values())
        yield World(federation, people)


def book(place: Place) -> AttestationBook:
    """What the deciding processes of that server see."""
    return AttestationBook(place.config.annuaire.snapshot, read_secret(place.config.secrets.snapshot))


def knows(place: Place, user: UserId) -> bool:
    return book(place).of(user, datetime.now(UTC)) is not None


async def tries_to_write_to(home: NioHome, other: UserId) -> str:
    """Begin a conversation as any client does; the refusal's code."""
    body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [other]}
    with pytest.raises(HomeRefused) as caught:
        await home.api.call("POST", path(CLIENT, "createRoom"), body)
    return caught.value.errcode


async def told(ear: Ear, *wanted: str, within: float = 60) -> str:
    """What @annuaire said that holds all these words."""

    async def found() -> Incoming | None:
        return next((m for m in ear.messages() if all(words in m.body for words in wanted)), None)

    try:
        return (await until(found, f"@annuaire saying {wanted}", within=within)).body
    except AssertionError:
        raise AssertionError(f"@annuaire never said {wanted}, but {ear.bodies()}") from None


async def home_room(home: NioHome) -> RoomId:
    """Where a clinician types commands; waited for."""

    async def found() -> RoomId | None:
        joined = await home.api.call("GET", path(CLIENT, "joined_rooms"))
        for room in map(RoomId, joined["joined_rooms"]):
            mark = await home.mark_of(room)
            if mark is not None and mark.kind is RoomKind.HOME:
                return room
        return None

    return await until(found, "the home room", within=20)


def room_in(said: str) -> RoomId:
    found = re.search(r"matrix\.to/#/(\S+?)(?:\?|\s|$)", said)
    assert found is not None, said
    return RoomId(unquote(found[1]))


@asynccontextmanager
async def talking(one: Somebody, other: Somebody) -> AsyncIterator[tuple[RoomId, NioHome, Ear, NioHome, Ear]]:
    """A conversation of two people on two servers, begun as people begin one."""
    async with one.client() as (home, ear), other.client() as (far, far_ear):
        await tries_to_write_to(home, other.user)
        room = room_in(await told(ear, "est ouverte", other.professional.full_name))
        await far_ear.member(other.user, "invite")
        await far.api.call("POST", path(CLIENT, "join", room), {}, query={"server_name": one.place.name})
        await far_ear.member(other.user, "join")
        await ear.member(other.user, "join")
        yield room, home, ear, far, far_ear


async def said_and_heard(room: RoomId, home: NioHome, ear: Ear) -> None:
    body = f"bonjour {secrets.token_hex(4)}"
    await home.send(room, text(body), txn=secrets.token_hex(8))
    message = await ear.body(body)
    assert message.encrypted


def entry_of(world: World, place: Place) -> Entry:
    return listing(place.member, now=datetime.now(UTC)).servers[place.name]


def as_c(world: World) -> Peers:
    """C's own key in the hands of somebody who forges."""
    federation = world.federation
    known = listing(*(p.member for p in federation.places.values()), now=datetime.now(UTC))
    return Peers(
        http=federation.http,
        us=federation["c"].member.signer,
        key_of=keys_of(known, datetime.now(UTC)),
        clock=_Now(),
        ca=federation.ca.pem,
    )


class _Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


def forged(world: World, user: UserId, professional: Professional, **change: object) -> str:
    now = datetime.now(UTC)
    assert professional.rpps is not None
    values: dict[str, object] = {
        "user": user,
        "rpps": professional.rpps,
        "name": professional.full_name,
        "professions": ("10",),
        "method": "mailbox_code",
        "kind": "professional",
        "issued_at": now,
        "valid_until": now + LIFE,
    }
    return sign_passport(world.federation["c"].member.signer, Passport(**(values | change)))  # type: ignore[arg-type]
