"""An attestation as other servers get it: signed by the person's own server, short-lived, never believed alone. Pure.

The claims are `user, rpps, name, professions, method, kind, issued_at, valid_until` (milliseconds since 1970) and
`frozen`. What a server admits is decided by `admit`, from its own copy of the directory; so are name and professions
shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.clock import from_millis, to_millis
from colloque.errors import BadIdentifier, Refused, Tampered
from colloque.identity import Rpps, UserId, parse_user_id, server_of
from colloque.numbers import fold
from colloque.policy.exchange import KeyOf, Signer
from colloque.policy.jws import Jws, Verify, seal
from colloque.policy.professions import Trade, may_enrol
from colloque.professional import Professional

TYPE = "fr.colloque.attestation"
LIFE = timedelta(days=7)
"""Of those that we sign: how long somebody admitted elsewhere stays so while their server does not answer."""
MAX_LIFE = timedelta(days=31)
"""Of those that we believe."""
REFRESH_AFTER = timedelta(days=1)
"""Asked for again when it is older: what the server would say of the person today."""
KIND = "professional"
"""The one kind that crosses servers: nobody else stands in the directory under a number of their own."""

_CLAIMS = {
    "user": str,
    "rpps": str,
    "name": str,
    "professions": list,
    "method": str,
    "kind": str,
    "issued_at": int,
    "valid_until": int,
    "frozen": bool,
}


class No(StrEnum):
    """Why somebody of another server is not admitted. Stable codes."""

    KIND = "passport_kind"
    TOO_LONG = "passport_too_long"
    """Valid for longer than any may be."""
    EXPIRED = "passport_expired"
    REVOKED = "passport_revoked"
    """Signed before the person's server revoked them."""
    STALE = "directory_stale"
    """Our directory is too old to admit anybody new."""
    UNKNOWN = "directory_unknown"
    INACTIVE = "directory_inactive"
    """Listed without any exercise."""
    NAME = "directory_name"
    """Listed under another name."""
    PROFESSION = "directory_profession"
    TAKEN = "rpps_has_account"
    """Another account is already that professional."""


@dataclass(frozen=True, slots=True)
class Passport:
    """What a server says of one of its people. Times are aware UTC."""

    user: UserId
    rpps: Rpps
    name: str
    """As the signer's directory writes it, e.g. "Dr Anne MARTIN"."""
    professions: tuple[str, ...]
    """TRE_G15 codes."""
    method: str
    kind: str
    issued_at: datetime
    valid_until: datetime
    frozen: bool = False
    """May stay where they are, and make no new contact."""


@dataclass(frozen=True, slots=True)
class Known:
    """What our server knows when somebody presents a passport."""

    person: Professional | None
    """Who our directory says has that number."""
    stale: bool
    """Whether that directory is too old to admit anybody on its word."""
    holder: UserId | None
    """The account, here or elsewhere, that is already that professional."""
    revoked_at: datetime | None
    """When their server last revoked that account."""


def sign_passport(us: Signer, passport: Passport) -> str:
    """The signed text."""
    claims = {
        "user": passport.user,
        "rpps": passport.rpps.value,
        "name": passport.name,
        "professions": list(passport.professions),
        "method": passport.method,
        "kind": passport.kind,
        "issued_at": to_millis(passport.issued_at),
        "valid_until": to_millis(passport.valid_until),
        "frozen": passport.frozen,
    }
    return seal(TYPE, us.kid, claims, us.sign)


def open_passport(text: str, *, server: str, key_of: KeyOf, verify: Verify, test: bool = False) -> Passport:
    """What `server` says of one of its own accounts. Raises Tampered. `test` admits fictive numbers."""
    jws = Jws.read(text, TYPE)
    claims = jws.check(key_of(server, jws.kid), verify)
    if claims.keys() != _CLAIMS.keys() or any(type(claims[name]) is not kind for name, kind in _CLAIMS.items()):
        raise Tampered("the attestation is not understood")
    try:
        found = Passport(
            user=parse_user_id(claims["user"]),
            rpps=Rpps.parse(claims["rpps"], test=test),
            name=claims["name"],
            professions=tuple(str(code) for code in claims["professions"]),
            method=claims["method"],
            kind=claims["kind"],
            issued_at=from_millis(claims["issued_at"]),
            valid_until=from_millis(claims["valid_until"]),
            frozen=claims["frozen"],
        )
    except (BadIdentifier, ValueError, OverflowError, OSError):
        raise Tampered("the attestation is not understood") from None
    if server_of(found.user) != server or found.user != claims["user"]:
        raise Tampered("the attestation is not of one of that server's accounts")
    return found


def admit(passport: Passport, known: Known, now: datetime) -> Professional:
    """The professional whom that account is. Raises Refused (reason: a `No`)."""
    _in_force(passport, known.revoked_at, now)
    person = _listed(passport, known)
    if known.holder not in {None, passport.user}:
        raise Refused(No.TAKEN)
    return person


def _in_force(passport: Passport, revoked_at: datetime | None, now: datetime) -> None:
    if passport.kind != KIND:
        raise Refused(No.KIND)
    if passport.valid_until - passport.issued_at > MAX_LIFE:
        raise Refused(No.TOO_LONG)
    if now >= passport.valid_until:
        raise Refused(No.EXPIRED)
    if revoked_at is not None and passport.issued_at <= revoked_at:
        raise Refused(No.REVOKED)


def _listed(passport: Passport, known: Known) -> Professional:
    if known.stale:
        raise Refused(No.STALE)
    if known.person is None:
        raise Refused(No.UNKNOWN)
    if not known.person.activities:
        raise Refused(No.INACTIVE)
    if not same_name(passport.name, known.person):
        raise Refused(No.NAME)
    if may_enrol([Trade(a.profession_code, a.category_code) for a in known.person.activities]) is not None:
        raise Refused(No.PROFESSION)
    return known.person


def same_name(name: str, person: Professional) -> bool:
    """Accents, case, punctuation and titles apart."""
    return _words(name).removeprefix("dr ") == _words(f"{person.given_name} {person.family_name}")


def _words(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in fold(text)).split())


def due(issued_at: datetime, now: datetime) -> bool:
    """True when it is time to ask their server again."""
    return now - issued_at >= REFRESH_AFTER
