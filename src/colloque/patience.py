"""Trying again, done once: with growing pauses, for a bounded time, and only what may work later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from colloque.clock import monotonic
from colloque.errors import Temporary

T = TypeVar("T")


async def patiently(
    attempt: Callable[[], Awaitable[T]], *, for_s: float, first_s: float = 0.25, most_s: float = 15.0
) -> T:
    """The answer of `attempt`, called again after each Temporary error until `for_s` seconds have passed.

    The pause doubles from `first_s` to `most_s`, each up to a quarter longer so that callers who failed together don't
    come back together; the other side's own `retry_after_s` counts when it is longer.
    Raises the last Temporary error when time is up, and any other error at once.
    """
    end = monotonic() + for_s
    pause = first_s
    while True:
        try:
            return await attempt()
        except Temporary as error:
            wait = max(pause * (1 + random.random() / 4), error.retry_after_s or 0.0)  # noqa: S311 - no secret
            if monotonic() + wait > end:
                raise
        await asyncio.sleep(wait)
        pause = min(pause * 2, most_s)
