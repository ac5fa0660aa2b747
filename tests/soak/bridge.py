"""Against the bridge alone: kills at random (`bridge`, `bridge-postgres`, `bridge-workers`), and at each boundary."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from colloque.clock import monotonic
from tests.soak.bridge_people import PEOPLE, BridgePeople
from tests.soak.bridge_world import World, fresh
from tests.soak.ledger import Ledger, Verdict
from tests.soak.plan import BRIDGE, Act, Kind, batches
from tests.soak.run import count, strike, tell
from tests.soak.steps import ANY, STEPS
from tests.waiting import until

RANDOM_POINTS = 30
FARTHEST = 40
"""The last boundary, counted from a process's start, at which a random point may lie."""
REACH_S = 90.0
"""Within that the bridge must come to the boundary where it is to die."""
STEPS_A_BATCH = 29


@asynccontextmanager
async def world_of(folder: Path, *, postgres: bool, workers: int = 0) -> AsyncIterator[tuple[World, BridgePeople]]:
    """Everything up; it is kept in `folder` until the next run."""
    world = World(fresh(folder), postgres=postgres, workers=workers)
    print("the servers start …", flush=True)
    try:
        await world.start()
        people = await BridgePeople.prepare(world)
        try:
            yield world, people
        finally:
            await people.close()
    finally:
        await world.stop()


async def at_random(ledger: Ledger, folder: Path, *, postgres: bool, workers: int = 0) -> None:
    """What is left of the plan: kills at random points, then a count, batch by batch."""
    plan = ledger.plan
    async with world_of(folder, postgres=postgres, workers=workers) as (world, people):
        left = batches(
            plan["seed"],
            kills=plan["kills"],
            victims=world.victims,
            people=PEOPLE,
            begin=len(ledger.verdicts),
            rhythm=BRIDGE,
        )
        for batch in left:
            began = monotonic()
            verdict = await strike(batch, world.slay, people)
            ledger.add(verdict)
            tell(batch, verdict, monotonic() - began)
        _by_itself(world)


async def at_steps(ledger: Ledger, folder: Path, *, postgres: bool) -> None:
    """The bridge dies once at each boundary, then at random ones; a mail and a message are under way each time."""
    seed = ledger.plan["seed"]
    draw = random.Random(seed)
    where = [*STEPS, *(f"{ANY}:{draw.randint(1, FARTHEST)}" for _ in range(RANDOM_POINTS))]
    async with world_of(folder, postgres=postgres) as (world, people):
        for begin in range(len(ledger.verdicts) * STEPS_A_BATCH, len(where), STEPS_A_BATCH):
            began, number = monotonic(), begin // STEPS_A_BATCH
            names = where[begin : begin + STEPS_A_BATCH]
            acts = await _die(world, people, names, f"step{seed}x{number}")
            verdict = await count(number, len(names), acts, people)
            ledger.add(verdict)
            _tell(names, acts, verdict, monotonic() - began)
        _by_itself(world)


async def _die(world: World, people: BridgePeople, names: list[str], key: str) -> list[Act]:
    """Each process is started to die at its boundary while it repairs what the one before left half done."""
    world.deaths, world.died_at = list(names), []
    await world.slay("bridge")
    acts: list[Act] = []
    for rank, name in enumerate(names):
        deaths = rank + 1

        async def dead(deaths: int = deaths) -> bool:
            return len(world.died_at) >= deaths

        kinds = (Kind.FILE, Kind.REPLY)
        new = [Act(f"{key}x{rank}{kind[0]}y", kind, rank % PEOPLE, 0.0) for kind in kinds]
        acts += new
        await asyncio.gather(*map(people.do, new))
        try:
            await until(dead, f"the bridge comes to {name}", within=REACH_S)
        except AssertionError:
            for line in await people.trouble(acts):
                print(f"  {line}", flush=True)
            raise
    return acts


def _by_itself(world: World) -> None:
    """Say how often what is ours ended without having been killed: its supervisor then starts it again."""
    codes = [code for code in world.ended if code != -9]
    print(f"the bridge ended by itself {len(codes)} times {sorted(set(codes)) or ''}", flush=True)


def _tell(names: list[str], acts: list[Act], verdict: Verdict, seconds: float) -> None:
    print(
        f"died at {', '.join(names)}; {verdict.acts} acts, lost {len(verdict.lost)}, "
        f"doubled {len(verdict.doubled)}, in doubt {len(verdict.in_doubt)} ({seconds:.0f} s)",
        flush=True,
    )
    for word in ("lost", "doubled", "in_doubt"):
        for key in getattr(verdict, word):
            print(f"  {word}: {key}", flush=True)
