"""When a phone may be asked, and at which hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from colloque.errors import BadInput
from colloque_mssante.rules.opening_rules import PER_HOUR, Why, is_hour, may_ask, read_hours

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""10:00 in Paris."""


def ago(**delta: float) -> datetime:
    return NOW - timedelta(**delta)


@pytest.mark.parametrize(
    ("asked", "why", "may"),
    [
        ([], Why.WROTE, True),
        ([ago(minutes=9)], Why.WROTE, False),
        ([ago(minutes=10)], Why.WROTE, True),
        ([ago(seconds=5)], Why.BID, True),
        ([ago(seconds=5)], Why.HOUR, True),
        ([ago(minutes=n) for n in range(PER_HOUR)], Why.BID, False),
        ([ago(minutes=n) for n in range(PER_HOUR)], Why.HOUR, False),
        ([ago(minutes=60 + n) for n in range(PER_HOUR)], Why.BID, True),
    ],
)
def test_a_phone_is_asked_so_often(asked: list[datetime], why: Why, may: bool) -> None:
    assert may_ask(asked, why, NOW) is may


@pytest.mark.parametrize(
    ("hours", "asked", "due"),
    [
        ([time(10)], [], True),
        ([time(9, 31)], [], True),
        ([time(9, 30)], [], False),
        ([time(10, 1)], [], False),
        ([time(9)], [], False),
        ([time(9, 45)], [ago(minutes=15)], False),
        ([time(9, 45)], [ago(minutes=16)], True),
        ([time(7), time(10)], [ago(hours=3)], True),
        ([], [], False),
    ],
)
def test_an_hour_is_of_paris_and_asks_once(hours: list[time], asked: list[datetime], due: bool) -> None:
    assert is_hour(hours, asked, NOW) is due


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("7:30 13:45", [time(7, 30), time(13, 45)]),
        ("13h45, 7h30", [time(7, 30), time(13, 45)]),
        ("8h et 8:00", [time(8)]),
        ("22", [time(22)]),
        ("6:00", [time(6)]),
        ("Non", []),
    ],
)
def test_hours_are_read(typed: str, read: list[time]) -> None:
    assert list(read_hours(typed)) == read


@pytest.mark.parametrize("typed", ["3:00", "5:59", "22:01", "0h", "24h", "7:60", "bientôt", "7 8 9 10 11", "7:30 non"])
def test_what_is_no_hour_or_of_the_night_changes_nothing(typed: str) -> None:
    with pytest.raises(BadInput):
        read_hours(typed)
