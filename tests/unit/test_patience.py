"""Trying again ends, and only what may work later is tried again."""

from __future__ import annotations

import asyncio

import pytest

from colloque import patience
from colloque.errors import HomeRefused, HomeUnavailable, MailDeferred
from colloque.patience import patiently


class Shaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def test_it_tries_until_it_works() -> None:
    shaky = Shaky(HomeUnavailable(), MailDeferred())
    assert await patiently(shaky, for_s=10, first_s=0.001) == "done"
    assert shaky.calls == 3


async def test_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(patience, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    shaky = Shaky(*(HomeUnavailable() for _ in range(1000)))
    with pytest.raises(HomeUnavailable):
        await patiently(shaky, for_s=10, first_s=2, most_s=2)
    assert shaky.calls == 5  # four pauses of 2 to 2.5 s
    assert 8 <= now - 1000 <= 10


async def test_a_delay_longer_than_the_time_left_ends_it_at_once() -> None:
    shaky = Shaky(HomeUnavailable(retry_after_s=100))
    with pytest.raises(HomeUnavailable):
        await patiently(shaky, for_s=5)
    assert shaky.calls == 1


async def test_final_errors_are_not_tried_again() -> None:
    shaky = Shaky(HomeRefused(403, "M_FORBIDDEN"))
    with pytest.raises(HomeRefused):
        await patiently(shaky, for_s=5)
    assert shaky.calls == 1
