"""Runs batches against one demo: acts and kills at their times, then a count."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from colloque.clock import monotonic
from tests.servers.demo import Demo
from tests.soak.house import House
from tests.soak.ledger import Ledger, Verdict, judge
from tests.soak.plan import Act, Batch, Kind
from tests.waiting import until

T = TypeVar("T")
VICTIMS = ("annuaire", "salles", "mssante", "synapse")
SETTLE_S = 180.0
END = -1
"""Number of the verdict on the rooms, which outlive their batch."""
LINGER_S = 8.0
"""Once everything has shown: time for what comes a second time."""


class People(Protocol):
    """Who acts, and what they see of it."""

    async def do(self, act: Act) -> None: ...
    async def seen(self, acts: Iterable[Act]) -> Counter[str]: ...
    async def open_again(self) -> None: ...
    async def trouble(self, acts: Iterable[Act]) -> list[str]: ...
    def doubted(self, acts: Iterable[Act]) -> list[str]: ...


async def run(left: list[Batch], ledger: Ledger, folder: Path) -> None:
    """One demo for all these batches; it is kept in `folder` until the next run."""
    shutil.rmtree(folder / "demo", ignore_errors=True)
    demo = Demo(folder / "demo")
    print("the house starts …", flush=True)
    await demo.start()
    try:
        house = await House.prepare(demo.access())
        try:
            for batch in left:
                began = monotonic()
                verdict = await strike(batch, partial(slay, demo), house)
                ledger.add(verdict)
                tell(batch, verdict, monotonic() - began)
            ledger.add(await rooms_end(left, house, demo.access()["limits"]["room_lifetime_seconds"]))
        finally:
            await house.close()
    finally:
        await demo.stop()


async def strike(batch: Batch, kill_one: Callable[[str], Awaitable[None]], house: People) -> Verdict:
    """Do the batch's acts, kill as planned, wait until the house has caught up, count."""
    began = monotonic()
    async with asyncio.TaskGroup() as group:
        for act in batch.acts:
            group.create_task(_at(began + act.at_s, house.do, act))
        for kill in batch.kills:
            group.create_task(_at(began + kill.at_s, kill_one, kill.victim))

    return await count(batch.number, len(batch.kills), batch.acts, house)


async def count(number: int, kills: int, acts: Sequence[Act], house: People) -> Verdict:
    """Wait until all has shown, and then for what comes a second time; what came of each act."""

    async def all_shown() -> bool:
        seen, doubted = await house.seen(acts), house.doubted(acts)
        return all(seen[act.key] or act.key in doubted for act in acts)

    await _in_time(all_shown, "everything shows", SETTLE_S)
    await asyncio.sleep(LINGER_S)
    await house.open_again()
    seen = await house.seen(acts)
    verdict = judge(number, kills, [a.key for a in acts], seen, house.doubted(acts))
    for line in await house.trouble(acts) if verdict.lost or verdict.doubled else ():
        print(f"  {line}", flush=True)
    return verdict


async def rooms_end(done: list[Batch], house: House, lifetime_s: float) -> Verdict:
    """Every room opened must have ended: once, and there must not be more rooms than were asked for."""
    acts = [act for batch in done for act in batch.acts if act.kind is Kind.ROOM]
    wait_s = lifetime_s + SETTLE_S

    async def all_erased() -> bool:
        told = house.ended(acts)
        return all(told[act.key] for act in acts)

    await _in_time(all_erased, "every room is erased", wait_s)
    await asyncio.sleep(LINGER_S)
    told = house.ended(acts)
    keys = [act.key for act in acts]
    if told["rooms"] > len(acts):
        keys.append("rooms")
    verdict = judge(END, 0, keys, told, [])
    print(
        f"rooms: {told['rooms']} opened for {len(acts)} asked, lost {verdict.lost}, doubled {verdict.doubled}",
        flush=True,
    )
    return verdict


async def _in_time(condition: Callable[[], Awaitable[bool]], what: str, within: float) -> None:
    """Wait; when it takes too long say so and go on: the count will tell."""
    try:
        await until(condition, what, within=within)
    except AssertionError as late:
        print(f"  {late}", flush=True)


async def slay(demo: Demo, victim: str) -> None:
    """SIGKILL to the victim as `access.json` names it now; when it is just being started again, as soon as it is."""

    async def struck() -> bool:
        try:
            os.kill(demo.service(victim)["pid"], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    await until(struck, f"{victim} lives, to be killed")


async def _at(when: float, do: Callable[[T], Awaitable[None]], what: T) -> None:
    await asyncio.sleep(when - monotonic())
    await do(what)


def tell(batch: Batch, verdict: Verdict, seconds: float) -> None:
    names = ", ".join(kill.victim for kill in batch.kills)
    print(
        f"batch {batch.number}: killed {names}; {verdict.acts} acts, lost {len(verdict.lost)}, "
        f"doubled {len(verdict.doubled)}, in doubt {len(verdict.in_doubt)} ({seconds:.0f} s)",
        flush=True,
    )
    kinds = {act.key: act.kind for act in batch.acts}
    for word in ("lost", "doubled", "in_doubt"):
        for key in getattr(verdict, word):
            print(f"  {word}: {kinds[key]} {key}", flush=True)
