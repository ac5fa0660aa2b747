"""The file of mailboxes' credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.errors import ConfigError
from colloque.files import write_private
from colloque.identity import MssanteAddress
from colloque.mail.access import Password, XOAuth2
from colloque_mssante.credentials import Credentials, fingerprint

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
