"""What an operator lets us do at once. Everybody who works with its servers asks here; nobody is dropped.

A mailbox that only waits for mail keeps its connection for as long as nobody needs the place; then the one that has
waited longest gives way, and comes back when its turn comes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from colloque.config_mssante import BudgetConfig
from colloque.directory.throttle import Throttle

_MINUTE_S = 60.0
LOGINS_AT_ONCE = 32
"""Thousands of mailboxes that come back together would wait for each other's handshakes until all time out."""


class Budget:
    """One instance an operator. First come, first served."""

    def __init__(self, limits: BudgetConfig, *, minute_s: float = _MINUTE_S) -> None:
        """`minute_s`: how long a minute is."""
        self._places = asyncio.Semaphore(limits.connections)
        self._logins = Throttle(limits.logins_per_minute, minute_s)
        self._entering = asyncio.Semaphore(LOGINS_AT_ONCE)
        self._sends = Throttle(limits.sends_per_minute, minute_s)
        self._waiting = 0
        self._idle: dict[asyncio.Event, None] = {}
        """Who only waits for mail, the longest first, and how to ask them for their place."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        self._waiting += 1
        try:
            if self._places.locked():
                self._ask()
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def login(self) -> AsyncIterator[None]:
        """Wait for the turn to log in, and hold it until the operator has answered."""
        async with self._entering, self._logins.turn(math.inf):
            yield

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """All that one mail needs: a turn to send and to log in, and a place."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._sends.turn(math.inf))
            await stack.enter_async_context(self.connection())
            await stack.enter_async_context(self._logins.turn(math.inf))
            yield

    async def idle(self, news: Callable[[], Awaitable[object]]) -> bool:
        """Wait for `news`, while nobody needs the place; False when somebody does. Raises what `news` raises."""
        if self._waiting and self._waiting > sum(asked.is_set() for asked in self._idle):
            return False
        asked = asyncio.Event()
        self._idle[asked] = None
        told, wanted = asyncio.ensure_future(news()), asyncio.ensure_future(asked.wait())
        try:
            await asyncio.wait({told, wanted}, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                await told
            return told.done()
        finally:
            self._idle.pop(asked)
            for future in (told, wanted):
                future.cancel()
            await asyncio.gather(told, wanted, return_exceptions=True)

    def _ask(self) -> None:
        """The one that has been idle for longest gives its place."""
        first = next((asked for asked in self._idle if not asked.is_set()), None)
        if first is not None:
            first.set()
