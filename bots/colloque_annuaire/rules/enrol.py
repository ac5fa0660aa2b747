"""Who may ask for a code, and who becomes attested. Pure: the flow asks, these rules answer with data."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.attestation import Attestation, Method
from colloque.identity import EventId, MssanteAddress, Rpps, UserId
from colloque.policy.professions import Trade, may_enrol
from colloque.policy.renewal import DAYS
from colloque.professional import Mailbox, Professional

CODE_DIGITS = 6


class No(StrEnum):
    """Why an enrolment goes no further. Stable codes."""

    ALREADY = "already_attested"
    OTHER_RPPS = "account_has_other_rpps"
    TAKEN = "rpps_has_account"
    UNKNOWN = "not_in_directory"
    PROFESSION = "profession_not_admitted"
    NO_MAILBOX = "no_personal_mailbox"
    CHOOSE = "several_mailboxes"
    TOO_MANY = "too_many_codes"
    NO_CODE = "no_code"
    EXPIRED = "code_expired"
    DEAD = "code_dead"
    WRONG = "code_wrong"
    BARRED = "access_taken_away"
    OTHER_KIND = "account_has_other_kind"


@dataclass(frozen=True, slots=True)
class Ask:
    """All that is known when an account asks to be this professional."""

    user: UserId
    rpps: Rpps
    person: Professional | None
    held: Attestation | None
    """What the account is already attested as."""
    holder: UserId | None
    """Who is already attested as that professional."""
    codes_of_user: int
    """Codes made for the account in the last 24 h."""
    codes_of_rpps: int
    choice: int | None
    """Which of several mailboxes the person chose (from 1)."""
    barred: bool = False
    """Whose access was taken away, and not given back."""


def may_send_code(ask: Ask, *, per_day: int, now: datetime) -> Mailbox | No:
    """The mailbox the code goes to, or why none is sent. The directory alone says the address."""
    if ask.barred:
        return No.BARRED
    if ask.held is not None and ask.held.rpps != ask.rpps:
        return No.OTHER_RPPS
    if ask.held is not None and not may_prove_again(ask.held, now):
        return No.ALREADY
    if ask.holder is not None and ask.holder != ask.user:
        return No.TAKEN
    if ask.person is None:
        return No.UNKNOWN
    if (barred := judge_profession(ask.person)) is not None:
        return barred
    boxes = ask.person.personal_mailboxes
    if not boxes:
        return No.NO_MAILBOX
    if ask.codes_of_user >= per_day or ask.codes_of_rpps >= per_day:
        return No.TOO_MANY
    if len(boxes) > 1 and (ask.choice is None or not 1 <= ask.choice <= len(boxes)):
        return No.CHOOSE
    return boxes[(ask.choice or 1) - 1] if len(boxes) > 1 else boxes[0]


def may_prove_again(held: Attestation, now: datetime) -> bool:
    """Whether a new proof changes anything: it has ended or soon will, it is weak, or its holder may begin nothing."""
    soon = held.valid_until - now <= timedelta(days=DAYS[0])
    return soon or not held.is_valid(now) or held.method is Method.VOUCHED or held.frozen


def judge_profession(person: Professional) -> No | None:
    """None when one of the person's exercises may be verified here: by its codes, never by its label."""
    trades = [Trade(a.profession_code, a.category_code) for a in person.activities]
    return No.PROFESSION if may_enrol(trades) is not None else None


def exercises_of(person: Professional) -> tuple[Trade, ...]:
    """Under what the person may be verified: professions, each with its status, in the directory's order."""
    trades = dict.fromkeys(Trade(a.profession_code, a.category_code) for a in person.activities)
    return tuple(trade for trade in trades if may_enrol([trade]) is None)


def settled(offered: Sequence[Trade], chosen: Trade | None, before: Trade | None) -> Trade | None:
    """Under which exercise, when nobody needs to be asked: the only one, what they say now, or what they said before.

    None when the person must say it.
    """
    if len(offered) == 1:
        return offered[0]
    return next((trade for trade in (chosen, before) if trade in offered), None)


def code_for(secret: bytes, event: EventId, rpps: Rpps, address: MssanteAddress) -> str:
    """The six digits for one request: unpredictable without the secret, the same when asked again after a crash."""
    seed = f"colloque code v1\0{event}\0{rpps.value}\0{address.value}".encode()
    number = int.from_bytes(hmac.new(secret, seed, hashlib.sha256).digest()[:8])
    return f"{number % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def judge_code(*, typed: str, right: str, state: str, expires_at: datetime, now: datetime) -> No | None:
    """None when the typed digits are right and still count; else why not."""
    if state == "dead":
        return No.DEAD
    if state != "open":
        return No.NO_CODE
    if now >= expires_at:
        return No.EXPIRED
    return None if hmac.compare_digest(typed.encode(), right.encode()) else No.WRONG
