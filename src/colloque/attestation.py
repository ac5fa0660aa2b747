"""Attestations, and the signed snapshot that carries them to every process that must decide.

Wire form of a snapshot (UTF-8): one line with the hex HMAC-SHA256 of all that follows, then one canonical JSON
object. It is made by the annuaire service alone and read with the standard library alone (the Synapse module).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from colloque.clock import from_millis, to_millis
from colloque.errors import Tampered
from colloque.identity import Rpps, UserId

_FORMAT = 1


class Method(StrEnum):
    """How a person proved who they are."""

    MAILBOX_CODE = "mailbox_code"
    """A one-time code sent to the PER mailbox that the directory lists for the RPPS."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A dated proof that a Matrix user is a given professional. Times are aware UTC."""

    user: UserId
    rpps: Rpps
    name: str
    """The directory's display name when attested."""
    method: Method
    issued_at: datetime
    valid_until: datetime

    def is_valid(self, now: datetime) -> bool:
        """True while `issued_at <= now < valid_until`."""
        return self.issued_at <= now < self.valid_until


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the deciding processes need, at one instant. `serial` only grows."""

    serial: int
    made_at: datetime
    attestations: tuple[Attestation, ...]

    def encode(self, key: bytes) -> bytes:
        """The signed wire form."""
        body = json.dumps(
            {
                "format": _FORMAT,
                "serial": self.serial,
                "made_at": to_millis(self.made_at),
                "attestations": [_to_json(a) for a in self.attestations],
            },
            ensure_ascii=False,
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
        return _mac(key, body).encode() + b"\n" + body

    @classmethod
    def decode(cls, data: bytes, key: bytes) -> Snapshot:
        """Check the signature, then read. Raises Tampered."""
        mac, _, body = data.partition(b"\n")
        if not hmac.compare_digest(mac, _mac(key, body).encode()):
            raise Tampered("the attestation snapshot's signature does not hold")
        raw = json.loads(body)
        if raw["format"] != _FORMAT:
            raise Tampered("the attestation snapshot has an unknown format")
        return cls(
            serial=raw["serial"],
            made_at=from_millis(raw["made_at"]),
            attestations=tuple(_from_json(a) for a in raw["attestations"]),
        )

    def by_user(self) -> dict[UserId, Attestation]:
        """Index by Matrix user."""
        return {a.user: a for a in self.attestations}


def snapshot(serial: int, made_at: datetime, attestations: Iterable[Attestation]) -> Snapshot:
    """A snapshot in a stable order."""
    return Snapshot(serial, made_at, tuple(sorted(attestations, key=lambda a: a.user)))


def _mac(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def _to_json(a: Attestation) -> dict[str, str | int]:
    return {
        "user": a.user,
        "rpps": a.rpps.value,
        "name": a.name,
        "method": a.method.value,
        "issued_at": to_millis(a.issued_at),
        "valid_until": to_millis(a.valid_until),
    }


def _from_json(raw: dict[str, str | int]) -> Attestation:
    return Attestation(
        user=UserId(str(raw["user"])),
        rpps=Rpps(str(raw["rpps"])),
        name=str(raw["name"]),
        method=Method(str(raw["method"])),
        issued_at=from_millis(int(raw["issued_at"])),
        valid_until=from_millis(int(raw["valid_until"])),
    )
