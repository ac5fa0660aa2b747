"""Wait for a condition with a deadline; never sleep and hope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[T | None]], what: str, *, within: float = 60.0) -> T:
    """Ask `condition` again and again until its answer is truthy; that answer. Raises AssertionError naming `what`."""
    end = time.monotonic() + within
    while not (answer := await condition()):
        assert time.monotonic() < end, f"not within {within} s: {what}"
        await asyncio.sleep(0.05)
    return answer
