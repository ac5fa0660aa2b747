"""Patient rooms from opening to receipt: kills at random (`rooms`), and at each boundary (`rooms-steps`)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from colloque.clock import monotonic
from tests.soak.bridge_world import fresh
from tests.soak.ledger import Ledger, Verdict
from tests.soak.plan import Kill
from tests.soak.rooms_count import Found, look
from tests.soak.rooms_people import PEOPLE, Room, RoomsPeople
from tests.soak.rooms_plan import RoomsBatch, Story, make_stories, rooms_batches
from tests.soak.rooms_steps import ROOM_STEPS
from tests.soak.rooms_world import VICTIMS, RoomsWorld
from tests.waiting import until

STEPS_A_BATCH = 16
REACH_S = 45.0
"""After that more rooms are opened: what was drawn may not lead to the boundary where @salles is to die."""
TURNS = 6


@asynccontextmanager
async def world_of(folder: Path) -> AsyncIterator[tuple[RoomsWorld, RoomsPeople]]:
    """Everything up; it is kept in `folder` until the next run."""
    world = RoomsWorld(fresh(folder))
    print("the servers start …", flush=True)
    try:
        await world.start()
        people = await RoomsPeople.prepare(world)
        try:
            yield world, people
        finally:
            await people.close()
    finally:
        await world.stop()


async def at_random(ledger: Ledger, folder: Path, *, worlds: int = 1) -> None:
    """What is left of the plan: kills at random points, then a count, batch by batch, in each of so many worlds."""
    plan, done = ledger.plan, {verdict.batch for verdict in ledger.verdicts}
    batches = rooms_batches(plan["seed"], kills=plan["kills"], victims=VICTIMS, people=PEOPLE)
    left = iter([batch for batch in batches if batch.number not in done])
    async with asyncio.TaskGroup() as group:
        for number in range(1, worlds + 1):
            group.create_task(_work_off(left, ledger, folder.with_name(f"{folder.name}-{number}")))


async def _work_off(left: Iterator[RoomsBatch], ledger: Ledger, folder: Path) -> None:
    """In one world: what the others have not taken."""
    ever = 0
    async with world_of(folder) as (world, people):
        for batch in left:
            began = monotonic()
            rooms = await _strike(world, people, batch)
            ever += len(rooms)
            found = await look(people, rooms, ever)
            verdict = _judge(batch.number, len(batch.kills), rooms, found)
            ledger.add(verdict)
            _tell(world, f"killed {', '.join(kill.victim for kill in batch.kills)}", verdict, found, began)
        _by_itself(world)


async def at_steps(ledger: Ledger, folder: Path) -> None:
    """@salles dies once at each boundary, while rooms are opened and come to their ends."""
    seed, names, ever = ledger.plan["seed"], list(ROOM_STEPS), 0
    async with world_of(folder) as (world, people):
        for begin in range(len(ledger.verdicts) * STEPS_A_BATCH, len(names), STEPS_A_BATCH):
            began, number = monotonic(), begin // STEPS_A_BATCH
            where = names[begin : begin + STEPS_A_BATCH]
            rooms = await _die(world, people, where, f"roomstep{seed}x{number}")
            ever += len(rooms)
            found = await look(people, rooms, ever)
            verdict = _judge(number, len(where), rooms, found)
            ledger.add(verdict)
            _tell(world, f"died at {', '.join(where)}", verdict, found, began)
        _by_itself(world)


async def _strike(world: RoomsWorld, people: RoomsPeople, batch: RoomsBatch) -> list[Room]:
    began = monotonic()
    rooms = [Room(story) for story in batch.stories]

    async def kill(blow: Kill) -> None:
        await asyncio.sleep(began + blow.at_s - monotonic())
        await world.slay(blow.victim)

    async with asyncio.TaskGroup() as group:
        for room in rooms:
            group.create_task(_live(people, room, began))
        for blow in batch.kills:
            group.create_task(kill(blow))
    return rooms


async def _die(world: RoomsWorld, people: RoomsPeople, names: list[str], key: str) -> list[Room]:
    """Each process is started to die at its boundary; rooms are opened for as long as there is one to come to."""
    world.deaths, world.died_at = list(names), []
    draw, rooms = random.Random(key), list[Room]()

    async with asyncio.TaskGroup() as group:
        await world.slay("salles")
        for rank, name in enumerate(names):

            async def dead(deaths: int = rank + 1) -> bool:
                return len(world.died_at) >= deaths

            for turn in range(TURNS):
                for story in _some(f"{key}x{rank}x{turn}", draw):
                    rooms.append(Room(story))
                    group.create_task(_live(people, rooms[-1], monotonic()))
                if await _in_time(dead):
                    break
            assert await dead(), f"@salles never came to {name}"
    return rooms


async def _in_time(dead: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await until(dead, "@salles dies", within=REACH_S)
    except AssertionError:
        return False


def _some(key: str, draw: random.Random) -> Sequence[Story]:
    return make_stories(key, draw, count=2, people=PEOPLE, within_s=1.0)


async def _live(people: RoomsPeople, room: Room, began: float) -> None:
    await asyncio.sleep(began + room.story.at_s - monotonic())
    await people.live(room)


def _judge(number: int, kills: int, rooms: Sequence[Room], found: Found) -> Verdict:
    asked = [room.story.key for room in rooms if room.asked or room.sent_again]
    return Verdict(number, kills, len(rooms), sorted(found.lost), sorted(found.doubled), asked)


def _tell(world: RoomsWorld, what: str, verdict: Verdict, found: Found, began: float) -> None:
    print(
        f"batch {verdict.batch}: {what}; {verdict.acts} rooms, lost {len(verdict.lost)}, doubled "
        f"{len(verdict.doubled)}, in doubt {len(verdict.in_doubt)} ({monotonic() - began:.0f} s)",
        flush=True,
    )
    for word, faults in (("lost", found.lost), ("doubled", found.doubled)):
        for key, whats in faults.items():
            print(f"  {word}: {key}: {'; '.join(whats)}", flush=True)
    for key in verdict.in_doubt:
        print(f"  in doubt: {key}", flush=True)
    for line in world.trouble() if found.lost or found.doubled else ():
        print(f"  {line}", flush=True)


def _by_itself(world: RoomsWorld) -> None:
    """Say how often what is ours ended without having been killed: its supervisor then starts it again."""
    codes = [code for code in world.ended if code != -9]
    print(f"our programs ended by themselves {len(codes)} times {sorted(set(codes)) or ''}", flush=True)
