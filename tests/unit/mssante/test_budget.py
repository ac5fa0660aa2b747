"""Nobody goes beyond what the operator allows, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from colloque.clock import monotonic
from colloque.config_mssante import BudgetConfig
from colloque_mssante.mailboxes.budget import LOGINS_AT_ONCE, Budget
from tests.waiting import until


@dataclass
class Operator:
    """Counts who is in."""

    open: int = 0
    most: int = 0
    seen: list[int] = field(default_factory=list)

    def enter(self, who: int) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        self.seen.append(who)


async def test_mailboxes_take_turns_when_there_are_more_of_them_than_places() -> None:
    budget, operator = Budget(BudgetConfig(connections=10)), Operator()
    never = asyncio.Event()

    async def mailbox(who: int) -> None:
        while True:
            async with budget.connection():
                operator.enter(who)
                try:
                    while await budget.idle(never.wait):
                        pass
                finally:
                    operator.open -= 1

    tasks = [asyncio.create_task(mailbox(who)) for who in range(200)]
    try:

        async def thrice() -> bool:
            return len(operator.seen) >= 600

        await until(thrice, "three turns each")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert operator.most == 10
    counts = [operator.seen.count(who) for who in range(200)]
    assert max(counts) - min(counts) <= 1, "first come, first served"


async def test_who_only_waits_keeps_the_place_while_nobody_needs_it() -> None:
    budget, news = Budget(BudgetConfig(connections=1)), asyncio.Event()
    async with budget.connection():
        waiting = asyncio.create_task(budget.idle(news.wait))
        await asyncio.sleep(0)
        assert not waiting.done()
        news.set()
        assert await waiting
        news.clear()
        waiting = asyncio.create_task(budget.idle(news.wait))

        async def sends() -> None:
            async with budget.sending():
                pass

        other = asyncio.create_task(sends())
        assert not await waiting, "somebody needs the place"
    await asyncio.wait_for(other, 60)


async def test_a_place_is_free_again_after_any_failure() -> None:
    budget = Budget(BudgetConfig(connections=1))

    async def broken() -> None:
        raise ConnectionError

    for _ in range(3):
        with pytest.raises(ConnectionError):
            async with budget.connection():
                await budget.idle(broken)
    blocked = asyncio.create_task(budget.idle(asyncio.Event().wait))
    await asyncio.sleep(0)
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)
    async with asyncio.timeout(60), budget.connection():
        pass


async def test_logins_and_mails_are_spread_over_time() -> None:
    budget = Budget(BudgetConfig(logins_per_minute=5, sends_per_minute=3), minute_s=0.2)
    began = monotonic()

    async def login() -> None:
        async with budget.login():
            pass

    async def send() -> None:
        async with budget.sending():
            pass

    await asyncio.gather(*(login() for _ in range(11)))
    assert monotonic() - began >= 0.4
    began = monotonic()
    await asyncio.gather(*(send() for _ in range(7)))
    assert monotonic() - began >= 0.4


def test_each_process_has_its_part_and_together_they_have_no_more() -> None:
    limits = BudgetConfig(connections=10, logins_per_minute=7, sends_per_minute=1)
    assert limits.share(1) == limits
    assert limits.share(3) == BudgetConfig(3, 2, 1)


async def test_not_all_log_in_together() -> None:
    budget, operator = Budget(BudgetConfig(logins_per_minute=1000)), Operator()

    async def login(who: int) -> None:
        async with budget.login():
            operator.enter(who)
            await asyncio.sleep(0)
            operator.open -= 1

    await asyncio.gather(*(login(who) for who in range(200)))
    assert operator.most == LOGINS_AT_ONCE
    assert operator.seen == list(range(200))
