"""How far a directory can be believed, by its age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colloque.directory.lookup import Age, AgeRules, Freshness

MADE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
FRESHNESS = Freshness(made_at=MADE, imported_at=MADE + timedelta(days=30), people=1, mailboxes=1)


@pytest.mark.parametrize(
    ("old", "age"),
    [
        (timedelta(0), Age.FRESH),
        (timedelta(hours=48), Age.FRESH),
        (timedelta(hours=48, seconds=1), Age.LATE),
        (timedelta(days=7), Age.LATE),
        (timedelta(days=7, seconds=1), Age.STALE),
        (timedelta(days=400), Age.STALE),
        (timedelta(hours=-5), Age.FRESH),
    ],
)
def test_age_counts_from_the_extraction_not_from_the_import(old: timedelta, age: Age) -> None:
    assert FRESHNESS.age(MADE + old, AgeRules()) is age


def test_the_rules_are_the_operators() -> None:
    strict = AgeRules(late=timedelta(hours=1), stale=timedelta(hours=2))
    ages = [FRESHNESS.age(MADE + timedelta(minutes=m), strict) for m in (60, 61, 120, 121)]
    assert ages == [Age.FRESH, Age.LATE, Age.LATE, Age.STALE]
