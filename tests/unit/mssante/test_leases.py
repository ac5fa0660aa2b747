"""Who works for which mailbox, the same on SQLite and PostgreSQL: one at a time, and each their share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from mautrix.util.async_db import Database, Scheme

from colloque.identity import MssanteAddress
from colloque_mssante.store import leases as module
from colloque_mssante.store.leases import Leases, NotHeld
from tests.unit.mssante.test_store import BOX, db
from tests.waiting import until

__all__ = ["db"]

BOXES = {MssanteAddress(f"box{number}@medecin.mssante.test") for number in range(60)}


async def _take(leases: Leases, wanted: Iterable[MssanteAddress] = BOXES) -> set[MssanteAddress]:
    taken = await leases.take(set(wanted))
    leases.keep(taken)
    return taken


async def _born(db: Database, name: str, lease_s: float = 60.0) -> Leases:
    made = Leases(db, name, lease_s=lease_s)
    assert not made.lives
    assert not await made.beat()
    assert made.lives
    return made


async def _fall_silent(db: Database, leases: Leases) -> None:
    """As if its process had been stopped for longer than a lease."""
    await db.execute("UPDATE worker SET until = 0 WHERE name = $1", leases._name)


async def test_alone_it_holds_everything(db: Database) -> None:
    one = await _born(db, "1")
    assert await _take(one) == BOXES
    assert await _take(one) == set()
    assert all(one.holds(box) for box in BOXES)
    assert not one.holds(BOX)
    assert one.count == len(BOXES)
    for box in BOXES:
        await one.check(box)
    with pytest.raises(NotHeld):
        await one.check(BOX)


async def test_what_is_taken_is_held_once_it_is_settled(db: Database) -> None:
    one = await _born(db, "1")
    taken = await one.take({BOX})
    assert taken == {BOX}
    assert not one.holds(BOX)
    assert await one.take({BOX}) == {BOX}
    one.keep(taken)
    assert one.holds(BOX)


async def test_three_share_and_nothing_is_held_twice(db: Database) -> None:
    three = [await _born(db, name) for name in "123"]
    for each in three:
        await _take(each)
    held = [{box for box in BOXES if each.holds(box)} for each in three]
    assert set().union(*held) == BOXES
    assert sum(map(len, held)) == len(BOXES)
    assert min(map(len, held)) >= len(BOXES) // 6


async def test_who_comes_later_gets_its_share_when_it_is_left(db: Database) -> None:
    one = await _born(db, "1")
    await _take(one)
    two = await _born(db, "2")
    assert await _take(two) == set()
    await _take(one)
    left = one.leaving
    assert 0 < len(left) < len(BOXES)
    assert not any(one.holds(box) for box in left)
    for box in left:
        await one.check(box)  # what is under way may end
        await one.let_go(box)
    assert one.leaving == frozenset()
    assert await _take(two) == left
    assert all(two.holds(box) for box in left)


async def test_who_is_silent_loses_everything_and_knows_it_when_it_wakes(db: Database) -> None:
    one, two = await _born(db, "1"), await _born(db, "2")
    await _take(one)
    await _take(two)
    mine = {box for box in BOXES if one.holds(box)}
    await _fall_silent(db, one)
    assert await _take(two) == mine
    for box in mine:
        with pytest.raises(NotHeld):
            await one.check(box)
    assert not await one.beat()
    assert one.count == 0
    await _take(one)
    await _take(two)
    assert two.leaving == mine  # it lives again: its share is to come back


async def test_who_was_silent_writes_nothing_although_nobody_took_over(db: Database) -> None:
    one = await _born(db, "1")
    await _take(one, {BOX})
    await _fall_silent(db, one)
    with pytest.raises(NotHeld):
        await one.check(BOX)
    assert not await one.beat()
    assert await _take(one, {BOX}) == {BOX}
    await one.check(BOX)


async def test_who_does_not_beat_is_over_by_the_databases_clock_and_by_its_own(db: Database) -> None:
    one, two = Leases(db, "1", lease_s=0.2), await _born(db, "2")
    await one.beat()  # not `_born`: on a slow disk its lease may be over before it is asked
    box = _ones()
    await _take(one, {box})

    async def taken() -> bool:
        await _take(two, {box})
        return two.holds(box)

    await until(taken, "the lease to end")
    assert not one.lives
    assert not one.holds(box)


async def test_started_again_it_has_its_mailboxes_at_once(db: Database) -> None:
    before = await _born(db, "1")
    await _take(before)
    after = await _born(db, "1")
    assert await _take(after) == BOXES
    with pytest.raises(NotHeld):
        await before.check(next(iter(BOXES)))


async def test_at_a_stop_others_have_them_at_once(db: Database) -> None:
    one, two = await _born(db, "1"), await _born(db, "2")
    await _take(one)
    await _take(two)
    await one.end()
    assert one.count == 0
    await _take(two)
    assert two.count == len(BOXES)
    assert await two.living() == ["2"]


async def test_what_is_written_within_is_written_before_others_take_over(db: Database) -> None:
    if db.scheme is Scheme.SQLITE:
        return  # one writer at a time, whatever it does
    one, two, box = await _born(db, "1"), await _born(db, "2"), _ones()
    await _take(one, {box})
    async with one.holding(box):
        await _fall_silent_elsewhere(db, one)
        taking = asyncio.create_task(_take(two, {box}))
        await asyncio.sleep(0.3)  # it waits for us: there is no condition to wait for
        assert not taking.done()
    assert await taking == {box}


def _ones() -> MssanteAddress:
    """A mailbox that `1` should have while `2` lives."""
    return next(box for box in sorted(BOXES, key=str) if module._chosen(["1", "2"], box) == "1")


async def _fall_silent_elsewhere(db: Database, leases: Leases) -> None:
    """By another connection: within a transaction, this task has one of its own."""
    await asyncio.create_task(_fall_silent(db, leases))


async def test_a_failure_within_writes_nothing(db: Database) -> None:
    one = await _born(db, "1")
    await _take(one, {BOX})

    async def fail() -> None:
        async with one.holding(BOX):
            await db.execute("DELETE FROM lease")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    await one.check(BOX)
