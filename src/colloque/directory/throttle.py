"""So many calls in so many seconds, for all callers together, first come first served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from colloque.clock import monotonic
from colloque.errors import Temporary

MARGIN_S = 0.05
"""Added to the window: the other side's clock is not ours."""


class Throttle:
    """At most `calls` in any `per_s` seconds. Waiting callers keep their order; one that gives up costs nothing.

    A call counts from its departure until `per_s` after its answer: it arrives somewhere in between, late when a
    connection has to be opened first, and the other side counts arrivals.
    """

    def __init__(self, calls: int, per_s: float = 1.0) -> None:
        self._window_s = per_s + MARGIN_S
        self._free_from: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()
        for _ in range(calls):
            self._free_from.put_nowait(0.0)
        self._closed_until = 0.0
        self._queue = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, within_s: float) -> AsyncIterator[None]:
        """Wait for a turn, and hold it. Raises Temporary, with the delay, when a pause asked for outlasts `within_s`.

        Waiting in the queue itself is not bounded: it moves at the pace agreed.
        """
        async with self._queue:
            await self._wait(await self._free_from.get(), monotonic() + within_s)
        try:
            yield
        finally:
            self._free_from.put_nowait(monotonic() + self._window_s)

    async def _wait(self, free_from: float, end: float) -> None:
        try:
            while (wait := max(free_from, self._closed_until) - monotonic()) > 0:
                if self._closed_until > end:
                    raise Temporary("a pause was asked for", self._closed_until - monotonic())
                await asyncio.sleep(wait)
        except BaseException:
            self._free_from.put_nowait(free_from)
            raise

    def pause(self, seconds: float) -> None:
        """Nobody goes for that long: the other side asked for it. A shorter pause never shortens a longer one."""
        self._closed_until = max(self._closed_until, monotonic() + seconds)
