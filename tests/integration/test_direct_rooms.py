"""Rooms of two people, made on a real Synapse with our module by @annuaire, which leaves: who can do what in them."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from colloque.audit import verify_lines
from colloque.errors import HomeRefused, Refused, Temporary
from colloque.identity import UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.rooms.mark import ROOM_MARK
from colloque_annuaire.finding import direct as module
from colloque_annuaire.rules.results import Unopened
from tests.servers.direct import World, event, quiet, theirs
from tests.servers.house import House, running_house
from tests.servers.killing import Killed


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house() as made:
        yield made


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    token = await asyncio.to_thread(
        house.server.register, f"adm{secrets.token_hex(4)}", secrets.token_urlsafe(), admin=True
    )
    with tempfile.TemporaryDirectory(prefix="clq-direct-") as folder:
        async with aiohttp.ClientSession() as session:
            yield World(house, Path(folder), session, token)


async def test_a_room_of_two_is_theirs_alone(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        opened = await service.direct.open(asker.held, other.held, event())
        assert opened.fresh
        await theirs(world, service, opened, asker, other)
        room = opened.room
        invite = (await asker.account.call("GET", f"/rooms/{quote(room)}/state/m.room.member/{other.user}")).body
        assert invite["is_direct"] is True

        # The other accepts; neither can open it, widen it, or weaken its encryption.
        assert (await other.account.join(room)).status == 200
        third = await world.house.account()
        world.house.attest(asker.account, other.account, third)
        for one in (asker, other):
            assert (await one.account.invite(room, third)).status == 403
            assert await one.put(room, "m.room.encryption", algorithm="none") == 403
            assert await one.put(room, "m.room.join_rules", join_rule="public") == 403
            assert await one.put(room, "m.room.history_visibility", history_visibility="world_readable") == 403
            assert await one.put(room, "m.room.power_levels", users={one.user: 100}) == 403
            assert await one.put(room, ROOM_MARK, kind="home", key="x") == 403
            assert await one.say(room) == 200

        # The bot's endless power as a creator is worth nothing from outside, and it can't come back.
        for act in (
            service.home.join(room),
            service.home.invite(room, UserId(third.user)),
            service.home.set_state(room, "m.room.join_rules", {"join_rule": "public"}),
        ):
            with pytest.raises(HomeRefused):
                await act
        await service.home.leave(room)

        # Asked again, by either of them: the same room.
        for one, two in ((asker, other), (other, asker)):
            again = await service.direct.open(one.held, two.held, event())
            assert (again.room, again.fresh, again.members[two.user]) == (room, False, "join")


async def test_a_new_room_when_one_of_them_left(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        first = await service.direct.open(asker.held, other.held, event())
        waiting = await service.direct.open(other.held, asker.held, event())
        assert (waiting.room, waiting.fresh, waiting.members[other.user]) == (first.room, False, "invite")
        assert (await other.account.call("POST", f"/rooms/{quote(first.room)}/leave", {})).status == 200
        second = await service.direct.open(asker.held, other.held, event())
        assert (second.fresh, second.room != first.room) == (True, True)
        await theirs(world, service, second, asker, other)
        assert (await asker.account.call("POST", f"/rooms/{quote(second.room)}/leave", {})).status == 200
        third = await service.direct.open(other.held, asker.held, event())
        await theirs(world, service, third, other, asker)


async def test_the_other_is_told_who_asks_in_their_home_room(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        opened = await service.direct.open(asker.held, other.held, event())
        sync = (await other.account.call("GET", "/sync?timeout=0")).body
        rooms = sync["rooms"]
        assert opened.room in rooms["invite"]
        [home] = [
            value
            for value in rooms.get("join", {}).values()
            if any(e["type"] == "m.room.encrypted" for e in value["timeline"]["events"])
        ]
        assert home


async def steps(world: World) -> list[tuple[str, str, int]]:
    """Every call of one opening, in order."""
    seen: list[tuple[str, str]] = []

    async def note(name: str, when: str) -> None:
        seen.append((name, when))

    world.hook = note
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        await service.direct.open(asker.held, other.held, event())
    world.hook = quiet
    return [(name, when, seen[:at].count((name, when))) for at, (name, when) in enumerate(seen)]


async def test_a_kill_at_any_step_is_repaired_at_the_next_start(world: World) -> None:
    every = await steps(world)
    wanted = {"begin", "create_room", "created", "members", "state", "set_state", "leave", "send", "ready"}
    assert wanted <= {name for name, _, _ in every}
    polled: set[str] = set()
    for name, when, rank in every:
        if name == "members" and (when in polled or polled.add(when)):
            continue  # how often the asker's joining is looked for is chance
        await killed_at(world, name, when, rank)
    lines = (world.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    verdict = verify_lines(lines)
    assert verdict.ok
    assert not [e for e in verdict.open_intents if e.kind == module.ACT]


async def killed_at(world: World, name: str, when: str, rank: int) -> None:
    count = itertools.count()

    async def die(called: str, moment: str) -> None:
        if (called, moment) == (name, when) and next(count) == rank:
            raise Killed

    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        world.hook = die
        with pytest.raises(Killed):
            await service.direct.open(asker.held, other.held, event())
        world.hook = quiet
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        await service.direct.finish_all()
        assert await service.rooms.unready() == []
        opened = await service.direct.open(asker.held, other.held, event())
        await theirs(world, service, opened, asker, other)
        sync = (await other.account.call("GET", "/sync?timeout=0")).body
        assert list(sync["rooms"]["invite"]) == [opened.room], f"killed {when} {name}"
        sync = (await asker.account.call("GET", "/sync?timeout=0")).body
        direct = [r for r, v in sync["rooms"]["join"].items() if _kind(v) == "direct"]
        assert direct == [opened.room], f"killed {when} {name}"


def _kind(room: dict[str, Any]) -> str:
    events = [*room["state"]["events"], *room["timeline"]["events"]]
    return next((e["content"]["kind"] for e in events if e["type"] == ROOM_MARK), "")


async def test_nobody_writes_before_the_bot_leaves(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        tried: list[int] = []

        async def write_early(name: str, when: str) -> None:
            if (name, when) != ("set_state", "before"):
                return
            [under_way] = await service.rooms.unready()
            assert under_way.room is not None
            tried.append(await asker.say(under_way.room))

        world.hook = write_early
        opened = await service.direct.open(asker.held, other.held, event())
        assert tried == [403]
        await theirs(world, service, opened, asker, other)


async def test_a_room_without_its_asker_is_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_S", 0.5)
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)

        # The module joins nobody whose account is locked: the invitation stays as it is.
        server = SynapseAdmin(world.session, world.house.server.url, world.admin_token)
        await server.lock(asker.user, locked=True)
        with pytest.raises(Temporary):
            await service.direct.open(asker.held, other.held, event())
        [kept] = await service.rooms.unready()
        assert kept.room is not None
        world.clock.advance(minutes=16)
        await service.direct.finish_all()
        assert await service.rooms.unready() == []
        members = await service.home.members(kept.room)
        assert set(members.values()) == {"leave"}


async def test_somebody_who_is_no_longer_verified_is_refused(world: World) -> None:
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        world.house.attest(asker.account)
        with pytest.raises(Refused) as refused:
            await service.direct.open(asker.held, other.held, event())
        assert refused.value.reason == Unopened.HOME
        assert await service.rooms.unready() == []


async def test_too_many_in_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PER_DAY", 1)
    async with AsyncExitStack() as stack:
        service = await world.start(stack)
        asker, other = await world.pair(service)
        await service.direct.open(asker.held, other.held, event())
        again = await service.direct.open(asker.held, other.held, event())
        assert not again.fresh
        someone = replace(other.held, user=UserId(f"@x:{world.house.server.server_name}"))
        with pytest.raises(Refused) as refused:
            await service.direct.open(asker.held, someone, event())
        assert refused.value.reason == Unopened.TOO_MANY
