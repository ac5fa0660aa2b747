"""The federation list: which servers may talk to ours, and with which keys they sign. Pure.

It is signed by an authority whose public key each server has pinned in its configuration. How it is written and
signed: `federation_list`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from colloque.attestation import salles_among
from colloque.errors import Refused
from colloque.identity import Finess, UserId

AHEAD = timedelta(minutes=5)
"""How far the authority's clock may be ahead of ours."""


class Use(StrEnum):
    """What a key may sign."""

    ATTESTATION = "attestation"
    """Attestations, and every request and answer between servers."""
    ERASURE = "erasure"
    """Erasure receipts."""


class No(StrEnum):
    """Why a list does not replace ours. Stable codes."""

    EXPIRED = "list_expired"
    TOO_EARLY = "list_too_early"
    """Issued later than now: its clock or ours is wrong."""
    ROLLBACK = "list_rollback"
    """Older than the one in use."""
    FORKED = "list_forked"
    """Of the same version as the one in use, and different."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key of a server, while it is valid: `not_before <= now < not_after`."""

    kid: str
    use: Use
    key: bytes
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One server of the federation."""

    server: str
    """Its Matrix name: what stands after the colon in user ids."""
    organisation: str
    finess: Finess
    api: str
    """Where its federation API answers: `https://host` or `https://host:port`."""
    contact: str
    bots: tuple[UserId, ...]
    """Its service accounts: they make rooms, and are nobody's."""
    capabilities: frozenset[str]
    keys: tuple[Key, ...]
    ghosts: str = ""
    """How the names of its bridge's ghosts begin, which speak for correspondents of mail; empty: it has none."""

    @property
    def salles(self) -> UserId | None:
        """The bot that makes its patient rooms."""
        return salles_among(self.bots)

    def erases_until(self, now: datetime) -> datetime | None:
        """How long the server can prove erasures: its newest key for receipts, of those that have begun."""
        begun = [key.not_after for key in self.keys if key.use is Use.ERASURE and key.not_before <= now < key.not_after]
        return max(begun, default=None)

    def keys_at(self, use: Use, at: datetime) -> tuple[bytes, ...]:
        """The public keys for that use that were valid then."""
        return tuple(k.key for k in self.keys if k.use is use and k.not_before <= at < k.not_after)

    def key(self, use: Use, kid: str, now: datetime) -> bytes | None:
        """The public key of that name, for that use, valid now."""
        for key in self.keys:
            if (key.use, key.kid) == (use, kid) and key.not_before <= now < key.not_after:
                return key.key
        return None


@dataclass(frozen=True, slots=True)
class FederationList:
    """One edition. `version` grows by at least one with each."""

    version: int
    issued: datetime
    expires: datetime
    servers: Mapping[str, Entry]

    def is_valid(self, now: datetime) -> bool:
        """True while it has begun and not ended. An ended list lists nobody."""
        return self.issued <= now + AHEAD and now < self.expires


def judge(current: FederationList | None, fresh: FederationList, now: datetime) -> bool:
    """True when `fresh` must replace `current`, False when it is the same list. Raises Refused (reason: a `No`)."""
    if now >= fresh.expires:
        raise Refused(No.EXPIRED)
    if not fresh.is_valid(now):
        raise Refused(No.TOO_EARLY)
    if current is None:
        return True
    if fresh.version == current.version:
        if fresh != current:
            raise Refused(No.FORKED)
        return False
    if fresh.version < current.version or fresh.issued < current.issued:
        raise Refused(No.ROLLBACK)
    return True
