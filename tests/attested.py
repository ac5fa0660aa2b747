"""Attestations and snapshots for tests, by number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from colloque.attestation import Attestation, Listed, Method, Servers, Snapshot
from colloque.attestation import snapshot as ordered
from colloque.identity import Rpps, UserId

KEY = b"k" * 32
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def user(number: int, server: str = "a.example") -> UserId:
    return UserId(f"@u{number}:{server}")


def held(number: int, server: str = "a.example", **more: object) -> Attestation:
    base = Attestation(
        user(number, server),
        Rpps(f"{10_000_000_000 + number}"),
        f"Dr Élise N{number}",
        Method.PSC,
        NOW - timedelta(days=1),
        NOW + timedelta(days=1),
        professions=("10", "60"),
        category="C",
    )
    return replace(base, **more)  # type: ignore[arg-type]


SERVERS = Servers(3, NOW + timedelta(days=1), (Listed("b.example", (UserId("@annuaire:b.example"),), "mss_"),))


def whole(*attested: Attestation, serial: int = 1, **more: object) -> Snapshot:
    return ordered(serial, NOW, attested, **more)  # type: ignore[arg-type]
