"""Threads that end, killed before each step that leaves the process; and what happens meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId
from colloque.matrix.nio_history import Stood
from colloque.rooms.mark import HOLD
from colloque.store.incidents import Incidents
from colloque_mssante.store import ends as steps
from tests.servers.ending_room import ENTRY, GHOST, LOOSE, Killed, World
from tests.unit.mssante.test_ends_store import E1, E2, E3, M1, M2, OTHER, Shelf
from tests.unit.mssante.test_store import ANNE, ROOM, db

__all__ = ["db"]


@pytest.fixture
async def world(db: Database, clock: FrozenClock) -> World:
    shelf = Shelf(db, clock)
    await shelf.ready()
    clock.advance(days=-91)
    world = World(shelf)
    await shelf.life.walked(ROOM)
    await shelf.life.shares(ROOM, {E1: [M1], EventId("$event"): [M2]})
    return world


async def test_a_thread_ends_whole(world: World) -> None:
    await world.until_over(world.engine())
    assert world.left() == {ENTRY}
    [(token, said)] = world.receipts.items()
    assert world.noted[token] == {E1, E2, EventId("$event"), LOOSE, (M1, GHOST), (M2, ANNE)}
    assert (said["members"], said["remote"], said["undecryptable"]) == (1, 0, 0)
    assert world.shared[token] == set()
    assert world.forgotten == [token]
    assert "Reçu d'effacement n° 1" in world.said[-1]
    assert not await world.shelf.db.fetchval("SELECT 1 FROM room_file")


async def test_whenever_it_is_killed_it_ends_once(world: World) -> None:
    """Before the first call, then before the next, and so on: each time it is started again on what it left."""
    kills = 0
    while kills < 100:
        world.kills_at = world.calls + 1 + kills % 3
        try:
            await world.until_over(world.engine())
            break
        except Killed:
            kills += 1
    world.kills_at = -1
    await world.until_over(world.engine())
    assert kills > 3
    assert world.left() == {ENTRY}
    assert len(world.receipts) == 1
    assert sum("a pris fin ici" in words for words in world.said) == 1


async def test_what_comes_while_its_room_is_read_wins(world: World) -> None:
    engine = world.engine()
    await engine.once()
    await world.answer()
    before = world.everything

    async def and_then(room: RoomId) -> AsyncIterator[Stood]:
        async for stood in before(room):
            yield stood
        await world.shelf.mail("k2", E3, "<k1@x>")

    world.everything = and_then  # type: ignore[method-assign]
    world.shelf.clock.advance(seconds=30)
    await engine.once()
    assert len(world.left()) == 5
    assert await world.shelf.ends.get("k1") is None
    thread = await world.shelf.threads.get("k1")
    assert thread is not None
    assert thread.last_at == world.shelf.clock.now()


async def test_who_wrote_in_it_lately_keeps_it_though_nothing_left_as_mail(world: World) -> None:
    world.put(E3, ANNE, world.shelf.clock.now(), answers=E1)
    await world.until_over(world.engine())
    assert len(world.left()) == 6
    assert world.receipts == {}
    world.shelf.clock.advance(days=91)
    await world.until_over(world.engine())
    assert world.left() == {ENTRY}


async def test_a_message_that_says_it_is_of_the_future_keeps_nothing(world: World) -> None:
    world.put(E3, ANNE, world.shelf.clock.now() + timedelta(days=9000), answers=E1)
    await world.until_over(world.engine())
    assert world.left() == {ENTRY}


async def test_what_comes_while_it_is_withdrawn_is_withdrawn_too(world: World) -> None:
    before = world.redact

    async def and_then(room: RoomId, event: EventId, *, txn: str) -> None:
        await before(room, event, txn=txn)
        if not any(stood.said.event == E3 for stood in world.room):
            world.put(E3, ANNE, world.shelf.clock.now(), answers=E1, type_="m.reaction")

    world.redact = and_then  # type: ignore[method-assign]
    await world.until_over(world.engine())
    assert world.left() == {ENTRY}
    assert E3 in next(iter(world.noted.values()))


async def test_a_file_that_stands_elsewhere_too_is_said_to(world: World) -> None:
    await world.shelf.life.shares(OTHER, {E3: [M1]})
    await world.until_over(world.engine())
    [token] = world.receipts
    assert world.shared[token] == {(M1, GHOST)}
    assert (M1, GHOST) not in world.noted[token]
    assert (M2, ANNE) in world.noted[token]


async def test_what_is_under_way_for_long_is_not_asked_about_each_time(world: World) -> None:
    engine = world.engine()
    await world.shelf.db.execute("UPDATE outbox SET state = 'doubtful', told = 'doubtful'")
    await engine.once()
    asked = await world.shelf.ends.get("k1")
    assert asked is not None
    for _ in range(30):
        world.shelf.clock.advance(hours=1, seconds=1)
        await engine.once()
    later = await world.shelf.ends.get("k1")
    assert later is not None
    assert (later.step, later.asked_at) == (steps.KEPT, asked.asked_at)
    await world.shelf.db.execute("UPDATE outbox SET state = 'sent', told = 'sent'")
    world.shelf.clock.advance(hours=1, seconds=1)
    await world.until_over(engine)
    assert world.left() == {ENTRY}


async def test_a_mailbox_that_lacks_a_mail_keeps_the_thread_and_says_so_once(world: World) -> None:
    engine = world.engine()
    for _ in range(4):
        await engine.once()
        await world.answer(found=False)
        await engine.once()
        world.shelf.clock.advance(days=7, seconds=1)
    assert len(world.left()) == 5
    assert sum("reste ici" in words for words in world.said) == 1
    await world.until_over(engine)  # its owner put it back
    assert world.left() == {ENTRY}


async def test_a_mailbox_that_cannot_be_asked_keeps_the_thread_and_is_told_of_once(world: World) -> None:
    engine = world.engine()
    for _ in range(60):
        await engine.once()
        world.shelf.clock.advance(hours=1)
    assert len(world.left()) == 5
    rows = await world.shelf.db.fetch("SELECT owner, words FROM notice")
    assert [row["owner"] for row in rows] == [ANNE]
    assert "ne peut pas être consultée" in rows[0]["words"]
    end = await world.shelf.ends.get("k1")
    assert end is not None
    assert end.step == steps.ASKING


async def test_a_room_whose_state_says_that_it_is_held_loses_nothing(world: World) -> None:
    until = int(world.shelf.clock.now().timestamp() * 1000) + 7_200_000
    world.state_of[HOLD] = {"until": until}
    engine = world.engine()
    for _ in range(3):
        await engine.once()
        await world.answer()
        world.shelf.clock.advance(minutes=31)
    assert len(world.left()) == 5
    world.shelf.clock.advance(hours=2)
    await world.until_over(engine)
    assert world.left() == {ENTRY}


async def test_while_salles_is_away_nothing_is_lost_and_it_ends_later(world: World) -> None:
    world.away = True
    engine = world.engine()
    for _ in range(5):
        await engine.once()
        await world.answer()
        world.shelf.clock.advance(seconds=30)
    assert world.receipts == {}
    incidents = Incidents(world.shelf.db, world.shelf.clock)
    assert await incidents.current() == []
    world.shelf.clock.advance(days=2)
    await engine.once()
    assert list(await incidents.current()) == ["mssante.threads"]
    world.away = False
    await world.until_over(engine)
    assert len(world.receipts) == 1
    assert list(await incidents.current()) == []


async def test_a_room_that_is_gone_leaves_nothing_behind(world: World) -> None:
    world.there = False
    engine = world.engine()
    await engine.once()
    await world.answer()
    await world.until_over(engine)
    assert world.receipts == {}
    assert "Prothese" not in await world.shelf.everything()


async def test_a_thread_of_which_nothing_was_ever_shown_is_forgotten_without_a_word(world: World) -> None:
    await world.until_over(world.engine())
    said, receipts = list(world.said), dict(world.receipts)
    await world.shelf.db.execute(
        "INSERT INTO thread (id, room_id, number, subject, last_at) VALUES ('x', $1, 2, 'Prothese', 0)", ROOM
    )
    await world.until_over(world.engine())
    assert (world.said, world.receipts) == (said, receipts)
    assert "Prothese" not in await world.shelf.everything()


async def test_nothing_ends_before_every_room_was_read_for_its_files(world: World) -> None:
    await world.shelf.db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ('!new', '@x:h', 'x:z')")
    await world.engine().once()
    assert await world.shelf.ends.due() == []


@pytest.mark.parametrize("error", [HomeRefused(403, "M_FORBIDDEN", "held"), KeyError("a defect of ours")])
async def test_a_failing_thread_holds_no_other(world: World, error: Exception) -> None:
    """One whose room refuses, or whose ending has a defect, waits; another ends."""
    shelf = world.shelf
    await shelf.db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ($1, $2, 'x:z')", OTHER, ANNE)
    await shelf.life.told(OTHER, 1, None)
    await shelf.life.walked(OTHER)
    await shelf.db.execute(
        "INSERT INTO thread (id, room_id, number, subject, last_at) VALUES ('bad', $1, 1, 'x', 0)", OTHER
    )
    shelf.clock.advance(days=8)
    before = world.everything

    async def refusing(room: RoomId) -> AsyncIterator[Stood]:
        if room == OTHER:
            raise error
        async for stood in before(room):
            yield stood

    world.everything = refusing  # type: ignore[method-assign]
    engine = world.engine()
    for _ in range(6):
        await engine.once()
        await world.answer()
        shelf.clock.advance(seconds=30)
    assert world.left() == {ENTRY}
    assert await shelf.ends.get("bad") is not None
