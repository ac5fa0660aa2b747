"""Who is meant by what a clinician typed after `!patient ouvrir`. Pure: only verified people can be meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from colloque.attestation import Attestation, Kind
from colloque.directory.folding import fold
from colloque.identity import UserId
from colloque.rooms.patient_room import PatientRoom

_SPLIT = re.compile(r"\s*(?:,|;|\bet\b|\+)\s*", re.IGNORECASE)
_SHORT = 3
"""Letters of the shortest beginning of a name that is taken for it."""
_NOISE = {"dr", "docteur", "mme", "madame", "m", "monsieur", "avec", "pour"}


@dataclass(frozen=True, slots=True)
class Team:
    """The colleagues found, and what could not be settled."""

    found: tuple[Attestation, ...] = ()
    unknown: tuple[str, ...] = ()
    """Parts that name nobody who is verified here."""
    ambiguous: tuple[tuple[str, tuple[Attestation, ...]], ...] = ()
    """Parts that name several people: never picked silently."""
    near: tuple[tuple[str, tuple[Attestation, ...]], ...] = ()
    """Of the unknown parts: who bears a name that is spelled nearly so, or begins so. Asked, never picked."""


def understand(typed: str, mentions: Sequence[UserId], people: Iterable[Attestation], me: UserId) -> Team:
    """Read `typed` (user ids, RPPS numbers, names; separated by commas or "et") and the client's own mentions."""
    others = {a.user: a for a in people if a.user != me}
    found = {u: others[u] for u in mentions if u in others}
    unknown: list[str] = []
    ambiguous: list[tuple[str, tuple[Attestation, ...]]] = []
    for part in _SPLIT.split(typed.strip()):
        if not part or _is_mention(part, found.values()):
            continue
        matches = _matches(part, others.values())
        if len(matches) == 1:
            found[matches[0].user] = matches[0]
        elif matches:
            ambiguous.append((part, tuple(sorted(matches, key=lambda a: a.name))))
        else:
            unknown.append(part)
    near = tuple((part, like) for part in unknown if (like := _near(part, others.values())))
    return Team(tuple(found.values()), tuple(unknown), tuple(ambiguous), near)


def recent(rooms: Iterable[PatientRoom], me: UserId) -> list[UserId]:
    """With whom `me` shares patient rooms, whoever wrote last in one first."""
    mine = [room for room in rooms if me in {room.opener, *room.members}]
    by_activity = sorted(mine, key=lambda room: room.last_activity, reverse=True)
    people = (user for room in by_activity for user in (room.opener, *room.members) if user != me)
    return list(dict.fromkeys(people))


def _near(part: str, people: Iterable[Attestation]) -> tuple[Attestation, ...]:
    """One letter wrong in a word of four, two in one of eight; or at least three letters of its beginning."""
    words = [word for word in fold(part).split() if word not in _NOISE and not word.isdecimal()]
    if not words:
        return ()
    return tuple(
        sorted(
            (held for held in people if all(_is_like(word, fold(held.name).split()) for word in words)),
            key=lambda held: held.name,
        )
    )


def _is_like(word: str, names: Sequence[str]) -> bool:
    most = len(word) // 4
    return any(
        (len(word) > _SHORT - 1 and name.startswith(word)) or OSA.distance(word, name, score_cutoff=most) <= most
        for name in names
    )


def _is_mention(part: str, found: Iterable[Attestation]) -> bool:
    """True for the text a client leaves where it made a mention."""
    return any(fold(part) == fold(a.name) or part == a.user for a in found)


def _matches(part: str, people: Iterable[Attestation]) -> list[Attestation]:
    raw = part.strip()
    if raw.startswith("@"):
        return [a for a in people if a.user.casefold() == raw.casefold()]
    digits = re.sub(r"[\s.]", "", raw)
    if digits.isdecimal():
        # Who works under somebody bears their number: it means the professional.
        return [a for a in people if a.kind is Kind.PROFESSIONAL and a.rpps.value in {digits, digits[1:]}]
    words = [w for w in fold(raw).split() if w not in _NOISE]
    if not words:
        return []
    return [a for a in people if all(w in fold(a.name).split() for w in words)]
