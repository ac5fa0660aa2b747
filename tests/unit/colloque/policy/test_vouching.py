"""Whose word counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.attestation import Attestation, Kind, Method
from colloque.policy.vouching import MOST, NoVouch, may_vouch
from tests.attested import held, user

CLAIMED = (user(9), held(9).rpps)


def test_a_verified_professional_may() -> None:
    assert may_vouch(held(1), CLAIMED, 0) is None
    assert may_vouch(held(1), CLAIMED, MOST - 1) is None


@pytest.mark.parametrize(
    ("who", "lately", "why"),
    [
        (held(9), 0, NoVouch.MYSELF),
        (replace(held(9), user=user(1)), 0, NoVouch.MYSELF),
        (replace(held(1), user=user(9)), 0, NoVouch.MYSELF),
        (replace(held(1), kind=Kind.SUPERVISED, under=held(2).rpps), 0, NoVouch.KIND),
        (replace(held(1), kind=Kind.STAFF), 0, NoVouch.KIND),
        (replace(held(1), method=Method.VOUCHED), 0, NoVouch.VOUCHED),
        (replace(held(1), frozen=True), 0, NoVouch.FROZEN),
        (replace(held(1), category="E"), 0, NoVouch.STUDENT),
        (held(1), MOST, NoVouch.TOO_MANY),
    ],
)
def test_who_may_not(who: Attestation, lately: int, why: NoVouch) -> None:
    assert may_vouch(who, CLAIMED, lately) is why


@given(
    method=st.sampled_from(Method),
    kind=st.sampled_from(Kind),
    category=st.sampled_from(["C", "M", "E", ""]),
    frozen=st.booleans(),
    lately=st.integers(0, 9),
)
def test_whoever_may_is_a_professional_proved_otherwise(
    method: Method, kind: Kind, category: str, frozen: bool, lately: int
) -> None:
    who = replace(held(1), method=method, kind=kind, category=category, frozen=frozen)
    if may_vouch(who, CLAIMED, lately) is None:
        assert (who.kind, who.frozen) == (Kind.PROFESSIONAL, False)
        assert who.method is not Method.VOUCHED
        assert category != "E"
        assert lately < MOST
