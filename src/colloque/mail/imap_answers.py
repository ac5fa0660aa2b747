"""What an IMAP server's answers say (RFC 3501, 7162, 9051): pure, from responses to values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

Response = list[bytes]
"""One response: text and literals in turn, the first and last always text (without its line end)."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\Z", re.IGNORECASE)
VANISHED = re.compile(rb"\* VANISHED( \(EARLIER\))? ([\d,:]+)\Z", re.IGNORECASE)
_UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_HIGHESTMODSEQ = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_FETCHED = re.compile(rb"\* \d+ FETCH \((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)", re.IGNORECASE)
_INTERNAL_DATE = re.compile(
    rb'INTERNALDATE "([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_BODY = re.compile(rb'BODY\[\](?:<\d+>)? (NIL|\{\d+\}|"(?:\\.|[^"\\])*")', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one message. `internal_date` (aware) is None where the server did not say it."""

    uid: int
    internal_date: datetime | None
    raw: bytes = field(repr=False)


def uidvalidity(found: Iterable[Response]) -> int | None:
    """Of the mailbox that was opened; None when the server did not say it."""
    return _number(_UIDVALIDITY, found)


def uidnext(found: Iterable[Response]) -> int:
    """The UID that the next mail may have; 0 when the server did not say it."""
    return _number(_UIDNEXT, found) or 0


def highest_modseq(found: Iterable[Response]) -> int:
    """Of the mailbox that was opened; 0 where it keeps none (NOMODSEQ, or a server without CONDSTORE)."""
    return _number(_HIGHESTMODSEQ, found) or 0


def searched(found: Iterable[Response]) -> list[int]:
    """The numbers that SEARCH gave."""
    lists = (parts[0].split()[2:] for parts in found if parts[0].upper().startswith(b"* SEARCH"))
    return [int(one) for numbers in lists for one in numbers if one.isdigit()]


def flags(found: Iterable[Response]) -> dict[int, frozenset[str]]:
    """Flags and keywords, in small letters, by UID."""
    out: dict[int, frozenset[str]] = {}
    for parts in found:
        inside = _FETCHED.match(parts[0])
        if inside and (uid := _UID.search(inside[1])) and (told := _FLAGS.search(inside[1])):
            out[int(uid[1])] = frozenset(told[1].decode("ascii", "replace").lower().split())
    return out


def modseq(parts: Response) -> int:
    """What a FETCH answer says of when its message last changed; 0 for nothing.

    Answers with anything quoted are not looked at: what a sender wrote must never pass for it.
    """
    if len(parts) > 1 or b'"' in parts[0] or not _FETCHED.match(parts[0]):
        return 0
    told = _MODSEQ.search(parts[0])
    return int(told[1]) if told else 0


def vanished(found: Iterable[Response], among: Collection[int]) -> frozenset[int]:
    """Which of `among` VANISHED answers name."""
    heads = [match for parts in found if (match := VANISHED.match(parts[0]))]
    spans = [span for match in heads for span in _spans(match[2])]
    return frozenset(uid for uid in among if any(low <= uid <= high for low, high in spans))


def count(uids: bytes) -> int:
    """How many a set of UIDs names."""
    return sum(high - low + 1 for low, high in _spans(uids))


def sequence_set(uids: Iterable[int]) -> str:
    """`3:5,9` for 3, 4, 5 and 9: UIDs in any order, each named once."""
    spans: list[list[int]] = []
    for uid in sorted(set(uids)):
        if spans and uid == spans[-1][1] + 1:
            spans[-1][1] = uid
        else:
            spans.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in spans)


def piece(parts: Response) -> Piece | None:
    """The message, or the piece of one, in a FETCH answer; None for any other answer."""
    text = b"".join(parts[::2])
    uid, body = _UID.search(text), _BODY.search(text)
    if uid is None or body is None or b" FETCH " not in text.upper():
        return None
    return Piece(int(uid[1]), _internal_date(text), _body_bytes(parts, body[1]))


def _internal_date(text: bytes) -> datetime | None:
    match = _INTERNAL_DATE.search(text)
    if not match:
        return None
    day, month, year, hour, minute, second, sign, zone_h, zone_m = (g.decode() for g in match.groups())
    offset = timedelta(hours=int(zone_h), minutes=int(zone_m)) * (-1 if sign == "-" else 1)
    try:
        rank = MONTHS.index(month.title()) + 1
        return datetime(int(year), rank, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
    except ValueError:
        return None


def _body_bytes(parts: Response, mark: bytes) -> bytes:
    """The body: the literal whose text before ends with `mark`, or `mark` itself when it is a quoted string or NIL."""
    if mark.startswith(b"{"):
        return next(parts[i + 1] for i in range(0, len(parts) - 1, 2) if _BODY.search(parts[i]))
    if mark.upper() == b"NIL":
        return b""
    return re.sub(rb"\\(.)", rb"\1", mark[1:-1])


def _number(pattern: re.Pattern[bytes], found: Iterable[Response]) -> int | None:
    return next((int(match[1]) for parts in found if (match := pattern.search(parts[0]))), None)


def _spans(uids: bytes) -> list[tuple[int, int]]:
    """The ranges of a set. One that is malformed names nothing."""
    out = []
    for one in uids.split(b","):
        ends = [int(end) for end in one.split(b":") if end]
        if ends and len(ends) == 1 + one.count(b":") <= 2:
            out.append((min(ends), max(ends)))
    return out
