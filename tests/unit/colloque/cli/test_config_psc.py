"""`annuaire.psc` and `mssante.psc`: left out or whole, and no secret in clear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colloque.cli.main import main
from colloque.config_load import load
from colloque.errors import ConfigError

SAMPLE = Path(__file__).parents[4] / "deploy/config.sample.yaml"
TEXT = SAMPLE.read_text(encoding="utf-8")
MODE = r"(?m)^mode:"
WHOLE = (r"(?ms)^  psc:\n.*?(?=^  \S)", "")
DOMAINS = (r"(?m)^  psc_domains:\n    - .*\n", "")


def changed(tmp_path: Path, *changes: tuple[str, str], section: str = "annuaire") -> Path:
    """The sample with changes in one section, and the mode's."""
    begin = re.search(rf"(?m)^{section}:$", TEXT)
    assert begin is not None
    end = re.compile(r"(?m)^\S+:$").search(TEXT, begin.end())
    stop = end.start() if end is not None else len(TEXT)
    before, text, after = TEXT[: begin.start()], TEXT[begin.start() : stop], TEXT[stop:]
    for old, new in changes:
        if old.startswith(MODE):
            before, count = re.subn(old, new, before)
        else:
            text, count = re.subn(old, new, text)
        assert count == 1
    path = tmp_path / "colloque.yaml"
    path.write_text(before + text + after, encoding="utf-8")
    return path


def test_the_section_may_be_left_out(tmp_path: Path) -> None:
    assert load(changed(tmp_path, WHOLE)).annuaire.psc is None


def test_ciba_and_anchors_may_be_left_out(tmp_path: Path) -> None:
    psc = load(changed(tmp_path, (r"(?m)^    ciba: .*\n", ""), (r"(?m)^    ca: .*psc-ca.*\n", ""))).annuaire.psc
    assert psc is not None
    assert (psc.ciba, psc.ca) == (None, None)


@pytest.mark.parametrize("section", ["annuaire", "mssante"])
@pytest.mark.parametrize("name", ["issuer", "authorization", "token", "userinfo", "jwks", "ciba"])
@pytest.mark.parametrize(
    ("url", "safe_in"),
    [
        ("http://psc.example/x", ()),
        ("http://127.0.0.1:8080/x", ("test",)),
        ("https://psc.example/x", ("production", "test")),
    ],
)
def test_tokens_never_travel_in_clear(
    tmp_path: Path, section: str, name: str, url: str, safe_in: tuple[str, ...]
) -> None:
    for mode in ("production", "test"):
        assert unsafe(tmp_path, section, name, url, mode) == ([] if mode in safe_in else [f"{section}.psc.{name}"])


def unsafe(folder: Path, section: str, name: str, url: str, mode: str) -> list[str]:
    path = changed(
        folder,
        (rf"(?m)^    {name}: https://(auth|wallet)\.esw.*$", f"    {name}: {url}"),
        (r"(?m)^mode: .*$", f"mode: {mode}"),
        section=section,
    )
    try:
        load(path)
    except ConfigError as error:
        return [problem.path for problem in error.problems]
    return []


def test_the_secret_and_the_anchors_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--files", str(changed(tmp_path))]) == 78
    named = {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert {f"{name}.psc.{file}" for name in ("annuaire", "mssante") for file in ("client_secret", "ca")} <= named


def test_an_empty_client_name_is_refused(tmp_path: Path) -> None:
    assert main(["config", "check", str(changed(tmp_path, (r"client_id: .*", 'client_id: " "')))]) == 78


def problems(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    try:
        load(changed(tmp_path, *changes, section="mssante"))
    except ConfigError as error:
        return [problem.path for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ([WHOLE, DOMAINS], []),
        ([WHOLE], ["mssante.psc_domains"]),
        ([DOMAINS], ["mssante.psc_domains"]),
        ([(r"(?m)^    ciba: .*\n", "")], ["mssante.psc.ciba"]),
        ([(r"(?m)^    - medecin.example$", "    - Medecin.example")], ["mssante.psc_domains"]),
        ([(r"(?m)^    - medecin.example$", "    - anne@medecin.example")], ["mssante.psc_domains"]),
        ([(r"(?m)^    - medecin.example$", "    - test")], ["mssante.psc_domains"]),
    ],
)
def test_mailboxes_open_by_sessions_where_it_is_said_which(
    tmp_path: Path, changes: list[tuple[str, str]], found: list[str]
) -> None:
    assert problems(tmp_path, *changes) == found
