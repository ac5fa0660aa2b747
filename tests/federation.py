"""Servers, keys and lists made on the spot, for everything that concerns other servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from colloque.federation.ed25519 import PrivateKey
from colloque.identity import Finess, UserId
from colloque.policy.exchange import KeyOf, Signer
from colloque.policy.federation import Entry, FederationList, Key, Use
from colloque.policy.federation_list import sign_list

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""As the `clock` fixture."""
KID = "authority-1"


@dataclass
class Member:
    """A server and its key."""

    server: str
    api: str = "https://api.invalid"
    kid: str = "k-1"
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    bots: tuple[UserId, ...] = ()
    ghosts: str = ""
    receipts: PrivateKey | None = field(default_factory=PrivateKey.generate)
    """Signs erasure receipts; None: it can't prove that it erases."""

    @property
    def signer(self) -> Signer:
        return Signer(self.server, self.kid, self.key.sign)

    def entry(self, now: datetime = NOW) -> Entry:
        day = timedelta(days=1)
        begin, end = whole(now) - day, whole(now) + 365 * day
        keys = [Key(self.kid, Use.ATTESTATION, self.key.public, begin, end)]
        if self.receipts is not None:
            keys.append(Key("r-1", Use.ERASURE, self.receipts.public, begin, end))
        return Entry(
            server=self.server,
            organisation=f"CHU {self.server}",
            finess=Finess("540000015"),
            api=self.api,
            contact=f"dsi@{self.server}",
            bots=self.bots or (UserId(f"@salles:{self.server}"),),
            capabilities=frozenset({"attestation"}),
            keys=tuple(keys),
            ghosts=self.ghosts,
        )


@dataclass
class Authority:
    """Who signs lists."""

    key: PrivateKey = field(default_factory=PrivateKey.generate)

    @property
    def pins(self) -> Mapping[str, bytes]:
        return {KID: self.key.public}

    def sign(self, listed: FederationList) -> bytes:
        return sign_list(listed, KID, self.key.sign).encode()


def whole(at: datetime) -> datetime:
    """Lists know whole seconds only."""
    return at.replace(microsecond=0)


def listing(*members: Member, version: int = 1, now: datetime = NOW, days: float = 30) -> FederationList:
    """A list issued now."""
    entries = {m.server: m.entry(now) for m in members}
    return FederationList(version, whole(now), whole(now + timedelta(days=days)), entries)


def keys_of(listed: FederationList, now: datetime = NOW) -> KeyOf:
    """As `Keeper.key_of`."""

    def key_of(server: str, kid: str) -> bytes | None:
        entry = listed.servers.get(server)
        return entry.key(Use.ATTESTATION, kid, now) if entry is not None else None

    return key_of
