"""`python -m tests.soak house --kills N [--seed S]`: exit 1 when anything was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.soak.house import PEOPLE
from tests.soak.ledger import Ledger
from tests.soak.plan import batches
from tests.soak.run import END, VICTIMS, run

FOLDER = Path(".soak").absolute()


def main() -> int:
    """Run what is left of the plan, print the totals."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("only", choices=["house"])
    parser.add_argument("--kills", type=int, default=9)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    plan = {"only": asked.only, "kills": asked.kills, "seed": asked.seed}
    ledger = Ledger.open(FOLDER / f"{asked.only}-{asked.seed}.json", plan)
    done = sum(verdict.batch != END for verdict in ledger.verdicts)
    if done:
        print(f"going on after {done} batches")
    left = batches(asked.seed, kills=asked.kills, victims=VICTIMS, people=PEOPLE, begin=done)
    if left:
        asyncio.run(run(left, ledger, FOLDER))
    total = ledger.totals()
    ledger.close()
    print(
        f"{total['kills']} kills, {total['acts']} acts: "
        f"lost {total['lost']}, doubled {total['doubled']}, in doubt {total['in_doubt']}"
    )
    return 1 if total["lost"] + total["doubled"] else 0


if __name__ == "__main__":
    sys.exit(main())
