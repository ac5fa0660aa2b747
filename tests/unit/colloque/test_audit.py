"""The journal's chain: what it shows, what it refuses to hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.audit import GENESIS, Entry, Phase, chain, read_line, verify_lines
from colloque.errors import Tampered

ROOM, REF = "a1" * 10, "patient-" + "b2" * 12


def journal(count: int = 6) -> list[Entry]:
    """Notes, with one act opened (2) and ended (4), another left open (5)."""
    out: list[Entry] = []
    for n in range(1, count + 1):
        last = out[-1] if out else None
        if n in {2, 5}:
            out.append(chain(last, n, "room.erase", Phase.INTENT, room=ROOM, ref=REF, facts={"files": n}))
        elif n == 4:
            out.append(chain(last, n, "room.erase", Phase.RESULT, act="2", outcome="erased"))
        else:
            out.append(chain(last, n, "service.start", Phase.NOTE, actor="@annuaire:h.example", facts={"ok": True}))
    return out


def lines(entries: list[Entry]) -> list[bytes]:
    return [entry.line() for entry in entries]


def test_a_sound_journal_holds_and_tells_what_is_open() -> None:
    entries = journal()
    verdict = verify_lines(lines(entries))
    assert verdict.ok
    assert (verdict.count, verdict.head, verdict.line_no, verdict.anchored) == (6, entries[-1].hash, 0, False)
    assert [e.act for e in verdict.open_intents] == ["5"]
    assert verdict.last == entries[-1]


def test_an_empty_journal_holds() -> None:
    verdict = verify_lines([])
    assert (verdict.ok, verdict.count, verdict.head) == (True, 0, GENESIS)


def test_the_hash_is_what_the_page_says() -> None:
    raw = json.loads(journal()[2].line())
    claimed = raw.pop("hash")
    body = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    assert claimed == hashlib.sha256(body).hexdigest()


def test_a_line_comes_back_as_it_was() -> None:
    for entry in journal():
        again = read_line(entry.line())
        assert (again, again.hash) == (entry, entry.hash)


@given(st.data())
def test_no_single_byte_can_change_unseen(data: st.DataObject) -> None:
    whole = lines(journal())
    at = data.draw(st.integers(0, len(whole) - 1))
    place = data.draw(st.integers(0, len(whole[at]) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b not in {whole[at][place], 10}))
    whole[at] = whole[at][:place] + bytes([byte]) + whole[at][place + 1 :]
    verdict = verify_lines(whole)
    assert (verdict.problem, verdict.line_no, verdict.count) == ("edited", at + 1, at)


def forged(entry: Entry, **changes: Any) -> bytes:
    """An edited entry whose own hash was computed again."""
    raw = json.loads(entry.line()) | changes
    del raw["hash"]
    body = json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    raw["hash"] = hashlib.sha256(body).hexdigest()
    return json.dumps(raw, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_an_edited_line_with_a_new_hash_breaks_the_next() -> None:
    entries = journal()
    whole = lines(entries)
    whole[2] = forged(entries[2], at=99)
    assert (verify_lines(whole).problem, verify_lines(whole).line_no) == ("replaced", 4)


@pytest.mark.parametrize(
    ("change", "problem", "line"),
    [
        (lambda w: w[:2] + w[3:], "missing", 3),
        (lambda w: w[1:], "missing", 1),
        (lambda w: [*w[:2], w[3], w[2], *w[4:]], "missing", 3),
        (lambda w: [*w[:3], w[1], *w[3:]], "moved", 4),
        (lambda w: [*w, w[-1]], "moved", 7),
        (lambda w: [*w[:3], b"\n", *w[3:]], "edited", 4),
        (lambda w: [*w[:3], b'{"n":4}\n', *w[3:]], "edited", 4),
        (lambda w: [*w[:3], b"[" * 100_000 + b"\n"], "edited", 4),
        (lambda w: [*w[:5], w[5][:-1]], "torn", 6),
        (lambda w: [*w[:5], w[5][:20]], "torn", 6),
    ],
)
def test_missing_moved_inserted_and_torn_lines_are_seen(change: Any, problem: str, line: int) -> None:
    verdict = verify_lines(change(lines(journal())))
    assert (verdict.problem, verdict.line_no, verdict.count) == (problem, line, line - 1)


def test_a_result_needs_its_intent_once() -> None:
    entries = journal(3)
    entries.append(chain(entries[-1], 9, "room.erase", Phase.RESULT, act="2", outcome="erased"))
    entries.append(chain(entries[-1], 9, "room.erase", Phase.RESULT, act="2", outcome="erased"))
    assert (verify_lines(lines(entries)).problem, verify_lines(lines(entries)).line_no) == ("orphan", 5)


def test_a_cut_tail_is_seen_only_with_a_known_head() -> None:
    entries = journal()
    cut = lines(entries)[:4]
    assert verify_lines(cut).ok
    assert not verify_lines(cut).anchored
    found = verify_lines(cut, expect_head=entries[-1].hash)
    assert (found.problem, found.line_no) == ("head", 0)


def test_a_journal_that_grew_since_the_head_was_noted_holds() -> None:
    entries = journal()
    verdict = verify_lines(lines(entries), expect_head=entries[3].hash)
    assert (verdict.ok, verdict.anchored) == (True, True)


@pytest.mark.parametrize(
    "bad",
    [
        {"room": "!abcdef:h.example"},
        {"room": "!QkpXwV9o0ylZNwD8P3e6cQbDqQdA5mF1rX2yB7sT4uE"},
        {"room": "salon du patient"},
        {"ref": "$NzQ2zQ8vW5o0ylZNwD8P3e6cQbDqQdA5mF1rX2yB7s"},
        {"ref": "mxc://h.example/abcdef"},
        {"ref": "anne.durand@pro.mssante.fr"},
        {"ref": "dupont"},
        {"ref": "aabb"},
        {"actor": "anne"},
        {"actor": "anne.durand@pro.mssante.fr"},
        {"actor": ""},
        {"actor": " @a:h.example"},
        {"kind": "Room erased"},
        {"kind": ""},
        {"outcome": "très bien"},
        {"outcome": "x" * 65},
        {"facts": {"name": "Dupont"}},
        {"facts": {"mail": "a@b.fr"}},
        {"facts": {"mxc": "mxc://h/x"}},
        {"facts": {"event": "$abc"}},
        {"facts": {"room": "!abc"}},
        {"facts": {"ins": "255081416802538"}},
        {"facts": {"ins": "2-55-08-14-168-025-38"}},
        {"facts": {"ins": 255081416802538}},
        {"facts": {"text": "x" * 65}},
        {"facts": {"size": 2**53}},
        {"facts": {"size": 1.5}},
        {"facts": {"list": ["a"]}},
        {"facts": {"none": None}},
        {"facts": {"Name": "a"}},
        {"act": "7"},
        {"at": -1},
        {"at": 1.0},
    ],
)
def test_nothing_but_codes_numbers_tokens_and_user_ids_gets_in(bad: dict[str, Any]) -> None:
    given_ = {"at": 1, "kind": "mail.sent"} | bad
    with pytest.raises(ValueError, match="not fit for the journal") as caught:
        chain(None, given_.pop("at"), given_.pop("kind"), Phase.NOTE, **given_)
    said = next(iter(bad.values()))
    assert not isinstance(said, str) or len(said) < 4 or said not in str(caught.value)


def test_an_intent_opens_its_own_act_and_has_no_outcome() -> None:
    first = chain(None, 1, "mail.send", Phase.INTENT)
    assert (first.n, first.act, first.prev) == (1, "1", GENESIS)
    with pytest.raises(ValueError, match="outcome"):
        chain(first, 1, "mail.send", Phase.INTENT, outcome="sent")
    with pytest.raises(ValueError, match="act"):
        chain(first, 1, "mail.send", Phase.RESULT, outcome="sent")


def test_a_line_that_was_never_ours_is_refused() -> None:
    for line in (b"", b"null\n", b"[]\n", b"\xff\n", b'{"n":1}\n'):
        with pytest.raises(Tampered):
            read_line(line)
