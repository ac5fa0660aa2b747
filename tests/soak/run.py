"""Runs batches against one demo: acts and kills at their times, then a count."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable
from pathlib import Path

from colloque.clock import monotonic
from tests.servers.demo import Demo
from tests.soak.house import House
from tests.soak.ledger import Ledger, Verdict, judge
from tests.soak.plan import Batch, Kill
from tests.waiting import until

VICTIMS = ("annuaire", "salles", "mssante", "synapse")
SETTLE_S = 180.0
LINGER_S = 8.0
"""Once everything has shown: time for what comes a second time."""


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
                verdict = await strike(batch, demo, house)
                ledger.add(verdict)
                _tell(batch, verdict, monotonic() - began)
        finally:
            await house.close()
    finally:
        await demo.stop()


async def strike(batch: Batch, demo: Demo, house: House) -> Verdict:
    """Do the batch's acts, kill as planned, wait until the house has caught up, count."""
    began = monotonic()
    async with asyncio.TaskGroup() as group:
        for act in batch.acts:
            group.create_task(_at(began + act.at_s, house.do(act)))
        for kill in batch.kills:
            group.create_task(_at(began + kill.at_s, slay(kill, demo)))

    async def all_shown() -> bool:
        seen, doubted = await house.seen(batch.acts), house.doubted(batch.acts)
        return all(seen[act.key] or act.key in doubted for act in batch.acts)

    try:
        await until(all_shown, "everything shows", within=SETTLE_S)
    except AssertionError as late:
        print(f"  {late}", flush=True)
    await asyncio.sleep(LINGER_S)
    seen = await house.seen(batch.acts)
    return judge(batch.number, len(batch.kills), [a.key for a in batch.acts], seen, house.doubted(batch.acts))


async def slay(kill: Kill, demo: Demo) -> None:
    """SIGKILL to the victim as `access.json` names it now; when it is just being started again, as soon as it is."""

    async def struck() -> bool:
        try:
            os.kill(demo.service(kill.victim)["pid"], signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    await until(struck, f"{kill.victim} lives, to be killed")


async def _at(when: float, act: Awaitable[None]) -> None:
    await asyncio.sleep(when - monotonic())
    await act


def _tell(batch: Batch, verdict: Verdict, seconds: float) -> None:
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
