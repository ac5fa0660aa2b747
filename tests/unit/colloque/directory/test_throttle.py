"""The pace is kept, in order, and a caller that gives up takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from colloque.clock import monotonic
from colloque.directory import throttle as module
from colloque.directory.throttle import MARGIN_S, Throttle
from colloque.errors import Temporary


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """A clock that moves only while somebody sleeps: what is waited for is exact, however busy the machine is."""
    at, let_others = 1000.0, asyncio.sleep

    async def sleep(seconds: float) -> None:
        nonlocal at
        await let_others(0)
        at += seconds

    monkeypatch.setattr(module, "monotonic", lambda: at)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return lambda: at


async def _go(throttle: Throttle, within_s: float = 10) -> None:
    async with throttle.turn(within_s):
        pass


async def test_never_more_than_agreed_in_any_window(now: Callable[[], float]) -> None:
    throttle = Throttle(5, 0.1)
    times: list[float] = []

    async def go() -> None:
        async with throttle.turn(10):
            times.append(now())

    await asyncio.gather(*(go() for _ in range(23)))
    assert all(later - earlier >= 0.1 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] - times[0] == pytest.approx(4 * (0.1 + MARGIN_S)), "nor fewer"


async def test_a_call_that_arrives_late_counts_until_its_answer() -> None:
    throttle = Throttle(2, 0.1)
    arrivals: list[float] = []

    async def go(on_the_way_s: float) -> None:
        async with throttle.turn(10):
            await asyncio.sleep(on_the_way_s)
            arrivals.append(monotonic())

    await asyncio.gather(*(go(0.15 if number < 2 else 0) for number in range(6)))
    assert all(later - earlier >= 0.1 for earlier, later in zip(arrivals, arrivals[2:], strict=False))


async def test_first_come_first_served() -> None:
    throttle = Throttle(1, 0.02)
    order: list[int] = []

    async def go(number: int) -> None:
        async with throttle.turn(10):
            order.append(number)

    await asyncio.gather(*(go(number) for number in range(6)))
    assert order == list(range(6))


async def test_giving_up_costs_no_turn(now: Callable[[], float]) -> None:
    throttle = Throttle(1, 0.2)
    await _go(throttle)
    began = now()
    quitters = [asyncio.create_task(_go(throttle)) for _ in range(20)]
    last = asyncio.create_task(_go(throttle))
    await asyncio.sleep(0)
    for task in quitters:
        task.cancel()
    await last
    assert now() - began == pytest.approx(0.2 + MARGIN_S)


async def test_a_pause_holds_everybody_and_is_never_shortened() -> None:
    throttle = Throttle(100)
    began = monotonic()
    throttle.pause(0.2)
    throttle.pause(0.01)
    await asyncio.gather(_go(throttle), _go(throttle))
    assert monotonic() - began >= 0.2


async def test_a_pause_longer_than_patience_is_told() -> None:
    throttle = Throttle(100)
    throttle.pause(60)
    with pytest.raises(Temporary) as waits:
        await _go(throttle, 5)
    assert waits.value.retry_after_s == pytest.approx(60, abs=1)
