"""Results that people may name by a number, and what they type about them. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from urllib.parse import unquote

from colloque.attestation import Attestation
from colloque.clock import PARIS
from colloque.errors import BadIdentifier, Inconsistent
from colloque.identity import Adeli, MssanteAddress, Rpps, UserId, parse_user_id
from colloque.numbers import fold, number
from colloque.professional import Activity, Professional

_YES = frozenset({"oui", "ok", "yes", "o", "d'accord", "daccord", "confirmer", "je confirme"})
_RESULT = re.compile(r"(?:n|no|num|numero|nro|resultat|le|#)?[\s°ºo.:#]*([0-9]{1,5})")
_LINK = re.compile(r"https?://matrix\.to/#/([^?\s]+)")
_TOO_BIG = 100_000
_RPPS_DIGITS, _ADELI_CHARS = 11, 9


class Reach(StrEnum):
    """How somebody can be written to."""

    COLLOQUE = "colloque"
    """They have an account whose identity is verified."""
    MSSANTE = "mssante"
    """The directory lists a mailbox."""
    NONE = "none"


class Unopened(StrEnum):
    """Why no room was opened with somebody. Stable codes."""

    TOO_MANY = "too_many"
    """The asker had too many made for them today."""
    HOME = "home"
    """The homeserver refused: one of the two may not be verified any more."""
    LEFT = "left"
    """The asker refused their own invitation, or never came in."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One person on a page: their national number, and how many others found bore the same name."""

    number: Rpps | Adeli
    homonyms: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One person on a page, as it is told: under which number, how reachable, whether it is the asker."""

    n: int
    person: Professional
    homonyms: int
    reach: Reach
    is_asker: bool = False


def reach_of(person: Professional, attested: Attestation | None) -> Reach:
    """How the person can be written to; `attested` is what our accounts say of them."""
    if attested is not None:
        return Reach.COLLOQUE
    return Reach.MSSANTE if person.mailboxes else Reach.NONE


def number_key(number: Rpps | Adeli) -> str:
    """How a national number is stored: its type digit first."""
    return number.national


def number_from(key: str) -> Rpps | Adeli:
    """The reverse. Raises Inconsistent."""
    match key[:1]:
        case "8":
            return Rpps(key[1:])
        case "0":
            return Adeli(key[1:])
        case _:
            raise Inconsistent("a stored national number of no known type")


def today(now: datetime) -> date:
    """The day in Paris."""
    return now.astimezone(PARIS).date()


def says_yes(text: str) -> bool:
    """A text that is a yes and nothing else."""
    return fold(text).strip(" \n.,;!") in _YES


def result_and_yes(words: Sequence[str]) -> tuple[int | None, bool]:
    """The result's number as typed ("3", "n° 3", "trois"), and whether a yes follows it."""
    yes = bool(words) and says_yes(words[-1])
    typed = " ".join(words[:-1] if yes else words)
    return _result(typed), yes


def _result(typed: str) -> int | None:
    found = _RESULT.fullmatch(fold(typed).strip())
    value = int(found[1]) if found else number(typed)
    return value if value is not None and value < _TOO_BIG else None


def whom(
    rest: str, mentions: Iterable[UserId] = (), *, test: bool
) -> UserId | MssanteAddress | Rpps | Adeli | int | None:
    """What `!qui` was given: an account, an address, a national number or a result's number; None for anything else.

    An RPPS number may be typed in groups. `test` admits wrong keys.
    """
    mentioned = list(mentions)
    if len(mentioned) == 1:
        return mentioned[0]
    link = _LINK.search(rest)
    plain = unquote(link[1]) if link else rest
    named = [word.strip("<>()[],;.") for word in plain.split() if "@" in word]
    if named:
        return _account_or_address(named[0])
    return _number(rest, test=test)


def mentioned(content: Mapping[str, object], bots: Collection[UserId]) -> UserId | None:
    """The one account that a client's mention names. Our bots are left out: an answer to one mentions it."""
    raw = content.get("m.mentions")
    users = raw.get("user_ids") if isinstance(raw, dict) else None
    named = [UserId(u) for u in users if isinstance(u, str)] if isinstance(users, list) else []
    others = [user for user in named if user not in bots]
    return others[0] if len(others) == 1 else None


def is_long_number(rest: str) -> bool:
    """Typed like a national number, right or wrong."""
    return sum(char.isdecimal() for char in rest) >= _ADELI_CHARS


def _account_or_address(word: str) -> UserId | MssanteAddress | None:
    try:
        return parse_user_id(word) if word.startswith("@") else MssanteAddress.parse(word.removeprefix("mailto:"))
    except BadIdentifier:
        return None


def _number(rest: str, *, test: bool) -> Rpps | Adeli | int | None:
    grouped = re.sub(r"[\s.]", "", re.sub(r"^\D*(?=\d)", "", rest))
    try:
        if len(grouped) >= _RPPS_DIGITS:
            return Rpps.parse(grouped, test=test)
        return Adeli.parse(grouped) if len(grouped) == _ADELI_CHARS else _result(rest)
    except BadIdentifier:
        return None


def trades(person: Professional) -> tuple[str, ...]:
    """What the person does, each once: "Médecin, Cardiologie"."""
    return tuple(dict.fromkeys(trade(a) for a in person.activities))


def trade(activity: Activity) -> str:
    """Profession, and specialty where there is one."""
    return ", ".join(part for part in (activity.profession, activity.specialty) if part)


def places(person: Professional, asked: Sequence[str]) -> tuple[str, ...]:
    """The person's towns, those that were asked for first."""
    wanted = {fold(word) for place in asked for word in (place, *place.split())}
    return tuple(sorted(person.towns, key=lambda town: not any(_is_in(fold(town), word) for word in wanted)))


def _is_in(town: str, place: str) -> bool:
    """The place itself, or a part of it: "lyon 7e arrondissement" is in "lyon"."""
    return town == place or town.startswith(place + " ")


def distinct(person: Professional, asked: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    """What tells homonyms apart: (trade, structure, town) of each activity, those in the places asked for first."""
    rank = {town: at for at, town in enumerate(places(person, asked))}
    found = dict.fromkeys((trade(a), a.structure, a.town) for a in person.activities)
    return tuple(sorted(found, key=lambda where: rank.get(where[2], len(rank))))
