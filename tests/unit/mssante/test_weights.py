"""Big mails take turns in memory: in their order, never more than there is room for, whatever is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from colloque_mssante.rules.weights import Weights


class Scale:
    """What stands in memory at the same time, and in which order it came."""

    def __init__(self) -> None:
        self.weights = Weights(most=10, light=2)
        self.now = self.most = 0
        self.came: list[int] = []
        self.doors: dict[int, asyncio.Event] = {}

    def bear(self, size: int) -> asyncio.Task[None]:
        self.doors[size] = asyncio.Event()
        return asyncio.create_task(self._bear(size))

    async def _bear(self, size: int) -> None:
        async with self.weights.bearing(size):
            self.came.append(size)
            self.now += size
            self.most = max(self.most, self.now)
            await self.doors[size].wait()
            self.now -= size

    async def settle(self) -> list[int]:
        for _ in range(5):
            await asyncio.sleep(0)
        return self.came


@pytest.fixture
def scale() -> Scale:
    return Scale()


async def test_in_their_order_and_never_too_many(scale: Scale) -> None:
    tasks = [scale.bear(size) for size in (6, 5, 4, 3)]
    assert await scale.settle() == [6], "4 would fit beside 6, and came after 5"
    scale.doors[6].set()
    assert await scale.settle() == [6, 5, 4]
    for door in scale.doors.values():
        door.set()
    await asyncio.gather(*tasks)
    assert (scale.came, scale.most) == ([6, 5, 4, 3], 9)


async def test_a_light_one_waits_for_nobody(scale: Scale) -> None:
    tasks = [scale.bear(size) for size in (10, 9, 1)]
    assert await scale.settle() == [10, 1]
    for door in scale.doors.values():
        door.set()
    await asyncio.gather(*tasks)


async def test_what_is_heavier_than_all_goes_alone(scale: Scale) -> None:
    tasks = [scale.bear(size) for size in (50, 3)]
    assert await scale.settle() == [50]
    scale.doors[50].set()
    assert await scale.settle() == [50, 3]
    scale.doors[3].set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("granted", [False, True])
async def test_who_is_cancelled_leaves_the_place_to_the_next(scale: Scale, granted: bool) -> None:
    first, second, third = (scale.bear(size) for size in (8, 7, 6))
    await scale.settle()
    if granted:
        scale.doors[8].set()
        await first
    second.cancel()
    if not granted:
        scale.doors[8].set()
    assert 6 in await scale.settle()
    scale.doors[6].set()
    await third
    last = scale.bear(10)
    assert 10 in await scale.settle(), "nothing is taken for ever"
    scale.doors[10].set()
    await last
