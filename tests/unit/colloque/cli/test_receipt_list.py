"""`colloque receipt verify --list`: the signer's key is what the federation list says, in its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from colloque.cli.main import main
from colloque.federation.ed25519 import PrivateKey
from colloque.policy.federation import FederationList, Key, Use
from colloque.policy.jws import b64
from tests.federation import KID, Authority, Member
from tests.receipts import DAY, NOW, Clerk, Verify


def listed(folder: Path, authority: Authority, *keys: tuple[Member, Key], days: float = 30) -> Path:
    """The signed list; each of its servers has one key more."""
    entries = {m.server: replace(m.entry(NOW), keys=(*m.entry(NOW).keys, key)) for m, key in keys}
    path = folder / "list.jws"
    path.write_bytes(authority.sign(FederationList(3, NOW - 2 * DAY, NOW + timedelta(days=days), entries)))
    return path


def erasure(clerk: Clerk, begin: datetime = NOW - 30 * DAY, end: datetime = NOW + 30 * DAY) -> Key:
    return Key("e-2026", Use.ERASURE, clerk.key.public, begin, end)


A, B = Member("chu-a.test", receipts=None), Member("chu-b.test", receipts=None)
AUTHORITY = Authority()
PIN = f"{KID}={b64(AUTHORITY.key.public)}"


def test_the_key_comes_from_the_list(clerk: Clerk, verify: Verify) -> None:
    paths, path = clerk.make(2), listed(clerk.folder, AUTHORITY, (A, erasure(clerk)))
    code, out, _ = verify(*paths, "--list", path, "--authority", PIN, "--anchor", clerk.head(2))
    assert code == 0
    assert "signed with the key e-2026 of chu-a.test" in out
    assert verify(*paths, "--list", path, "--authority", PIN, "--server", "chu-a.test")[0] == 0


def test_of_several_servers_one_is_named(clerk: Clerk, verify: Verify, tmp_path: Path) -> None:
    paths, other = clerk.make(1), Clerk(tmp_path)
    path = listed(clerk.folder, AUTHORITY, (A, erasure(clerk)), (B, erasure(other)))
    code, _, err = verify(*paths, "--list", path, "--authority", PIN)
    assert (code, err) == (65, "the list names 2 servers: say which with --server (chu-a.test, chu-b.test)\n")
    assert verify(*paths, "--list", path, "--authority", PIN, "--server", "chu-a.test")[0] == 0
    code, out, _ = verify(*paths, "--list", path, "--authority", PIN, "--server", "chu-b.test")
    assert (code, "signed by somebody else: with the key e-2026 of chu-a.test" in out) == (1, True)
    code, _, err = verify(*paths, "--list", path, "--authority", PIN, "--server", "chu-c.test")
    assert (code, err) == (1, "that server is not in the list\n")


def test_keys_for_something_else_sign_no_receipt(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(1)
    path = listed(clerk.folder, AUTHORITY, (A, replace(erasure(clerk), use=Use.ATTESTATION)))
    code, out, err = verify(*paths, "--list", path, "--authority", PIN)
    assert (code, out, "no key of chu-a.test for erasure receipts" in err) == (1, "", True)


def test_a_key_signs_in_its_time_only(clerk: Clerk, verify: Verify) -> None:
    paths = clerk.make(1, erased_at=NOW - 10 * DAY)
    retired = listed(clerk.folder, AUTHORITY, (A, erasure(clerk, NOW - 30 * DAY, NOW - 5 * DAY)))
    assert verify(*paths, "--list", retired, "--authority", PIN)[0] == 0
    for begin, end in ((NOW - 30 * DAY, NOW - 20 * DAY), (NOW - 9 * DAY, NOW + DAY)):
        other = listed(clerk.folder, AUTHORITY, (A, erasure(clerk, begin, end)))
        code, out, _ = verify(*paths, "--list", other, "--authority", PIN)
        assert (code, "which was not valid when the room was erased" in out) == (1, True)


def test_a_list_that_does_not_hold_gives_no_key(clerk: Clerk, verify: Verify) -> None:
    paths, path = clerk.make(1), listed(clerk.folder, AUTHORITY, (A, erasure(clerk)))
    stranger = f"{KID}={b64(PrivateKey.generate().public)}"
    code, out, _ = verify(*paths, "--list", path, "--authority", stranger)
    assert (code, out) == (1, "DOES NOT HOLD: the federation list: the signature does not hold\n")
    path.write_bytes(path.read_bytes()[:-1])
    assert verify(*paths, "--list", path, "--authority", PIN)[0] == 1
    ended = listed(clerk.folder, AUTHORITY, (A, erasure(clerk)), days=-1)
    code, out, _ = verify(*paths, "--list", ended, "--authority", PIN)
    assert (code, "list_expired" in out) == (1, True)
    assert verify(*paths, "--list", listed(clerk.folder, AUTHORITY), "--authority", PIN)[0] == 1
    assert verify(*paths, "--list", clerk.folder / "none.jws", "--authority", PIN)[0] == 66


def test_key_and_list_exclude_each_other(clerk: Clerk, verify: Verify, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = clerk.make(1)
    for argv in ([], ["--key", str(clerk.pem), "--list", "x.jws", "--authority", PIN]):
        with pytest.raises(SystemExit) as caught:
            main(["receipt", "verify", str(path), *argv])
        assert caught.value.code == 64
    for argv in (["--list", "x.jws"], ["--key", "x", "--server", "chu-a.test"], ["--key", "x", "--authority", PIN]):
        code, _, err = verify(path, *argv)
        assert (code, "with --" in err or "go with" in err) == (64, True)


def test_the_receipts_own_key_is_listed_as_any_other(
    clerk: Clerk, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the guide for administrators says: `colloque federation key` prints what the list needs."""
    private = clerk.folder / "receipt.pem"
    private.write_bytes(clerk.key.pem())
    private.chmod(0o600)
    assert main(["federation", "key", str(private)]) == 0
    assert capsys.readouterr().out.strip() == b64(clerk.key.public)
