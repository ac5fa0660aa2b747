"""Heads shown elsewhere: how they are written, and what receipts must contain to hold against them."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import BadInput, Tampered
from colloque.rooms.anchors import Anchor, check_anchor, check_run, parse_anchor, read_anchors
from colloque.rooms.erasure import Counts
from tests.receipts import chained

HEAD = "0123456789abcdef"


OTHER = Counts(events=12, files=3, members=3)


def test_an_anchor_is_written_as_it_is_read() -> None:
    anchor = Anchor(12, HEAD)
    assert str(anchor) == f"12:{HEAD}"
    assert parse_anchor(str(anchor)) == anchor
    assert parse_anchor(f" 12:{HEAD.upper()}\n") == anchor
    assert parse_anchor(f"1:{HEAD * 4}") == Anchor(1, HEAD * 4)


@pytest.mark.parametrize(
    "text",
    [
        *("", "12", HEAD, f"0:{HEAD}", f"-1:{HEAD}", f"12:{HEAD[:15]}", f"12:{HEAD * 4}0", f"12: {HEAD}"),
        *(f"1:{HEAD[:15]}g", f"{'9' * 11}:{HEAD}", f"١:{HEAD}", f"1:{HEAD} 2:{HEAD}", f"1:{'٣' * 16}"),
    ],
)
def test_anything_else_is_no_anchor(text: str) -> None:
    assert parse_anchor(text) is None


def test_a_file_holds_one_a_line_and_nothing_else() -> None:
    two = (Anchor(1, HEAD), Anchor(2, HEAD))
    assert read_anchors(f"1:{HEAD}\r\n\n 2:{HEAD}") == two
    with pytest.raises(BadInput, match="line 2"):
        read_anchors(f"1:{HEAD}\nthe head is 2:{HEAD}\n")
    for empty in ("", "\n \n"):
        with pytest.raises(BadInput, match="holds no"):
            read_anchors(empty)


def test_a_run_holds_wherever_it_begins() -> None:
    chain = chained(4)
    for run in (chain, chain[1:], chain[2:3]):
        check_run(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: [c[0], c[2]], "1 is followed by 3: what is between"),
        (lambda c: [c[0], c[1], c[1], c[2]], "2 is given twice"),
        (lambda c: [c[1], c[0]], "2 is followed by 1: the files are not in order"),
        (lambda c: [c[0], chained(4, before=OTHER)[1]], "2 does not follow the receipt 1 given here"),
        (lambda c: [chained(4, before=OTHER)[2], c[3]], "4 does not follow"),
        (lambda c: [c[0] | {"previous": c[2]["hash"]}, c[1]], "receipt 1 names one before it"),
    ],
)
def test_a_run_that_does_not_follow_is_told(change: Any, said: str) -> None:
    with pytest.raises(Tampered, match=said):
        check_run(change(chained(4)))


def test_a_head_that_is_there_holds() -> None:
    chain = chained(4)
    for serial in range(1, 5):
        check_anchor(chain, Anchor(serial, chain[serial - 1]["hash"]))
        check_anchor(chain, Anchor(serial, chain[serial - 1]["hash"][:16]))
    check_anchor(chain[2:], Anchor(3, chain[2]["hash"]))


def test_a_head_that_is_not_there_tells_what_is_wrong() -> None:
    chain, other = chained(4), chained(4, before=OTHER)
    with pytest.raises(Tampered, match="receipt 4 was shown, and receipt 3 is the last one: cut off"):
        check_anchor(chain[:3], Anchor(4, chain[3]["hash"]))
    with pytest.raises(Tampered, match="receipt 4 is not the one whose head was shown"):
        check_anchor(other, Anchor(4, chain[3]["hash"]))
    with pytest.raises(Tampered, match="receipt 3 is the first one given"):
        check_anchor(chain[2:], Anchor(2, chain[1]["hash"]))
