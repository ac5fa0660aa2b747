"""What Pro Santé Connect says of a person, read strictly. Pure.

Shape (source: ANS, claims of `scope_all`): `SubjectNameID` is the national identifier, a type digit and the number;
`SubjectRefPro.exercices` lists what the person exercises, each with its activities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from colloque.errors import BadIdentifier, Refused, Tampered
from colloque.identity import Rpps

NAME_MAX = 200
EXERCISES_MAX = 50
"""Nobody has as many; an answer that says so is not read further."""


class No(StrEnum):
    """Why a login at Pro Santé Connect proves nothing here. Stable codes."""

    NOT_RPPS = "psc_not_rpps"
    """An ADELI number, a structure's employee, a fictive person of the sandbox."""
    NO_EXERCISE = "psc_no_exercise"
    ACR = "psc_acr"
    """Not logged in by the means that we ask for."""
    OTHER_PERSON = "psc_other_person"
    """Somebody else answered than the one who was asked."""
    DENIED = "psc_denied"
    """The person said no."""
    EXPIRED = "psc_expired"
    """Nobody answered in time."""
    GONE = "psc_gone"
    """The code or request was used already, or is too old: begin again."""
    UNKNOWN_PERSON = "psc_unknown_person"
    """Pro Santé Connect knows nobody by that number, or they have no e-CPS phone."""
    FAILED = "psc_failed"
    """Pro Santé Connect ended the login for another reason."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """Under what somebody exercises (TRE_G15, TRE_R09, TRE_R38); empty where nothing is said."""

    profession_code: str
    category_code: str
    specialty_code: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged in. The Annuaire Santé, not this, says who may enter; names are for the audit of differences."""

    rpps: Rpps
    given_name: str = field(repr=False)
    family_name: str = field(repr=False)
    exercises: tuple[Exercise, ...]
    """All of them, distinct, in Pro Santé Connect's order; never empty. Which one counts is for the person to say."""


def identity(userinfo: Mapping[str, object], *, test: bool = False) -> Identity:
    """Read it. `test` admits fictive numbers. Raises Refused (`No`), Tampered (what is there has another shape)."""
    return Identity(
        rpps=national_rpps(userinfo.get("SubjectNameID"), test=test),
        given_name=_text(userinfo, "given_name", NAME_MAX),
        family_name=_text(userinfo, "family_name", NAME_MAX),
        exercises=_exercises(userinfo.get("SubjectRefPro")),
    )


def national_rpps(value: object, *, test: bool) -> Rpps:
    """The number in a national identifier (`8`, then the RPPS). Raises Refused."""
    if not isinstance(value, str) or not re.fullmatch(r"8\d{11}", value, re.ASCII):
        raise Refused(No.NOT_RPPS)
    try:
        return Rpps.parse(value[1:], test=test)
    except BadIdentifier:
        raise Refused(No.NOT_RPPS) from None


def _exercises(ref: object) -> tuple[Exercise, ...]:
    listed = ref.get("exercices") if isinstance(ref, dict) else None
    if ref is not None and not isinstance(ref, dict):
        raise Tampered("psc: SubjectRefPro is no object")
    if not listed:
        raise Refused(No.NO_EXERCISE)
    if not isinstance(listed, list) or len(listed) > EXERCISES_MAX:
        raise Tampered("psc: exercices is no list, or endless")
    return tuple(dict.fromkeys(map(_exercise, listed)))


def _exercise(raw: object) -> Exercise:
    if not isinstance(raw, dict):
        raise Tampered("psc: an exercise is no object")
    profession = _text(raw, "codeProfession", 10)
    if not profession:
        raise Tampered("psc: an exercise names no profession")
    return Exercise(profession, _text(raw, "codeCategorieProfessionnelle", 10), _text(raw, "codeSavoirFaire", 10))


def _text(raw: Mapping[str, object], name: str, most: int) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or not (value.isprintable() or not value):
        raise Tampered(f"psc: {name} is no text")
    return value
