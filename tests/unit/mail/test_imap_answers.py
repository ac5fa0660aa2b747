"""Sets of UIDs, as IMAP writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.imap_answers import count, modseq, sequence_set, vanished

UIDS = st.sets(st.integers(1, 60))


@given(UIDS)
def test_a_set_names_each_once(uids: set[int]) -> None:
    written = sequence_set(uids)
    assert count(written.encode()) == len(uids)
    assert vanished([[b"* VANISHED " + written.encode()]], range(100)) == uids


@pytest.mark.parametrize(("uids", "written"), [([], ""), ([4, 3, 5, 9, 3], "3:5,9"), ([7], "7"), ([1, 2], "1:2")])
def test_sets_are_short(uids: list[int], written: str) -> None:
    assert sequence_set(uids) == written


def test_a_range_may_be_written_backwards_and_may_be_huge() -> None:
    assert vanished([[b"* VANISHED (EARLIER) 9:7,20:4294967295"]], {6, 7, 9, 30}) == {7, 9, 30}


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([b"* 3 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12))"], 12),
        ([b"* 3 FETCH (UID 7 FLAGS ())"], 0),
        ([b"* OK MODSEQ (12)"], 0),
        ([b'* 3 FETCH (BODY[] "MODSEQ (12)")'], 0),
        ([b"* 3 FETCH (BODY[] {2}", b"ab", b" MODSEQ (12))"], 0),
    ],
)
def test_when_a_message_changed(parts: list[bytes], found: int) -> None:
    assert modseq(parts) == found
