"""When the word of colleagues proves who somebody is, for a limited time. Pure.

The rule is this project's own: no text defines vouching between health professionals. It must not let identities that
rest on a word make more of them, nor one person make many.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from colloque.attestation import Attestation, Kind, Method
from colloque.identity import Rpps, UserId
from colloque.policy.professions import Category

NEEDED = 2
"""Colleagues whose word it takes."""
CLAIM_LIFE = timedelta(days=7)
"""How long somebody's claim waits for them."""
MOST, WITHIN = 5, timedelta(days=30)
"""People whom one professional may vouch for in that time."""


class NoVouch(StrEnum):
    """Why somebody's word does not count. Stable codes."""

    MYSELF = "myself"
    KIND = "not_a_professional"
    VOUCHED = "vouched_themselves"
    """Their own identity rests on the word of others."""
    FROZEN = "frozen"
    STUDENT = "student"
    TOO_MANY = "too_many"


def may_vouch(held: Attestation, claimed: tuple[UserId, Rpps], lately: int) -> NoVouch | None:
    """None when the word counts of whoever holds that attestation, which is in force.

    `claimed`: the account, and the professional that it says to be. `lately`: for how many others they vouched WITHIN.
    """
    if held.user == claimed[0] or held.rpps == claimed[1]:
        return NoVouch.MYSELF
    if held.kind is not Kind.PROFESSIONAL:
        return NoVouch.KIND
    if held.method is Method.VOUCHED:
        return NoVouch.VOUCHED
    if held.frozen:
        return NoVouch.FROZEN
    if held.category == Category.STUDENT:
        return NoVouch.STUDENT
    return NoVouch.TOO_MANY if lately >= MOST else None
