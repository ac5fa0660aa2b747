"""How one part of the bridge wakes another. It saves time only: whoever waits looks by themselves as well."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime


class Bell:
    """One a waiting part: `hush`, look, wait until it is `heard`. Rung while it looks, it is heard at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """There is something to look at."""
        self._rung.set()

    def hush(self) -> None:
        """Whatever it was rung for is looked at now."""
        self._rung.clear()

    async def heard(self, most_s: float) -> None:
        """Wait for it, at most that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._rung.wait()


def wait_for(next_at: datetime | None, now: datetime, *, least_s: float, most_s: float) -> float:
    """Seconds until `next_at` (None: nothing is due), within bounds."""
    left = most_s if next_at is None else (next_at - now).total_seconds()
    return max(min(left, most_s), least_s)
