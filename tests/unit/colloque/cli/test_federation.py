"""`colloque federation`: keys, signing, checking."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from colloque.cli.main import main
from colloque.clock import SystemClock
from colloque.policy.federation_list import list_json
from tests.federation import Member, listing

A = Member("chu-a.test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["federation", "key", str(tmp_path / "key.pem"), "--new"]) == 0
    return tmp_path


@pytest.fixture
def pin(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["federation", "key", str(folder / "key.pem")]) == 0
    return "auth-1=" + capsys.readouterr().out.strip()


def write(folder: Path, version: int = 1, days: float = 30, **change: Any) -> Path:
    path = folder / f"list-{version}.json"
    raw = list_json(listing(A, version=version, now=SystemClock().now(), days=days)) | change
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def sign(folder: Path, source: Path, out: str = "list.jws") -> int:
    key = ["--key", str(folder / "key.pem"), "--kid", "auth-1"]
    return main(["federation", "sign", str(source), *key, "--out", str(folder / out)])


def test_a_key_is_private_and_never_overwritten(folder: Path) -> None:
    path = folder / "key.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert main(["federation", "key", str(path), "--new"]) == 65
    assert path.read_bytes() == before
    assert main(["federation", "key", str(folder / "none.pem")]) == 66
    path.chmod(0o644)
    assert main(["federation", "key", str(path)]) == 65


def test_a_list_is_signed_verified_and_shown(folder: Path, pin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(folder, write(folder)) == 0
    capsys.readouterr()
    signed = str(folder / "list.jws")
    assert main(["federation", "verify", signed, "--authority", pin]) == 0
    assert "holds, version 1, 1 servers" in capsys.readouterr().out
    assert main(["federation", "show", signed, "--authority", pin]) == 0
    out = capsys.readouterr().out
    assert "chu-a.test: CHU chu-a.test, FINESS 540000015" in out
    assert "key k-1 for attestation" in out
    assert "patient rooms: its people may be invited until" in out
    assert main(["federation", "show", signed, "--authority", pin, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 1


def test_what_does_not_hold_leaves_with_1(folder: Path, pin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sign(folder, write(folder)) == 0
    assert main(["federation", "key", str(folder / "other.pem"), "--new"]) == 0
    other = "auth-1=" + capsys.readouterr().out.split()[-1]
    signed = folder / "list.jws"
    assert main(["federation", "verify", str(signed), "--authority", other]) == 1
    assert "DOES NOT HOLD" in capsys.readouterr().err
    assert sign(folder, write(folder, version=2), "two.jws") == 0
    newer = ["--after", str(folder / "two.jws")]
    assert main(["federation", "verify", str(signed), "--authority", pin, *newer]) == 1
    assert "list_rollback" in capsys.readouterr().err
    signed.write_bytes(signed.read_bytes()[:-1])
    assert main(["federation", "show", str(signed), "--authority", pin, "--json"]) == 1


def test_what_servers_would_refuse_is_not_signed(folder: Path, pin: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, version=5)
    assert sign(folder, source) == 0
    before = (folder / "list.jws").read_bytes()
    assert sign(folder, source) == 0
    assert "is that list already" in capsys.readouterr().out
    refused = {
        "list_rollback": write(folder, version=4),
        "list_forked": write(folder, version=5, servers=[]),
        "list_expired": write(folder, version=6, expires=_soon(-1), issued=_soon(-2)),
        "list_too_early": write(folder, version=7, issued=_soon(1), expires=_soon(2)),
        "servers": write(folder, version=8, servers=[{}]),
    }
    for word, source in refused.items():
        capsys.readouterr()
        assert sign(folder, source) == 65
        assert word in capsys.readouterr().err
    (folder / "list-9.json").write_text("[", encoding="utf-8")
    assert sign(folder, folder / "list-9.json") == 65
    assert sign(folder, folder / "none.json") == 66
    assert (folder / "list.jws").read_bytes() == before
    (folder / "foreign.jws").write_text("something else", encoding="utf-8")
    assert sign(folder, write(folder, version=9), "foreign.jws") == 65
    assert (folder / "foreign.jws").read_text(encoding="utf-8") == "something else"


def _soon(days: int) -> str:
    return f"{SystemClock().now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def test_an_authority_must_be_well_formed(folder: Path) -> None:
    assert sign(folder, write(folder)) == 0
    for wrong in ("x", "auth-1=", "auth-1=AAAA", "=x"):
        assert main(["federation", "verify", str(folder / "list.jws"), "--authority", wrong]) == 65
