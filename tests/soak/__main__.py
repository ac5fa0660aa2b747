"""`python -m tests.soak NAME --kills N [--seed S]`: exit 1 when anything was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from tests.soak import bridge, rooms
from tests.soak.house import PEOPLE
from tests.soak.ledger import Ledger
from tests.soak.plan import batches
from tests.soak.run import END, VICTIMS, run

FOLDER = Path(".soak").absolute()


async def _house(ledger: Ledger, folder: Path) -> None:
    done = sum(verdict.batch != END for verdict in ledger.verdicts)
    plan = ledger.plan
    left = batches(plan["seed"], kills=plan["kills"], victims=VICTIMS, people=PEOPLE, begin=done)
    if left:
        await run(left, ledger, folder.parent)


SOAKS: dict[str, Callable[[Ledger, Path], Coroutine[Any, Any, None]]] = {
    "house": _house,
    "bridge": partial(bridge.at_random, postgres=False),
    "bridge-postgres": partial(bridge.at_random, postgres=True),
    "bridge-workers": partial(bridge.at_random, postgres=True, workers=3),
    "bridge-steps": partial(bridge.at_steps, postgres=False),
    "rooms": rooms.at_random,
    "rooms-steps": rooms.at_steps,
}


def main() -> int:
    """Run what is left of the plan, print the totals."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("only", choices=SOAKS)
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=1, help="rooms: so many worlds, each with batches of its own")
    asked = parser.parse_args()
    if asked.worlds != 1 and (asked.only != "rooms" or asked.worlds < 1):
        parser.error("--worlds is for the rooms' soak, and at least 1")
    # As ^C: what was started is stopped. A shell starts what runs in the background with ^C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    FOLDER.mkdir(exist_ok=True)
    plan = {"only": asked.only, "kills": asked.kills, "seed": asked.seed}
    ledger = Ledger.open(FOLDER / f"{asked.only}-{asked.seed}.json", plan)
    if ledger.verdicts:
        print(f"going on after {len(ledger.verdicts)} batches")
    soak = partial(rooms.at_random, worlds=asked.worlds) if asked.only == "rooms" else SOAKS[asked.only]
    asyncio.run(soak(ledger, FOLDER / ("demo" if asked.only == "house" else asked.only)))
    total = ledger.totals()
    ledger.close()
    print(
        f"{total['kills']} kills, {total['acts']} acts: "
        f"lost {total['lost']}, doubled {total['doubled']}, in doubt {total['in_doubt']}"
    )
    return 1 if total["lost"] + total["doubled"] else 0


if __name__ == "__main__":
    sys.exit(main())
