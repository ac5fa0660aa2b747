"""Chains of signed erasure receipts as files, and the command that verifies them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from colloque.cli.main import main
from colloque.clock import SystemClock
from colloque.federation.ed25519 import PrivateKey
from colloque.rooms.erasure import GENESIS, Counts, Receipt, signing_bytes
from tests.federation import whole

DAY = timedelta(days=1)
NOW = whole(SystemClock().now())
RECEIPT = Receipt(
    serial=1,
    room="a1" * 10,
    opened_at=NOW - DAY,
    closed_at=NOW - DAY,
    erased_at=NOW - DAY,
    before=Counts(events=12, files=3, members=2),
    after=Counts(events=0, files=0, members=0),
    files_deleted=3,
    undecryptable=0,
)


def chained(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Receipts that follow each other, not signed."""
    out: list[dict[str, Any]] = []
    for serial in range(1, count + 1):
        previous = out[-1]["hash"] if out else GENESIS
        out.append(replace(RECEIPT, serial=serial, previous=previous, **changes).to_dict())
    return out


@dataclass
class Clerk:
    """Signs receipts into a folder."""

    folder: Path
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    receipts: list[dict[str, Any]] = field(default_factory=list)

    def make(self, count: int, **changes: Any) -> list[Path]:
        """A chain, each receipt in its file."""
        self.receipts = [self.signed(body) for body in chained(count, **changes)]
        return [self.write(f"receipt-{r['serial']:06d}.json", r) for r in self.receipts]

    def signed(self, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"signature": base64.b64encode(self.key.sign(signing_bytes(body))).decode()}

    def write(self, name: str, raw: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(raw), encoding="utf-8")
        return path

    def head(self, serial: int) -> str:
        return f"{serial}:{self.receipts[serial - 1]['hash']}"

    @property
    def pem(self) -> Path:
        path = self.folder / "key.pem"
        key = Ed25519PublicKey.from_public_bytes(self.key.public)
        path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path


Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(tmp_path)


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Exit code, what is said, what is said on stderr."""

    def run(*argv: object) -> tuple[int, str, str]:
        code = main(["receipt", "verify", *map(str, argv)])
        out, err = capsys.readouterr()
        return code, out, err

    return run
