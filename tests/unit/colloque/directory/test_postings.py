"""Packed lists of people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.postings import pack, size, unpack


@given(st.sets(st.integers(1, 2_000_000), max_size=400))
def test_a_list_comes_back(ids: set[int]) -> None:
    packed = pack(sorted(ids))
    assert list(unpack(packed)) == sorted(ids)
    assert size(packed) == len(ids)


@pytest.mark.parametrize(
    ("ids", "length"), [([], 0), ([7], 5), ([7, 262], 6), ([7, 263], 7), ([1, 65_536], 7), ([1, 65_537], 9)]
)
def test_small_gaps_take_little(ids: list[int], length: int) -> None:
    assert len(pack(ids)) == length
    assert list(unpack(pack(ids))) == ids
