"""The sandbox's certificates: made once, renewed in time, whole after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque_demo.pki import make_pki


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_made_once_and_private(tmp_path: Path, clock: FrozenClock):
    pki = make_pki(tmp_path / "pki", clock)
    first = contents(tmp_path / "pki")
    assert set(first) == {"ca.pem", "server.pem", "server.key"}
    assert pki.key.stat().st_mode & 0o777 == 0o600
    clock.advance(days=20)
    assert make_pki(tmp_path / "pki", clock) == pki
    assert contents(tmp_path / "pki") == first


@pytest.mark.parametrize("days", [29, 400, -3])
def test_renewed_before_it_expires_or_when_the_clock_moved(tmp_path: Path, clock: FrozenClock, days: int):
    make_pki(tmp_path, clock)
    first = contents(tmp_path)
    clock.advance(days=days)
    make_pki(tmp_path, clock)
    assert not set(first.values()) & set(contents(tmp_path).values())


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key"])
@pytest.mark.parametrize("other", [None, b"", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_spoilt_files_are_made_anew(tmp_path: Path, clock: FrozenClock, name: str, other: bytes | None):
    make_pki(tmp_path, clock)
    if other is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(other)
    make_pki(tmp_path, clock)
    again = contents(tmp_path)
    make_pki(tmp_path, clock)
    assert contents(tmp_path) == again


def test_parts_of_two_makings_do_not_stay(tmp_path: Path, clock: FrozenClock):
    make_pki(tmp_path / "a", clock)
    make_pki(tmp_path / "b", clock)
    (tmp_path / "a" / "ca.pem").write_bytes((tmp_path / "b" / "ca.pem").read_bytes())
    make_pki(tmp_path / "a", clock)
    assert (tmp_path / "a" / "ca.pem").read_bytes() != (tmp_path / "b" / "ca.pem").read_bytes()
