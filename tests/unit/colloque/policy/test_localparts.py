"""Names of accounts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.policy.localparts import base_of, distinguished


@pytest.mark.parametrize(
    ("given_name", "family", "base"),
    [
        ("Anne", "MARTIN", "anne.martin"),
        ("Jean-Noël", "D'ÉTÉ LEFÈVRE", "jean-noel.d-ete-lefevre"),
        ("Zoé", "", "zoe"),
        ("李", "王", "compte"),
        ("A" * 80, "B", "a" * 60),
    ],
)
def test_by_value(given_name: str, family: str, base: str) -> None:
    assert base_of(given_name, family) == base


@given(st.text(), st.text(), st.text())
def test_every_name_is_one_that_matrix_takes(given_name: str, family: str, owner: str) -> None:
    base = base_of(given_name, family)
    for localpart in (base, distinguished(base, owner)):
        assert re.fullmatch(r"[a-z0-9][a-z0-9.\-]{0,70}", localpart)


def test_a_homonyms_name_follows_from_who_it_is_and_does_not_tell() -> None:
    first = distinguished("anne.martin", "rpps 89900000008")
    assert first == distinguished("anne.martin", "rpps 89900000008") != distinguished("anne.martin", "rpps 89900000016")
    assert re.fullmatch(r"anne\.martin-[a-z2-7]{4}", first)
