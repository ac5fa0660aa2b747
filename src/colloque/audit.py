"""The journal's chain, pure. One entry is one line of canonical JSON; each holds the hash of the one before.

An entry's `hash` is SHA-256 over the line's JSON without the `hash` field (keys sorted, no spaces, ASCII).
By construction an entry holds no health datum and no raw room, event, file or mail address: facts are codes and
whole numbers, `room` and `ref` are keyed digests, the actor is a Matrix user id or `system`.

What the chain shows: an edited, missing, inserted or moved line. What it can't show alone: a tail cut off, or a
chain rewritten as a whole; for both, compare with a head hash noted elsewhere (`expect_head`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from colloque.errors import BadIdentifier, Tampered
from colloque.identity import contains_ins, parse_user_id

GENESIS = "0" * 64
"""What the first entry names as the one before."""
SYSTEM = "system"
"""The actor when no person is behind an act."""

Fact = str | int | bool

_KIND = re.compile(r"[a-z][a-z0-9_.]{0,63}\Z")
_FACT_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_CODE = re.compile(r"[a-z0-9_.:-]{0,64}\Z")
_TOKEN = re.compile(r"(?:(?:[a-z]{1,16}-)?[0-9a-f]{16,64})?\Z")
_ACT = re.compile(r"[1-9][0-9]{0,17}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_LIMIT = 2**53


class Phase(StrEnum):
    """What an entry is: before an act, after it, or neither."""

    INTENT = "intent"
    RESULT = "result"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. Made by `chain` or `read_line`; `hash` is computed, never given."""

    n: int
    """1 for the first, then one more each."""
    at: int
    """Milliseconds since 1970, as the clock said; may go back with it."""
    kind: str
    """What is done, e.g. `room.erase`."""
    phase: Phase
    act: str
    """Number of the entry that opened the act; empty for a note."""
    actor: str
    room: str
    """The room's token (`colloque.store.roomkeys`), or empty."""
    ref: str
    """Token of the event, file or thing: 16 to 64 hex digits, a short word and a hyphen before them or not."""
    outcome: str
    """A code; empty for an intent."""
    facts: Mapping[str, Fact]
    prev: str
    hash: str = field(default="", compare=False)

    def content(self) -> bytes:
        """What is hashed: canonical JSON without the hash."""
        return _canonical({name: getattr(self, name) for name in _FIELDS})

    def line(self) -> bytes:
        """What is written, newline included."""
        return _canonical({name: getattr(self, name) for name in (*_FIELDS, "hash")}) + b"\n"


_FIELDS = ("n", "at", "kind", "phase", "act", "actor", "room", "ref", "outcome", "facts", "prev")


