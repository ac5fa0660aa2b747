"""When an opposed card asks for a new proof."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from colloque.policy.cards import needs_proof
from colloque.professional import Card

PROVED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = PROVED + timedelta(days=60)
TODAY = NOW.date()


def card(opposed: date | None = None, *, since: int = -400, until: int = 400) -> Card:
    return Card("1", "CPS", TODAY + timedelta(days=since), TODAY + timedelta(days=until), opposed)


LOST = card(date(2026, 4, 1))


@pytest.mark.parametrize(
    ("cards", "asked"),
    [
        ([], False),
        ([card()], False),
        ([LOST], True),
        ([card(date(2026, 3, 2))], True),
        ([card(date(2026, 3, 1))], False),
        ([LOST, card()], False),
        ([LOST, card(until=0)], False),
        ([LOST, card(until=-1)], True),
        ([LOST, card(since=1)], True),
        ([LOST, Card("2", "CPF", None, None, None)], False),
        ([card(until=-1)], False),
    ],
)
def test_by_value(cards: list[Card], asked: bool) -> None:
    assert needs_proof(cards, PROVED, NOW) is asked


def test_a_proof_that_answered_the_request_counts_on_the_same_day() -> None:
    same_day = [card(date(2026, 3, 2))]
    assert not needs_proof(same_day, PROVED, NOW, asked_at=PROVED - timedelta(hours=1))
    assert needs_proof(same_day, PROVED, NOW, asked_at=PROVED + timedelta(hours=1))
    assert needs_proof([LOST], PROVED, NOW, asked_at=PROVED - timedelta(hours=1)), "opposed again, later"
