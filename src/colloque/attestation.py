"""Attestations, and the snapshot that carries them to every process that must decide. How it is written: `signed`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from colloque.identity import Rpps, UserId, localpart


class Method(StrEnum):
    """How a person proved who they are."""

    MAILBOX_CODE = "mailbox_code"
    """A one-time code sent to the PER mailbox that the directory lists for the RPPS."""
    PSC = "psc"
    """Pro Santé Connect, in a browser."""
    CIBA = "ciba"
    """Pro Santé Connect, asked for from the chat."""
    VOUCHED = "vouched"
    """The word of two attested colleagues."""
    SPONSORED = "sponsored"
    """The word of the professional under whom somebody works."""
    BOOTSTRAP = "bootstrap"
    """An operator at the machine: staff only."""


class Kind(StrEnum):
    """As what a person is attested."""

    PROFESSIONAL = "professional"
    SUPERVISED = "supervised"
    """Works under a named professional (secretary, trainee)."""
    STAFF = "staff"
    """Administers; is in no patient room."""


SALLES = "salles"
"""The name, on every server of a federation, of the bot that makes patient rooms: the others know it by that."""
NO_RPPS = Rpps("")
"""The number of staff: none."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A dated proof that a Matrix user, here or on a listed server, is somebody. Times are aware UTC."""

    user: UserId
    rpps: Rpps
    """A professional's own; of a supervised person, that of `under`; NO_RPPS of staff."""
    name: str
    """The directory's display name."""
    method: Method
    issued_at: datetime
    valid_until: datetime
    kind: Kind = Kind.PROFESSIONAL
    professions: tuple[str, ...] = ()
    """Codes of what they exercise (TRE_G15, TRE_R94, TRE_R95)."""
    category: str = ""
    """Under which status (TRE_R09: C, M or E); of several, the one that may most."""
    under: Rpps | None = None
    """Who answers for a supervised person."""
    frozen: bool = False
    """May stay and write, may not invite, open, or be invited: the directory no longer lists them."""

    @property
    def person(self) -> str:
        """The name alone, without the profession that follows it in the display name."""
        return self.name.partition(" · ")[0]

    def is_valid(self, now: datetime) -> bool:
        """True while `issued_at <= now < valid_until`."""
        return self.issued_at <= now < self.valid_until


@dataclass(frozen=True, slots=True)
class Listed:
    """A server of the federation. `bots`: its service accounts, which make rooms and are nobody's."""

    name: str
    bots: tuple[UserId, ...] = ()
    ghosts: str = ""
    """How the names of its bridge's ghosts begin; empty: it has none."""
    erases_until: datetime | None = None
    """How long its newest key for erasure receipts is valid; None: it has none, and can prove no erasure."""

    @property
    def salles(self) -> UserId | None:
        """Its `@salles`."""
        return salles_among(self.bots)


def salles_among(bots: Iterable[UserId]) -> UserId | None:
    """Of one server's bots the one that makes patient rooms; None when it has none."""
    return next((bot for bot in bots if localpart(bot) == SALLES), None)


@dataclass(frozen=True, slots=True)
class Servers:
    """The federation list as the deciding processes need it. After `until` no server is listed."""

    version: int
    until: datetime
    listed: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What became different since the snapshot, or since the change before."""

    attested: tuple[Attestation, ...] = ()
    """New ones, and those that replace what was said of the same user."""
    ended: tuple[UserId, ...] = ()
    """Of these users nothing is attested any more, and nothing remembered.

    To revoke, attest anew with `valid_until` now: what somebody did while they were verified is then still told
    from what they do later.
    """
    blocks: Mapping[UserId, frozenset[UserId]] = field(default_factory=dict)
    """For each user, all whom they refuse (empty: nobody any more)."""
    servers: Servers | None = None
    """The whole list, when it changed."""

    def __bool__(self) -> bool:
        return bool(self.attested or self.ended or self.blocks or self.servers is not None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the deciding processes need, at one instant. `serial` never shrinks."""

    serial: int
    made_at: datetime
    attestations: tuple[Attestation, ...]
    blocks: Mapping[UserId, frozenset[UserId]] = field(default_factory=dict)
    servers: Servers | None = None
    """None where no federation is configured."""


def snapshot(
    serial: int,
    made_at: datetime,
    attestations: Iterable[Attestation],
    blocks: Mapping[UserId, frozenset[UserId]] | None = None,
    servers: Servers | None = None,
) -> Snapshot:
    """A snapshot in a stable order."""
    ordered = tuple(sorted(attestations, key=lambda a: a.user))
    return Snapshot(serial, made_at, ordered, {u: b for u, b in sorted((blocks or {}).items()) if b}, servers)
