"""Whose signature an erasure receipt must bear: a key that was given, or those that the federation list names.

Never anything that stands in the receipt itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from colloque.cli.exits import NoInput
from colloque.cli.federation import pinned
from colloque.clock import SystemClock
from colloque.errors import BadInput, NotFound, Refused, Tampered
from colloque.policy.federation import Entry, FederationList, Use, judge
from colloque.policy.federation_list import MAX_BYTES, open_list
from colloque.rooms.erasure import signature_of, signing_bytes

_PEM_BYTES = 64 * 1024
_NAMED = 5
"""How many servers a message lists."""


@dataclass(frozen=True, slots=True)
class Signing:
    """A key that may sign receipts erased from `begin` on and before `end`; at any time, when it has none."""

    name: str
    key: bytes
    begin: datetime | None = None
    end: datetime | None = None

    def held(self, at: datetime) -> bool:
        """Whether it was valid then."""
        return (self.begin is None or self.begin <= at) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Signers:
    """Who must have signed; and who else could have, to say so."""

    own: Sequence[Signing]
    others: Sequence[Signing] = ()
    server: str = ""
    """Whose receipts they are; empty when that was not said."""
    listed: Mapping[str, Entry] = field(default_factory=dict)
    """The list, when there is one: other servers' own receipts are checked from it."""

    def of(self, server: str) -> Signers | None:
        """Those of another server; None without a list. Raises Tampered when the list does not name it."""
        if not self.listed:
            return None
        if server not in self.listed:
            raise Tampered(f"the list does not name {server}, whose receipt this should be")
        return Signers(_signing(self.listed[server]), server=server)

    def check(self, signed_at: datetime, raw: Mapping[str, Any]) -> str:
        """Say with which key it is signed. Raises Tampered."""
        from colloque.federation.ed25519 import verify  # noqa: PLC0415 - apps extra

        signature, message = signature_of(raw), signing_bytes(raw)
        signed = [each for each in self.own if verify(each.key, signature, message)]
        for each in signed:
            if each.held(signed_at):
                return f"signed with {each.name}"
        if signed:
            raise Tampered(f"signed with {signed[0].name}, which was not valid when the room was erased")
        for each in self.others:
            if verify(each.key, signature, message):
                raise Tampered(f"signed by somebody else: with {each.name}")
        raise Tampered("the signature is not the key's")


def of_key(path: Path) -> Signers:
    """From a public key in PEM. Raises BadInput."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - apps extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - apps extra
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - apps extra

    try:
        key = load_pem_public_key(read_at_most(path, _PEM_BYTES))
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{path}: is not a public key (PEM)") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{path}: is not an Ed25519 public key")
    return Signers([Signing("the key given", key.public_bytes_raw())])


def of_list(path: Path, authority: Sequence[str], server: str | None) -> Signers:
    """From the list that one of the authority's keys (`NAME=KEY`) has signed.

    Raises BadInput, Tampered when the list does not hold or is not in force, NotFound when it names no such key.
    """
    from colloque.federation.ed25519 import verify  # noqa: PLC0415 - apps extra

    keys = pinned(authority)
    try:
        listed = open_list(read_at_most(path, MAX_BYTES), keys, verify)
        judge(None, listed, SystemClock().now())
    except (Tampered, Refused) as error:
        raise Tampered(f"the federation list: {error}") from None
    entry = _entry(listed, server)
    own = _signing(entry)
    if not own:
        raise NotFound(f"the list names no key of {entry.server} for erasure receipts")
    others = [key for each in listed.servers.values() if each is not entry for key in _signing(each)]
    return Signers(own, others, entry.server, listed.servers)


def read_at_most(path: Path, most: int) -> bytes:
    """A file's bytes, one more than `most` at the very most: whatever it is, it does not fill the memory."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise NoInput(path, error.strerror) from None


def _entry(listed: FederationList, server: str | None) -> Entry:
    if server is not None:
        entry = listed.servers.get(server)
        if entry is None:
            raise NotFound("that server is not in the list")
        return entry
    if not listed.servers:
        raise NotFound("the list names no server")
    if len(listed.servers) > 1:
        names = sorted(listed.servers)
        more = ", …" if len(names) > _NAMED else ""
        raise BadInput(
            f"the list names {len(names)} servers: say which with --server ({', '.join(names[:_NAMED])}{more})"
        )
    return next(iter(listed.servers.values()))


def _signing(entry: Entry) -> list[Signing]:
    return [
        Signing(f"the key {key.kid} of {entry.server}", key.key, key.not_before, key.not_after)
        for key in entry.keys
        if key.use is Use.ERASURE
    ]
