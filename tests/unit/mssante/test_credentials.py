"""The file of mailboxes' credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.errors import ConfigError
from colloque.files import write_private
from colloque.identity import MssanteAddress
from colloque.mail.access import ClientCertificate, Password, XOAuth2
from colloque_mssante.access.credentials import Credentials, fingerprint
from tests.servers.ca import Ca

A, B = MssanteAddress("a@x.test"), MssanteAddress("b@x.test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "boxes.yaml"
    write_private(found, "a@x.test: {password: 'p: é'}\nB@X.test: {xoauth2: t}\n")
    return found


def test_both_kinds_are_read(path: Path) -> None:
    known = Credentials(path)
    assert known.of(A) == Password("p: é")
    assert known.of(B) == XOAuth2("t")
    assert known.of(MssanteAddress("c@x.test")) is None


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "a@x.test: p",
        "a@x.test: {password: 1}",
        "a@x.test: {password: ''}",
        "a@x.test: {password: p, xoauth2: t}",
        "a@x.test: {secret: p}",
        "pas une adresse: {password: p}",
        "a@x.test: {password: p",
        "",
    ],
)
def test_a_file_that_is_wrong_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    write_private(tmp_path / "f", text)
    with pytest.raises(ConfigError):
        Credentials(tmp_path / "f")


def test_others_must_not_read_it(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="0600"):
        Credentials(path)


def test_a_replaced_file_is_taken_in_and_a_bad_one_changes_nothing(path: Path) -> None:
    known = Credentials(path)
    version = known.version
    known.refresh()
    assert known.version == version
    write_private(path, "a@x.test: {password: new}\n")
    known.refresh()
    assert known.of(A) == Password("new")
    assert known.of(B) is None
    assert known.version > version
    write_private(path, "- bad")
    known.refresh()
    assert known.problem == "credentials.unusable"
    assert known.of(A) == Password("new")
    write_private(path, "a@x.test: {password: newer}\n")
    known.refresh()
    assert (known.problem, known.of(A)) == ("", Password("newer"))


def test_a_fingerprint_tells_credentials_apart() -> None:
    marks = {fingerprint(auth) for auth in (Password("a"), Password("b"), XOAuth2("a"))}
    assert len(marks) == 3
    assert fingerprint(Password("a")) in marks


def test_a_certificate_is_read_and_taken_in_when_it_is_renewed(tmp_path: Path) -> None:
    authority = Ca(tmp_path)
    first, later = authority.issue("first.test"), authority.issue("later.test")
    path = tmp_path / "boxes.yaml"
    write_private(path, f"a@x.test: {{certificate: {first.cert}, key: {first.key}}}\n")
    known = Credentials(path)
    before = known.of(A)
    assert isinstance(before, ClientCertificate)
    later.cert.replace(first.cert)
    known.refresh()  # the key is not there yet: the two don't fit
    assert (known.of(A), known.problem) == (before, "credentials.unusable")
    later.key.replace(first.key)
    known.refresh()
    renewed = known.of(A)
    assert renewed is not None
    assert fingerprint(renewed) != fingerprint(before)
    assert known.problem == ""
    first.key.chmod(0o644)
    known.refresh()
    assert (known.of(A), known.problem) == (renewed, "credentials.unusable")
    first.key.chmod(0o600)
    known.refresh()
    assert known.problem == ""


def test_a_certificate_needs_whole_paths_that_are_there(tmp_path: Path) -> None:
    made = Ca(tmp_path).issue("a.test")
    for cert, key in (("a.pem", "a.key"), (tmp_path / "none", made.key)):
        write_private(tmp_path / "f", f"a@x.test: {{certificate: {cert}, key: {key}}}\n")
        with pytest.raises(ConfigError):
            Credentials(tmp_path / "f")
