"""What other servers answered: a supplement in the chain of receipts, and when another server's receipt counts."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import Tampered
from colloque.federation.ed25519 import PrivateKey, verify
from colloque.rooms.erasure import ELSEWHERE, AskedBy, Receipt, read_receipt, signing_bytes
from colloque.rooms.supplement import ERASED, Answer, Supplement, check_copy, read_supplement
from tests.federation import Member
from tests.receipts import DAY, NOW, RECEIPT

REF, HASH = "ab" * 10, "cd" * 32
ASKED = AskedBy("chu-a.test", REF)
B = Member("chu-b.test")
COPY = replace(RECEIPT, archived="by_the_server_that_made_it", asked_by=ASKED)
SUPPLEMENT = Supplement(
    serial=9,
    room=REF,
    of=7,
    asked_at=NOW,
    written_at=NOW + DAY,
    answers=(Answer("chu-b.test", ERASED, 3, COPY.to_dict()), Answer("chu-c.test", "unanswered", 40)),
    previous=HASH,
)


def signed(receipt: Receipt, key: PrivateKey | None = None) -> dict[str, Any]:
    body, key = receipt.to_dict(), key or B.receipts
    assert key is not None
    return body | {"signature": base64.b64encode(key.sign(signing_bytes(body))).decode()}


def test_a_supplement_comes_back_as_it_was() -> None:
    raw = json.loads(json.dumps(SUPPLEMENT.to_dict()))
    assert read_supplement(raw) == SUPPLEMENT


@given(st.data())
def test_no_change_to_a_supplement_goes_unseen(data: st.DataObject) -> None:
    raw = json.loads(json.dumps(SUPPLEMENT.to_dict()))
    place = data.draw(st.sampled_from(sorted(raw)))
    raw[place] = data.draw(st.one_of(st.none(), st.integers(), st.text(max_size=3), st.just([]), st.just({})))
    if raw == SUPPLEMENT.to_dict():
        return
    with pytest.raises(Tampered):
        read_supplement(raw)


@pytest.mark.parametrize(
    "change",
    [
        {"of": 9},
        {"of": 0},
        {"room": "!room"},
        {"previous": "x"},
        {"answers": ()},
        {"answers": (Answer("chu-b.test", ERASED, 1),)},
        {"answers": (Answer("chu-b.test", "unanswered", 1, {}),)},
        {"answers": (Answer("chu-b.test", "Nein!", 1),)},
        {"answers": (Answer("@p:chu-b.test", "unanswered", 1),)},
        {"answers": (Answer("chu-c.test", "unanswered", 1), Answer("chu-b.test", "unanswered", 1))},
        {"answers": (Answer("chu-b.test", "unanswered", -1),)},
    ],
)
def test_what_is_no_supplement(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a supplement"):
        replace(SUPPLEMENT, **change)


def test_receipts_name_the_servers_asked_and_who_asked() -> None:
    ours = replace(RECEIPT, servers=("chu-b.test", "chu-c.test"), out_of_reach=(*RECEIPT.out_of_reach, ELSEWHERE))
    for receipt in (ours, COPY):
        raw = json.loads(json.dumps(receipt.to_dict()))
        assert raw["format"] == 3
        assert read_receipt(raw) == receipt
        for gone in {"servers", "asked_by"} & raw.keys():
            with pytest.raises(Tampered):
                read_receipt({name: value for name, value in raw.items() if name != gone})
    assert ELSEWHERE in ours.not_proven
    for wrong in (("b.test", "a.test"), ("a.test", "a.test"), ("@p:a.test",)):
        with pytest.raises(ValueError, match="servers"):
            replace(RECEIPT, servers=wrong)
    for asked in (AskedBy("@p:a.test", REF), AskedBy("a.test", "!room:a.test")):
        with pytest.raises(ValueError, match="who asked"):
            replace(RECEIPT, asked_by=asked)


def test_another_servers_receipt_counts_when_it_is_theirs_and_of_that_room() -> None:
    entry = B.entry(NOW)
    assert check_copy(signed(COPY), ASKED, entry, NOW, verify) == COPY
    for asked in (AskedBy("chu-a.test", "cd" * 10), AskedBy("chu-c.test", REF)):
        with pytest.raises(Tampered, match="another room"):
            check_copy(signed(COPY), asked, entry, NOW, verify)
    with pytest.raises(Tampered, match="another room"):
        check_copy(signed(RECEIPT), ASKED, entry, NOW, verify)
    with pytest.raises(Tampered, match="not signed"):
        check_copy(signed(COPY, B.key), ASKED, entry, NOW, verify)  # the key for attestations
    with pytest.raises(Tampered, match="not signed"):
        check_copy(signed(COPY), ASKED, Member("chu-b.test").entry(NOW), NOW, verify)
    with pytest.raises(Tampered, match="signature"):
        check_copy(COPY.to_dict(), ASKED, entry, NOW, verify)
    with pytest.raises(Tampered, match="to come"):
        check_copy(signed(replace(COPY, erased_at=NOW + DAY)), ASKED, entry, NOW, verify)
    before = replace(COPY, erased_at=NOW - 2 * DAY)
    with pytest.raises(Tampered, match="not signed"):
        check_copy(signed(before), ASKED, entry, NOW, verify)  # its key had not begun


def test_the_clock_of_the_other_server_may_be_a_little_ahead() -> None:
    soon = replace(COPY, erased_at=NOW + timedelta(minutes=4))
    assert check_copy(signed(soon), ASKED, B.entry(NOW), NOW, verify) == soon
