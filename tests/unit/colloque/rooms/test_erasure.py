"""Erasure receipts: what they say, and that none can change or vanish unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from colloque.errors import Tampered
from colloque.rooms.erasure import (
    GENESIS,
    OUT_OF_REACH,
    Counts,
    Receipt,
    Residue,
    read_receipt,
    signing_bytes,
    verify_chain,
)

WHEN = datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)
RECEIPT = Receipt(
    serial=1,
    room="a1" * 10,
    opened_at=WHEN,
    closed_at=WHEN,
    erased_at=WHEN,
    before=Counts(events=12, files=3, members=2),
    after=Counts(events=0, files=0, members=0),
    files_deleted=3,
    undecryptable=0,
)


def chained(count: int) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for serial in range(1, count + 1):
        previous = out[-1]["hash"] if out else GENESIS
        body = replace(RECEIPT, serial=serial, previous=previous).to_dict()
        out.append(json.loads(json.dumps(body | {"signature": f"of {serial}"})))
    return out


def test_a_receipt_comes_back_as_it_was() -> None:
    receipt = replace(RECEIPT, undecryptable=2, residue=(Residue("kept_files", 1, "known_in_another_room"),))
    assert read_receipt(json.loads(json.dumps(receipt.to_dict()))) == receipt


def test_what_is_signed_is_all_but_hash_and_signature() -> None:
    body = RECEIPT.to_dict()
    signed = signing_bytes(body | {"signature": "x"})
    heading, _, rest = signed.partition(b"\n")
    assert heading == b"fr.colloque.erasure"
    assert json.loads(rest) == {k: v for k, v in body.items() if k != "hash"}
    assert body["hash"] == hashlib.sha256(signed).hexdigest()
    assert body["opened_at"] == 1772442000250


def test_a_clean_erasure_claims_what_was_looked_for_and_nothing_more() -> None:
    assert RECEIPT.proven == ("room_gone", "known_files_gone")
    assert RECEIPT.not_proven == OUT_OF_REACH


def test_what_is_left_or_unknown_is_said() -> None:
    receipt = replace(
        RECEIPT,
        after=Counts(events=1, files=1, members=0),
        undecryptable=1,
        residue=(Residue("kept_files", 1, "known_in_another_room"),),
    )
    assert receipt.proven == ()
    assert receipt.not_proven == ("room_left", "files_left", "files_in_unread_events", "residue", *OUT_OF_REACH)


@pytest.mark.parametrize(
    "bad",
    [
        {"serial": 0},
        {"serial": True},
        {"room": "!abc:h.example"},
        {"room": ""},
        {"previous": "x"},
        {"files_deleted": -1},
        {"undecryptable": 1.0},
        {"before": Counts(1, -1, 0)},
        {"residue": (Residue("Radio de Mme D.", 1, "kept"),)},
        {"residue": (Residue("kept_files", 1, "mxc://h/x"),)},
        {"out_of_reach": ("les sauvegardes",)},
    ],
)
def test_nothing_but_counts_codes_and_tokens_gets_in(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a receipt"):
        replace(RECEIPT, **bad)


def test_a_whole_chain_holds() -> None:
    receipts = chained(4)
    verdict = verify_chain(receipts)
    assert (verdict.ok, verdict.count, verdict.head, verdict.place) == (True, 4, receipts[-1]["hash"], 0)
    assert verify_chain([]).head == GENESIS


def resealed(raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = raw | changes
    return body | {"hash": hashlib.sha256(signing_bytes(body)).hexdigest()}


@pytest.mark.parametrize(
    ("change", "problem", "place"),
    [
        (lambda c: [c[0], c[1] | {"files_deleted": 9}, *c[2:]], "edited", 2),
        (lambda c: [*c[:3], c[3] | {"files_deleted": 9}], "edited", 4),
        (lambda c: [*c[:3], c[3] | {"opened_at": float(c[3]["opened_at"])}], "edited", 4),
        (lambda c: [*c[:3], c[3] | {"extra": 1}], "edited", 4),
        (lambda c: [*c[:3], c[3] | {"proven": []}], "edited", 4),
        (lambda c: [*c[:3], {}], "edited", 4),
        (lambda c: [c[0], resealed(c[1], files_deleted=9), *c[2:]], "replaced", 3),
        (lambda c: [c[0], *c[2:]], "missing", 2),
        (lambda c: c[1:], "missing", 1),
        (lambda c: [c[0], c[2], c[1], c[3]], "missing", 2),
        (lambda c: [*c[:2], c[1], *c[2:]], "moved", 3),
    ],
)
def test_edited_missing_and_moved_receipts_are_seen(change: Any, problem: str, place: int) -> None:
    verdict = verify_chain(change(chained(4)))
    assert (verdict.problem, verdict.place, verdict.count) == (problem, place, place - 1)


@pytest.mark.parametrize(
    "bad", [{}, {"serial": 1}, {**RECEIPT.to_dict(), "before": []}, {**RECEIPT.to_dict(), "erased_at": 10**30}]
)
def test_what_is_no_receipt_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(Tampered):
        read_receipt(bad)


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Tampered, match="not an erasure receipt"):
        read_receipt(RECEIPT.to_dict() | {"extra": deep})
