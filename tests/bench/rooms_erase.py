"""How long erasures take, verified and receipted, against Synapse's bare deletion of as many like rooms.

Both in turn on the same server, batch by batch. Ours are moved as sweeps move them, all of a batch together; the
pause of a minute between two sweeps is not counted. Theirs are deleted one at a time.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from colloque.clock import monotonic
from tests.bench.paired import compare
from tests.bench.result import Goal, Result, result
from tests.bench.rooms_place import EVENTS, FILES, Full, Place, place

ROOMS = int(os.environ.get("ROOMS", "200"))
"""Of either side: `make bench ONLY=rooms-erase-sqlite ROOMS=20` takes a tenth of the time."""
PAIRS = 10
GOAL = Goal(1.5)


def erase(database: str) -> Callable[[], Awaitable[Result]]:
    """The ratio of the times."""

    async def run() -> Result:
        size = max(1, ROOMS // PAIRS)
        async with place(database) as found:
            pairs = [await _pair(found, size, ours_first=bool(turn % 2)) for turn in range(PAIRS)]
            serial, _ = await found.jobs.last()
        assert serial == size * PAIRS, "a room has no receipt"
        compared = compare(pairs, size)
        # `compare` takes seconds and tells milliseconds.
        print(
            f"{database}: {size * PAIRS} rooms of {EVENTS} events and {FILES} files each: {compared.ours_ms:.0f} ms a "
            f"room with its receipt, bare deletion {compared.peer_ms:.0f} ms; load {os.getloadavg()[0]:.1f}"
        )
        return result(
            f"rooms-erase-{database}",
            compared.ratio,
            f"time of {size * PAIRS} erasures, ours / bare",
            GOAL,
            peer="Synapse's deletion of the room, then of its media, one at a time, same server",
            interval=(compared.low, compared.high),
        )

    return run


async def _pair(found: Place, size: int, *, ours_first: bool) -> tuple[float, float]:
    ours, theirs = [await found.fill() for _ in range(size)], [await found.fill() for _ in range(size)]
    for full in ours:
        await found.follow(full)
    if ours_first:
        mine = await _timed(found.erase, ours)
        return mine, await _timed(found.delete, theirs)
    bare = await _timed(found.delete, theirs)
    return await _timed(found.erase, ours), bare


async def _timed(work: Callable[[list[Full]], Awaitable[None]], rooms: list[Full]) -> float:
    began = monotonic()
    await work(rooms)
    return monotonic() - began
