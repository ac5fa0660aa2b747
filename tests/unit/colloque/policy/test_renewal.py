"""When people are asked to renew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.attestation import Attestation, Kind, Method
from colloque.identity import UserId
from colloque.policy.renewal import DAYS, Asked, due
from tests.servers.annuaire import rpps

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HELD = Attestation(UserId("@a:h.test"), rpps(1), "Dr A", Method.PSC, START, START + timedelta(days=365))
END = HELD.valid_until


@pytest.mark.parametrize(
    ("before", "last", "said"),
    [
        (timedelta(days=31), None, None),
        (timedelta(days=30), None, 30),
        (timedelta(days=29), 30, None),
        (timedelta(days=7), 30, 7),
        (timedelta(hours=20), 7, 1),
        (timedelta(hours=20), None, 1),
        (timedelta(hours=1), 1, None),
        (timedelta(0), 1, 0),
        (timedelta(days=-40), 30, 0),
        (timedelta(days=-1), 0, None),
        (timedelta(days=-1), None, None),
    ],
)
def test_by_value(before: timedelta, last: int | None, said: int | None) -> None:
    asked = Asked(END, last) if last is not None else None
    assert due(HELD, asked, END - before) == said


def test_a_renewed_attestation_begins_anew_and_an_ended_one_has_its_own_words() -> None:
    renewed = replace(HELD, issued_at=END - timedelta(days=5), valid_until=END + timedelta(days=360))
    assert due(renewed, Asked(END, 7), END) is None
    revoked = replace(HELD, valid_until=START + timedelta(days=40))
    assert due(revoked, Asked(END, 30), START + timedelta(days=41)) is None
    assert due(replace(HELD, kind=Kind.STAFF), None, END - timedelta(days=1)) is None


def test_a_short_attestation_is_not_asked_for_on_its_first_day() -> None:
    short = replace(HELD, valid_until=START + timedelta(days=20))
    assert due(short, None, START + timedelta(hours=1)) is None
    assert due(short, None, START + timedelta(days=14)) == 7


@given(st.lists(st.integers(0, 400 * 24), max_size=60))
def test_nobody_reads_the_same_thing_twice_whatever_the_rhythm(hours: list[int]) -> None:
    asked, told = None, []
    for hour in sorted(hours):
        said = due(HELD, asked, START + timedelta(hours=hour))
        if said is not None:
            told.append(said)
            asked = Asked(END, said)
    assert told == sorted(set(told), reverse=True)
    assert set(told) <= set(DAYS)
