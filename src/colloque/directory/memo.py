"""Answers kept for a while, and one question at a time for each key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from colloque.clock import monotonic

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Flight(Generic[V]):
    task: asyncio.Task[V]
    waiting: int = 0


class Memo(Generic[K, V]):
    """At most `size` answers, in memory, each for `ttl_s` seconds; the least used goes first. Errors are not kept."""

    def __init__(self, ttl_s: float, size: int) -> None:
        self._ttl_s = ttl_s
        self._size = size
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._flights: dict[K, _Flight[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[V]], *, fresh: bool = False) -> V:
        """The answer kept for `key`, or else that of `ask`, asked once for all who wait for it.

        `fresh`: one asked for from now on; an answer kept, or under way, does not do. Raises what `ask` raises.
        """
        if not fresh and (kept := self._kept.get(key)) is not None and monotonic() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        flight = None if fresh else self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(self._fly(key, ask)))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _fly(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        answer = await ask()
        flight = self._flights.get(key)
        if flight is None or flight.task is not asyncio.current_task():
            return answer  # a fresher one is under way
        self._kept[key] = (monotonic() + self._ttl_s, answer)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return answer