def _canonical(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def chain(
    last: Entry | None,
    at: int,
    kind: str,
    phase: Phase,
    *,
    act: str = "",
    actor: str = SYSTEM,
    room: str = "",
    ref: str = "",
    outcome: str = "",
    facts: Mapping[str, Fact] | None = None,
) -> Entry:
    """The entry that follows `last` (None: the first). An intent opens its own act; `act` is for results.

    Raises ValueError when anything in it is not a code, a number, a token or a user id.
    """
    n = last.n + 1 if last else 1
    opened = str(n) if phase is Phase.INTENT else act
    prev = last.hash if last else GENESIS
    return _sealed(Entry(n, at, kind, phase, opened, actor, room, ref, outcome, dict(facts or {}), prev))


def _sealed(entry: Entry) -> Entry:
    _check(entry)
    return replace(entry, hash=hashlib.sha256(entry.content()).hexdigest())


def _check(entry: Entry) -> None:
    """Raises ValueError; its message names the rule and never repeats the value."""
    opens, closes = entry.phase is Phase.INTENT, entry.phase is Phase.RESULT
    rules = {
        "its number and time are whole numbers": _is_count(entry.n) and entry.n > 0 and _is_count(entry.at),
        "it names the hash of the one before": _HASH.match(entry.prev),
        "its kind is a code": _KIND.match(entry.kind),
        "its act is a number, and a note has none": _ACT.match(entry.act) if opens or closes else entry.act == "",
        "its outcome is a code, and an intent has none yet": _is_code(entry.outcome) and not (opens and entry.outcome),
        "its room is a token, never an identifier": _TOKEN.match(entry.room),
        "its ref is a token, never an identifier": _TOKEN.match(entry.ref),
        "its actor is a Matrix user id or `system`": entry.actor == SYSTEM or _is_user(entry.actor),
        "its facts are codes of at most 64 of a-z 0-9 _ . : - or whole numbers": all(
            _FACT_NAME.match(name) and _is_fact(value) for name, value in entry.facts.items()
        ),
    }
    for rule, holds in rules.items():
        if not holds:
            raise ValueError(f"not fit for the journal: {rule}")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < _LIMIT


def _is_user(actor: str) -> bool:
    try:
        return parse_user_id(actor) == actor
    except BadIdentifier:
        return False


def _is_fact(value: object) -> bool:
    if isinstance(value, str):
        return _is_code(value)
    return type(value) is bool or (type(value) is int and abs(value) < _LIMIT and not _looks_like_ins(str(value)))


def _is_code(value: str) -> bool:
    return _CODE.match(value) is not None and not _looks_like_ins(value)


def _looks_like_ins(value: str) -> bool:
    return contains_ins(re.sub(r"[_:-]", ".", value))


def read_line(line: bytes) -> Entry:
    """One line as written, newline included. Raises Tampered when it is anything else, byte for byte."""
    try:
        raw = json.loads(line)
        entry = _sealed(Entry(**{name: raw[name] for name in _FIELDS} | {"phase": Phase(raw["phase"])}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Tampered("the line is not an entry of a journal") from None
    if line != entry.line():
        raise Tampered("the entry's hash does not hold")
    return entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `problem` is empty when all holds, else one of:

    `torn` (the last line was not written whole), `edited` (not an entry whose hash holds), `missing` (one or more
    lines are gone before it), `moved` (inserted, doubled or out of order), `replaced` (its number fits, what it
    follows does not), `orphan` (a result without its intent), `head` (the expected head is nowhere: the tail was
    cut or the chain rewritten).
    """

    count: int
    """Entries that hold, from the first."""
    head: str
    """Hash of the last that holds."""
    problem: str = ""
    line_no: int = 0
    """Line of the problem, from 1; 0 when there is none or it concerns the whole."""
    open_intents: tuple[Entry, ...] = ()
    anchored: bool = False
    """True when `expect_head` was given and found: nothing up to it was cut or rewritten."""
    last: Entry | None = None

    @property
    def ok(self) -> bool:
        """True when no problem was found."""
        return not self.problem


def verify_lines(lines: Iterable[bytes], expect_head: str | None = None) -> Verdict:
    """Check a whole journal, line by line as a file gives them (newlines included)."""
    last: Entry | None = None
    opened: dict[str, Entry] = {}
    anchored = expect_head == GENESIS
    problem = ""
    for line in lines:
        entry, problem = _next(line, last, opened)
        if entry is None:
            break
        if entry.phase is Phase.INTENT:
            opened[entry.act] = entry
        elif entry.phase is Phase.RESULT:
            del opened[entry.act]
        last = entry
        anchored = anchored or entry.hash == expect_head
    count, head = (last.n, last.hash) if last else (0, GENESIS)
    line_no = count + 1 if problem else 0
    if not problem and expect_head is not None and not anchored:
        problem = "head"
    return Verdict(count, head, problem, line_no, tuple(opened.values()), anchored, last)


def _next(line: bytes, last: Entry | None, opened: Mapping[str, Entry]) -> tuple[Entry | None, str]:
    """The entry if it follows, else the problem."""
    if not line.endswith(b"\n"):
        return None, "torn"
    try:
        entry = read_line(line)
    except Tampered:
        return None, "edited"
    expected = last.n + 1 if last else 1
    if entry.n != expected:
        return None, "missing" if entry.n > expected else "moved"
    if entry.prev != (last.hash if last else GENESIS):
        return None, "replaced"
    if entry.phase is Phase.RESULT and entry.act not in opened:
        return None, "orphan"
    return entry, ""
