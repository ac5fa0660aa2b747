"""So many calls in so many seconds, for all callers together, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque

from colloque.clock import monotonic
from colloque.errors import Temporary

MARGIN_S = 0.05
"""Added to the window: calls that leave well apart may arrive closer together."""


class Throttle:
    """At most `calls` in any `per_s` seconds. Waiting callers keep their order; one that gives up costs nothing."""

    def __init__(self, calls: int, per_s: float = 1.0) -> None:
        self._window_s = per_s + MARGIN_S
        self._times: deque[float] = deque(maxlen=calls)
        self._closed_until = 0.0
        self._queue = asyncio.Lock()

    async def turn(self, within_s: float) -> None:
        """Wait for a turn. Raises Temporary, with the delay, when a pause asked for lasts longer than `within_s`.

        Waiting in the queue itself is not bounded: it moves at the pace agreed.
        """
        async with self._queue:
            end = monotonic() + within_s
            while (wait := self._due() - monotonic()) > 0:
                if self._closed_until > end:
                    raise Temporary("a pause was asked for", self._closed_until - monotonic())
                await asyncio.sleep(wait)
            self._times.append(monotonic())

    def pause(self, seconds: float) -> None:
        """Nobody goes for that long: the other side asked for it. A shorter pause never shortens a longer one."""
        self._closed_until = max(self._closed_until, monotonic() + seconds)

    def _due(self) -> float:
        full = len(self._times) == self._times.maxlen
        return max(self._closed_until, self._times[0] + self._window_s if full else 0.0)
