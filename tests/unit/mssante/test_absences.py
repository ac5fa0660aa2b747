"""Who is away, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque_mssante.store.absences import Absence, Absences
from tests.unit.mssante.test_store import ANNE, BRUNO, db

__all__ = ["db"]


async def test_an_absence_ends_by_its_date_or_by_a_word(db: Database, clock: FrozenClock) -> None:
    absences = Absences(db, clock)
    await absences.put(Absence(ANNE, BRUNO, clock.now() + timedelta(days=3)))
    assert [away.user for away in await absences.current()] == [ANNE]
    assert await absences.end(ANNE)
    assert not await absences.end(ANNE)
    await absences.put(Absence(ANNE, BRUNO, clock.now() + timedelta(days=3)))
    clock.advance(days=3)
    assert await absences.current() == []
    assert await absences.told() == {"away": []}
    assert not await absences.end(ANNE), "they were back already"


async def test_a_clock_that_jumps_ahead_ends_none_for_good(db: Database, clock: FrozenClock) -> None:
    absences = Absences(db, clock)
    away = Absence(ANNE, BRUNO, clock.now() + timedelta(days=3))
    await absences.put(away)
    clock.advance(days=300)
    assert await absences.current() == []
    clock.advance(days=-300)
    assert await absences.current() == [away]


async def test_what_has_long_been_over_is_not_kept(db: Database, clock: FrozenClock) -> None:
    absences = Absences(db, clock)
    await absences.put(Absence(ANNE, BRUNO, clock.now() + timedelta(days=3)))
    clock.advance(days=404)
    await absences.current()
    assert await db.fetch("SELECT * FROM absence") == []
