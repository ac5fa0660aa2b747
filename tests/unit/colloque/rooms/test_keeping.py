"""When an archive counts as kept, by value and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.rooms.keeping import Due, Keeping, KeepingRule, due, is_late

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULE = KeepingRule(wait=7 * DAY, late=14 * DAY)
SENT = Keeping(START, whole=True)
DELIVERED = replace(SENT, delivered_at=START + DAY)


@pytest.mark.parametrize(
    ("kept", "after", "expected"),
    [
        (SENT, timedelta(0), None),
        (SENT, 5 * DAY - timedelta(seconds=1), None),
        (SENT, 5 * DAY, Due.REMIND),
        (replace(SENT, reminded_at=START + 5 * DAY), 300 * DAY, None),
        (DELIVERED, 5 * DAY, None),
        (DELIVERED, 6 * DAY, Due.REMIND),
        (replace(DELIVERED, reminded_at=START + 6 * DAY), 8 * DAY - timedelta(seconds=1), None),
        (replace(DELIVERED, reminded_at=START + 6 * DAY), 8 * DAY, Due.PROVEN),
        # the service was away: the reminder comes late, and a day is left after it
        (DELIVERED, 30 * DAY, Due.REMIND),
        (replace(DELIVERED, reminded_at=START + 30 * DAY), 30 * DAY, None),
        (replace(DELIVERED, reminded_at=START + 30 * DAY), 31 * DAY, Due.PROVEN),
        # files are left in the room: only its referent can say that they were fetched
        (replace(DELIVERED, whole=False, reminded_at=START + 6 * DAY), 300 * DAY, None),
    ],
)
def test_what_is_due(kept: Keeping, after: timedelta, expected: Due | None) -> None:
    assert due(kept, RULE, START + after) is expected


def test_when_the_administrators_are_told() -> None:
    assert not is_late(START, RULE, START + 14 * DAY - timedelta(seconds=1))
    assert is_late(START, RULE, START + 14 * DAY)


@pytest.mark.parametrize("times", [(timedelta(0), DAY), (DAY, timedelta(0)), (-DAY, DAY)])
def test_a_rule_needs_times(times: tuple[timedelta, timedelta]) -> None:
    with pytest.raises(ValueError, match="times"):
        KeepingRule(*times)


@given(st.lists(st.tuples(st.sampled_from(["wait", "deliver", "look"]), st.floats(-3, 20)), max_size=30), st.booleans())
def test_nothing_is_proven_without_a_delivery_a_reminder_and_time(steps: list[tuple[str, float]], whole: bool) -> None:
    """Whatever the clock and the service's absences do."""
    now, kept = START, Keeping(START, whole)
    for what, days in steps:
        now += days * DAY
        if what == "deliver" and kept.delivered_at is None:
            kept = replace(kept, delivered_at=now)
        if what != "look":
            continue
        match due(kept, RULE, now):
            case Due.REMIND:
                kept = replace(kept, reminded_at=now)
            case Due.PROVEN:
                assert kept.whole
                assert kept.delivered_at is not None
                assert now >= kept.delivered_at + RULE.wait
                assert kept.reminded_at is not None
                assert now >= kept.reminded_at + RULE.grace
