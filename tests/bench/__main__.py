"""`python -m tests.bench [NAME…]`: run the benches, print a table, write `.bench/results.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import (
    bridge_idle,
    bridge_inbound,
    bridge_time,
    demo,
    directory_import,
    directory_lookup,
    directory_search,
    mail_fetch,
    module,
    revocation,
    rooms_erase,
    rooms_marks,
    rooms_sweep,
    sends,
)
from tests.bench.result import Result

OUT = Path(".bench") / "results.json"
Found = Result | tuple[Result, ...]
BENCHES: dict[str, Callable[[], Awaitable[Found]]] = {
    "bot-send": sends.bot_send,
    "ghost-send": sends.ghost_send,
    "bridge-fetch": mail_fetch.fetch,
    "bridge-idle": bridge_idle.idle,
    "bridge-inbound": bridge_inbound.inbound,
    "bridge-time": bridge_time.inward,
    "bridge-time-out": bridge_time.outward,
    "demo-start": demo.start,
    "demo-memory": demo.memory,
    "directory-by-rpps-p99": directory_lookup.by_rpps,
    "directory-by-mssante-p99": directory_lookup.by_mssante,
    "directory-import": directory_import.whole,
    "directory-import-bare": directory_import.bare,
    "directory-import-memory": directory_import.memory,
    "directory-reimport": directory_import.again,
    "directory-swap-p99": directory_import.swap,
    "directory-search-p95": directory_search.p95,
    "directory-search-missed": directory_search.missed,
    "directory-search-unfit": directory_search.unfit,
    "directory-search-unreached": directory_search.unreached,
    "module-send-2": module.send(2),
    "module-send-400": module.send(400),
    "module-added-ms-400": module.added,
    "module-state-400": module.state,
    "admission-p99": module.decision,
    "module-memory": module.memory,
    "revocation-50-rooms": revocation.out_of_rooms,
    "rooms-erase-sqlite": rooms_erase.erase("sqlite"),
    "rooms-erase-postgres": rooms_erase.erase("postgres"),
    "rooms-marks-sqlite": rooms_marks.marks("sqlite"),
    "rooms-marks-postgres": rooms_marks.marks("postgres"),
    "rooms-sweep-sqlite": rooms_sweep.once("sqlite"),
    "rooms-sweep-postgres": rooms_sweep.once("postgres"),
    "rooms-lag-sqlite": rooms_sweep.lag("sqlite"),
    "rooms-lag-postgres": rooms_sweep.lag("postgres"),
}


def main() -> int:
    """Exit code 1 when a goal is missed for sure; undecided is not a miss."""
    parser = argparse.ArgumentParser(prog="make bench ONLY=", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all of them without: {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := sorted({*names} - {*BENCHES}):
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    results = [found for name in names for found in run(name)]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([r.as_json() for r in results], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    show(results)
    return 1 if any(r.met is False for r in results) else 0


def run(name: str) -> tuple[Result, ...]:
    """One bench, which may find several things at once."""
    print(f"{name} …", flush=True)

    async def bench() -> Found:
        return await BENCHES[name]()

    found = asyncio.run(bench())
    return found if isinstance(found, tuple) else (found,)


def show(results: list[Result]) -> None:
    """The table."""
    table = Table("name", "value", "95 % interval", "unit", "goal", "met", "peer")
    for r in results:
        interval = "–".join(f"{end:g}" for end in r.interval)
        table.add_row(r.name, f"{r.value:g}", interval, r.unit, r.goal, str(r.met).lower(), r.peer)
    Console().print(table)
    print(f"written to {OUT}")


if __name__ == "__main__":
    sys.exit(main())
