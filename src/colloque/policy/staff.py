"""Who administers, and how one becomes an administrator. Pure.

Source of the second person's word: ANSSI, "Recommandations relatives à l'administration sécurisée des systèmes
d'information" (named accounts, apart from those of work; rights given by more than one person).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.errors import BadInput
from colloque.identity import UserId
from colloque.policy.localparts import base_of

CONFIRM_WITHIN = timedelta(hours=1)
"""How long a second administrator may confirm what the first one asked."""
VALID = timedelta(days=3650)
"""Staff administer until they are removed; an attestation must end some day."""
_LONGEST = 40


class NoStaff(StrEnum):
    """Why nothing is done. Stable codes."""

    NOTHING_ASKED = "nothing_asked"
    """Nobody has asked it, or too long ago."""
    SAME_PERSON = "same_person"
    ALREADY = "already_staff"
    NOT_STAFF = "not_staff"
    NAMED = "named_in_configuration"
    LAST = "last_administrator"


def read_name(typed: str) -> tuple[str, str]:
    """Given and family name, from `prenom.nom` or `Prénom Nom`. Raises BadInput."""
    plain = " ".join(typed.split())
    given, _, family = plain.partition(" " if " " in plain else ".")
    if not given or not family or max(len(given), len(family)) > _LONGEST or base_of(given, family).count(".") != 1:
        raise BadInput("a name is given as prenom.nom")
    return given[:1].upper() + given[1:], family


def shown(given_name: str, family_name: str) -> str:
    """How everybody sees an administrator."""
    return f"{given_name} {family_name.upper()} · administration"


def may_confirm(asked: tuple[UserId, datetime] | None, who: UserId, now: datetime) -> NoStaff | None:
    """None when `who` may confirm what was `asked`: by whom, when."""
    if asked is None or now - asked[1] > CONFIRM_WITHIN:
        return NoStaff.NOTHING_ASKED
    return NoStaff.SAME_PERSON if asked[0] == who else None


def may_remove(who: UserId, administrators: Collection[UserId], named: Collection[UserId]) -> NoStaff | None:
    """None when that administrator may be removed. `named`: those whom the configuration names, who are among them."""
    if who in named:
        return NoStaff.NAMED
    if who not in administrators:
        return NoStaff.NOT_STAFF
    return NoStaff.LAST if len(administrators) <= 1 else None
