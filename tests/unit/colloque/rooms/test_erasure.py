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
    ORIGINALS,
    OUT_OF_REACH,
    Counts,
    Kind,
    Receipt,
    Residue,
    read_receipt,
    signing_bytes,
)
from colloque.rooms.keeping import Proof

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


@pytest.mark.parametrize(
    "changes",
    [
        {"files_deleted": 9},
        {"opened_at": float(RECEIPT.to_dict()["opened_at"])},
        {"extra": 1},
        {"proven": []},
        {"archived": Proof.MISTAKE.value},
        {"format": 1},
    ],
)
def test_an_edited_receipt_is_seen(changes: dict[str, Any]) -> None:
    raw = replace(RECEIPT, archived=Proof.FILED).to_dict()
    read_receipt(raw)
    with pytest.raises(Tampered):
        read_receipt(raw | changes)


@pytest.mark.parametrize("proof", Proof)
def test_what_became_of_the_conversation_stands_in_the_receipt(proof: Proof) -> None:
    receipt = replace(RECEIPT, archived=proof.value)
    raw = receipt.to_dict()
    assert (raw["format"], raw["archived"]) == (2, proof.value)
    assert read_receipt(raw) == receipt
    with pytest.raises(Tampered):
        read_receipt({name: value for name, value in raw.items() if name != "archived"})


def test_receipts_of_before_there_were_archives_hold() -> None:
    raw = RECEIPT.to_dict()
    assert raw["format"] == 1
    assert "archived" not in raw
    assert read_receipt(raw) == RECEIPT


def test_of_the_conversation_a_receipt_holds_a_code_alone() -> None:
    with pytest.raises(ValueError, match="not a receipt"):
        replace(RECEIPT, archived="Mme D. ne voulait pas")


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


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.PATIENT, Kind.MAIL}))
def test_what_is_no_patient_room_says_so(kind: Kind) -> None:
    receipt = replace(RECEIPT, kind=kind)
    body = json.loads(json.dumps(receipt.to_dict()))
    assert (body["format"], body["kind"]) == (3, kind)
    assert read_receipt(body) == receipt
    with pytest.raises(Tampered):
        read_receipt(body | {"kind": "patient"})
    with pytest.raises(Tampered):
        read_receipt({name: value for name, value in body.items() if name != "kind"})


def test_of_old_messages_it_claims_nothing_about_the_room() -> None:
    receipt = replace(RECEIPT, kind=Kind.DIRECT_MESSAGES, after=Counts(events=0, files=0, members=2))
    assert receipt.proven == ("messages_gone", "known_files_gone")
    assert "room_left" not in receipt.not_proven
    left = replace(receipt, after=Counts(events=1, files=0, members=2))
    assert left.proven == ("known_files_gone",)
    assert "messages_left" in left.not_proven


def test_another_kind_is_no_receipt() -> None:
    body = json.loads(json.dumps(replace(RECEIPT, kind=Kind.GROUP).to_dict()))
    with pytest.raises(Tampered):
        read_receipt(body | {"kind": "mailing"})


THREAD = replace(
    RECEIPT,
    kind=Kind.MAIL,
    archived=ORIGINALS,
    after=Counts(events=0, files=0, members=2),
    residue=(Residue("event_json", 12, "dropped_in_7_days"),),
)


def test_a_receipt_of_a_thread_says_its_kind_and_comes_back() -> None:
    raw = json.loads(json.dumps(THREAD.to_dict()))
    assert (raw["format"], raw["kind"]) == (3, "mail")
    assert read_receipt(raw) == THREAD


def test_a_thread_proves_nothing_of_its_room() -> None:
    assert THREAD.proven == ("texts_withdrawn", "known_files_gone")
    assert THREAD.not_proven == ("that_it_was_there", "residue", *OUT_OF_REACH)
    left = replace(THREAD, after=Counts(events=1, files=1, members=2))
    assert left.proven == ()
    assert left.not_proven[:3] == ("texts_left", "that_it_was_there", "files_left")


def test_a_thread_says_where_its_mails_are() -> None:
    with pytest.raises(ValueError, match="what became"):
        replace(THREAD, archived="")


@pytest.mark.parametrize("kind", ["patient", "room", None])
def test_a_receipt_of_another_kind_is_not_one_of_a_thread(kind: object) -> None:
    with pytest.raises(Tampered):
        read_receipt(THREAD.to_dict() | {"kind": kind})


def test_one_of_a_room_says_no_kind() -> None:
    with pytest.raises(Tampered):
        read_receipt(RECEIPT.to_dict() | {"kind": "mail"})
