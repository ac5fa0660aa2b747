"""What follows from each reason, and when an unused account is warned and closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.policy.ending import NOTICE, End, Use, unused

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
YEAR = timedelta(days=365)


def test_only_an_administrator_gives_back_what_was_taken_away() -> None:
    assert {end for end in End if end.bars} == {End.ADMIN, End.FHIR}
    assert all(end.locks for end in End if end.bars)
    assert not End.GONE.closes_sessions
    assert not End.UNUSED.locks, "a new proof reopens it"


@pytest.mark.parametrize(
    ("idle", "warned", "due"),
    [
        (334, None, Use.NOTHING),
        (335, None, Use.WARN),
        (500, None, Use.WARN),
        (364, 335, Use.NOTHING),
        (365, 335, Use.CLOSE),
        (520, 500, Use.NOTHING),
        (530, 500, Use.CLOSE),
        (3, -1, Use.USED),
    ],
)
def test_by_value(idle: int, warned: int | None, due: Use) -> None:
    """In days after the last use."""
    at = START + timedelta(days=warned) if warned is not None else None
    assert unused(START, at, START + timedelta(days=idle), YEAR) is due


@given(st.lists(st.integers(1, 60), max_size=40))
def test_nobody_is_closed_without_a_month_of_warning_whatever_the_rhythm(steps: list[int]) -> None:
    now, warned = START, None
    for days in steps:
        now += timedelta(days=days)
        due = unused(START, warned, now, YEAR)
        if due is Use.WARN:
            warned = now
        if due is Use.CLOSE:
            assert warned is not None
            assert now - warned >= NOTICE
            assert now - START >= YEAR
