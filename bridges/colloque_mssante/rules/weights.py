"""Big mails take turns: only so many of their bytes stand in this process's memory at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LIGHT = 1 << 20
"""Bytes of a mail that waits for nobody."""
_MOST = 32 << 20
"""A mail of 25 MB at a time, or several smaller ones; what a driver and a parser make of them comes on top."""


class Weights:
    """For all that hold mails at the same time. First come, first served; what is heavier than all goes alone."""

    def __init__(self, most: int = _MOST, light: int = LIGHT) -> None:
        self._most = most
        self._light = light
        self._borne = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def bearing(self, size: int) -> AsyncIterator[None]:
        """Within it, a mail of `size` bytes may stand in memory."""
        if size < self._light:
            yield
            return
        weight = min(size, self._most)
        await self._take(weight)
        try:
            yield
        finally:
            self._borne -= weight
            self._go_on()

    async def _take(self, weight: int) -> None:
        if not self._waiting and self._borne + weight <= self._most:
            self._borne += weight
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((weight, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._borne -= weight
            else:
                self._waiting = deque(each for each in self._waiting if each[1] is not turn)
            self._go_on()
            raise

    def _go_on(self) -> None:
        while self._waiting and self._borne + self._waiting[0][0] <= self._most:
            weight, turn = self._waiting.popleft()
            if not turn.done():
                self._borne += weight
                turn.set_result(None)
