"""`colloque receipt verify`: what holds, against which key, up to which head; whatever it is given, no traceback."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from colloque.rooms.erasure import ORIGINALS, Counts, Kind, Residue
from colloque.rooms.keeping import Proof
from tests.receipts import Clerk, Verify


def test_a_chain_holds_and_says_what_it_does_not_prove(clerk: Clerk, verify: Verify) -> None:
    code, out, _ = verify(*clerk.make(3), "--key", clerk.pem)
    assert code == 0
    assert out.count("holds; erased on") == 3
    assert "signed with the key given" in out
    assert "proven: the room and its events are gone" in out
    assert "not proven, or out of reach: backups, until they expire" in out
    assert "nobody else has looked" in out
    assert "Receipts 1 to 3 follow each other" in out
    assert "can't be seen without a head noted elsewhere" in out


@pytest.mark.parametrize("proof", ["", *Proof])
def test_it_says_in_words_what_became_of_the_conversation(clerk: Clerk, verify: Verify, proof: str) -> None:
    _, out, _ = verify(*clerk.make(1, archived=proof), "--key", clerk.pem)
    (said,) = [line for line in out.splitlines() if "the conversation: " in line]
    assert " " in said.partition("the conversation: ")[2]
    assert not proof or proof not in said


@pytest.mark.parametrize(
    ("kind", "words", "proven"),
    [
        (Kind.DIRECT, "of a conversation of two people", "the room and its events are gone"),
        (Kind.DIRECT_MESSAGES, "the old messages of a conversation", "these messages are gone"),
        (Kind.GROUP, "of a room that people had made", "the room and its events are gone"),
        (Kind.GROUP_MESSAGES, "the old messages of a room", "these messages are gone"),
    ],
)
def test_it_says_in_words_what_was_no_patient_room(
    clerk: Clerk, verify: Verify, kind: Kind, words: str, proven: str
) -> None:
    code, out, _ = verify(*clerk.make(2, kind=kind), "--key", clerk.pem)
    assert code == 0
    assert out.count(words) == 2
    assert out.count(f"proven: {proven}") == 2
    assert "archived" not in out


def test_a_thread_of_mails_is_told_from_a_room(clerk: Clerk, verify: Verify) -> None:
    residue = (Residue("event_json", 12, "dropped_in_7_days"),)
    code, out, _ = verify(*clerk.make(1, kind=Kind.MAIL, archived=ORIGINALS, residue=residue), "--key", clerk.pem)
    assert code == 0
    assert "proven: what was written in the thread is given to nobody any more" in out
    assert "the room shows that something was there, when and by whom" in out
    assert "left: 12 in event_json: Synapse drops it within seven days" in out
    assert "each mail of the thread was in its mailbox" in out
    assert "the room and its events are gone" not in out


def test_one_alone_and_a_part_say_what_was_not_given(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(3)
    code, out, _ = verify(paths[1], "--key", clerk.pem)
    assert (code, "follow each other" in out) == (0, False)
    assert "Receipts before number 2 were not given" in out


# Heads of the admin room


def test_with_the_head_shown_a_cut_tail_is_seen(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(3)
    code, out, _ = verify(*paths, "--key", clerk.pem, "--anchor", clerk.head(3))
    assert code == 0
    assert "nothing up to receipt 3 was cut off" in out
    assert "noted elsewhere" not in out
    code, out, _ = verify(*paths[:2], "--key", clerk.pem, "--anchor", clerk.head(3))
    assert code == 1
    assert out.splitlines()[-1].startswith("DOES NOT HOLD: the head of receipt 3 was shown")
    assert "DOES NOT HOLD" not in verify(*paths[:2], "--key", clerk.pem)[1]


def test_a_chain_made_anew_with_the_same_key_is_seen(clerk: Clerk, verify: Verify) -> None:
    clerk.make(3)
    shown = clerk.head(2)[: 2 + 16]
    again = Clerk(clerk.folder, clerk.key)
    paths = again.make(3, before=Counts(events=12, files=3, members=1))
    assert verify(*paths, "--key", again.pem)[0] == 0
    code, out, _ = verify(*paths, "--key", again.pem, "--anchor", shown)
    assert (code, "receipt 2 is not the one whose head was shown" in out) == (1, True)


def test_heads_come_from_a_file_too_and_all_count(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(4)
    heads = clerk.folder / "heads.txt"
    heads.write_text(f"{clerk.head(1)}\n\n{clerk.head(3)}\n", encoding="utf-8")
    code, out, _ = verify(*paths, "--key", clerk.pem, "--anchor", heads, "--anchor", clerk.head(2))
    assert (code, "nothing up to receipt 3" in out, "after number 3" in out) == (0, True, True)
    wrong = f"2:{'0' * 64}"
    assert verify(*paths, "--key", clerk.pem, "--anchor", heads, "--anchor", wrong)[0] == 1


@pytest.mark.parametrize(
    ("written", "said"),
    [(b"", "holds no SERIAL:HASH"), (b"12:zz\n", "line 1"), (b"\xff\xfe", "is not text"), (b"\n" * 2**21, "too long")],
)
def test_a_file_without_heads_is_no_check(clerk: Clerk, verify: Verify, written: bytes, said: str) -> None:
    paths = clerk.make(1)
    heads = clerk.folder / "heads.txt"
    heads.write_bytes(written)
    code, out, err = verify(*paths, "--key", clerk.pem, "--anchor", heads)
    assert (code, out) == (65, "")
    assert said in err


def test_what_is_neither_head_nor_file_is_refused(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(1)
    for wrong in ("1:abc", "0:" + "a" * 64, "none.txt"):
        code, _, err = verify(*paths, "--key", clerk.pem, "--anchor", wrong)
        assert (code, "neither SERIAL:HASH" in err) == (65, True)
    assert verify(*paths, "--key", clerk.pem, "--anchor", clerk.folder)[0] == 66


# Damage


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 2, 3], "receipt 1 is followed by 3"),
        ([0, 1, 1, 2], "receipt 2 is given twice"),
        ([1, 0, 2], "receipt 2 is followed by 1"),
        ([0, 2, 1, 3], "receipt 1 is followed by 3"),
        ([3, 2, 1, 0], "receipt 4 is followed by 3"),
    ],
)
def test_missing_doubled_and_reordered_receipts_are_seen(
    clerk: Clerk, verify: Verify, order: list[int], said: str
) -> None:
    paths = clerk.make(4)
    code, out, _ = verify(*(paths[place] for place in order), "--key", clerk.pem)
    assert code == 1
    assert out.splitlines()[-1].startswith(f"DOES NOT HOLD: {said}")


NESTED = '{"residue": ' + "[" * 900 + "]" * 900 + "}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r | {"files_deleted": 9}, "was changed after it was made"),
        (lambda r: r | {"server": "chu-b.test"}, "was changed after it was made"),
        (lambda r: r | {"key": "AAAA"}, "was changed after it was made"),
        (lambda r: r | {"hash": "0" * 64}, "was changed after it was made"),
        (lambda r: r | {"extra": json.loads(NESTED)}, "was changed after it was made"),
        (lambda r: r | {"serial": "2"}, "this is not an erasure receipt"),
        (lambda r: r | {"serial": 10**4000}, "was changed after it was made"),
        (lambda r: r | {"erased_at": 10**30}, "this is not an erasure receipt"),
        (lambda r: r | {"signature": base64.b64encode(b"x" * 64).decode()}, "the signature is not the key's"),
        (lambda r: r | {"signature": r["signature"][:-3] + "/=="}, "the signature is missing or malformed"),
        (lambda r: r | {"signature": "é"}, "the signature is missing or malformed"),
        (lambda r: r | {"signature": ["x"]}, "the signature is missing or malformed"),
        (lambda r: {k: v for k, v in r.items() if k != "signature"}, "the signature is missing or malformed"),
        (lambda _: {}, "this is not an erasure receipt"),
        (lambda r: [r], "not a JSON object"),
        (lambda _: None, "not a JSON object"),
    ],
)
def test_an_edited_receipt_is_seen(clerk: Clerk, verify: Verify, change: Any, said: str) -> None:
    paths = clerk.make(3)
    clerk.write("receipt-000002.json", change(clerk.receipts[1]))
    code, out, _ = verify(*paths, "--key", clerk.pem)
    assert code == 1
    assert out.splitlines()[-1].startswith("DOES NOT HOLD: receipt-000002.json: ")
    assert said in out.splitlines()[-1]


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\x00\xff\xfe",
        b"receipt",
        b'{"serial": 1',
        b'{"serial": 1, "serial": 2}',
        b'{"serial": NaN}',
        b'{"serial": ' + b"9" * 5000 + b"}",
        b"[" * 30_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        NESTED.encode(),
        b'{"serial": 1e999}',
        b'"' + b"x" * 2**20 + b'"',
    ],
)
def test_rubbish_is_refused_in_one_line(clerk: Clerk, verify: Verify, written: bytes) -> None:
    clerk.make(1)
    path = clerk.folder / "receipt\x1b[2J.json"
    path.write_bytes(written)
    code, out, err = verify(path, "--key", clerk.pem)
    assert (code, err, out.count("\n"), out.count("\x1b")) == (1, "", 1, 0)
    assert out.startswith("DOES NOT HOLD: receipt?[2J.json: ")


def test_a_time_at_the_end_of_the_calendar_is_no_traceback(clerk: Clerk, verify: Verify) -> None:
    (path,) = clerk.make(1, erased_at=datetime.max.replace(tzinfo=UTC, microsecond=0))
    code, out, _ = verify(path, "--key", clerk.pem)
    assert (code, "a calendar" in out) == (1, True)


def test_a_file_that_is_not_there_leaves_with_66(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(1)
    assert verify(clerk.folder / "none.json", "--key", clerk.pem)[0] == 66
    assert verify(*paths, "--key", clerk.folder / "none.pem")[0] == 66


def test_the_key_of_somebody_else_does_not_sign(clerk: Clerk, verify: Verify, tmp_path: Path) -> None:
    paths = clerk.make(1)
    (tmp_path / "other").mkdir()
    code, out, _ = verify(*paths, "--key", Clerk(tmp_path / "other").pem)
    assert (code, out) == (1, "DOES NOT HOLD: receipt-000001.json: the signature is not the key's\n")


def test_what_is_no_ed25519_key_is_refused(clerk: Clerk, verify: Verify) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    paths = clerk.make(1)
    other = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for wrong in (b"", b"rubbish", other, clerk.key.pem(), b"x" * 2**20):
        (clerk.folder / "wrong.pem").write_bytes(wrong)
        code, _, err = verify(*paths, "--key", clerk.folder / "wrong.pem")
        assert (code, "public key" in err) == (65, True)
