"""Answers are kept for a while, and asked for once for all who wait."""

from __future__ import annotations

import asyncio

import pytest

from colloque.directory.memo import Memo
from colloque.errors import Temporary
from tests.waiting import until


class Source:
    def __init__(self) -> None:
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return number


async def test_kept_until_its_time_is_over() -> None:
    source = Source()
    kept: Memo[str, int] = Memo(60, 10)
    assert [await kept.get("a", source), await kept.get("a", source)] == [1, 1]
    assert await kept.get("a", source, fresh=True) == 2
    assert await kept.get("a", source) == 2
    short: Memo[str, int] = Memo(0, 10)
    assert [await short.get("a", source), await short.get("a", source)] == [3, 4]


async def test_the_least_used_goes_first() -> None:
    source = Source()
    memo: Memo[str, int] = Memo(60, 2)
    for key in ("a", "b", "a", "c"):
        await memo.get(key, source)
    assert await memo.get("a", source) == 1
    assert await memo.get("b", source) == 4


async def test_errors_reach_all_who_wait_and_are_not_kept() -> None:
    source, memo = Source(), Memo[str, int](60, 10)
    source.error = Temporary()
    source.open.clear()
    waiting = [asyncio.create_task(memo.get("a", source)) for _ in range(3)]
    await asyncio.sleep(0)
    source.open.set()
    assert all(isinstance(e, Temporary) for e in await asyncio.gather(*waiting, return_exceptions=True))
    assert source.calls == 1
    source.error = None
    assert await memo.get("a", source) == 2


async def test_who_waits_is_served_though_others_give_up() -> None:
    source, memo = Source(), Memo[str, int](60, 10)
    source.open.clear()
    first, second = (asyncio.create_task(memo.get("a", source)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.open.set()
    assert await second == 1


async def test_when_all_give_up_the_question_is_dropped() -> None:
    source, memo = Source(), Memo[str, int](60, 10)
    source.open.clear()
    only = asyncio.create_task(memo.get("a", source))
    await asyncio.sleep(0)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    source.open.set()
    assert await memo.get("a", source) == 2


async def test_an_older_answer_never_replaces_a_fresher_one() -> None:
    source, memo = Source(), Memo[str, int](60, 10)
    source.open.clear()
    slow = asyncio.create_task(memo.get("a", source))

    async def asked() -> bool:
        return source.calls == 1

    await until(asked, "the slow question is asked")
    quick = Source()
    quick.calls = 10
    assert await memo.get("a", quick, fresh=True) == 11
    source.open.set()
    assert await slow == 1
    assert await memo.get("a", source) == 11
