"""`annuaire.psc`: left out or whole, and no secret in clear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colloque.cli.main import main
from colloque.config import load
from colloque.errors import ConfigError

SAMPLE = Path(__file__).parents[4] / "deploy/config.sample.yaml"
TEXT = SAMPLE.read_text(encoding="utf-8")


def changed(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = TEXT
    for old, new in changes:
        text, count = re.subn(old, new, text)
        assert count == 1
    path = tmp_path / "colloque.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_section_may_be_left_out(tmp_path: Path) -> None:
    assert load(changed(tmp_path, (r"(?ms)^  psc:\n.*?(?=^  \S)", ""))).annuaire.psc is None


def test_ciba_and_anchors_may_be_left_out(tmp_path: Path) -> None:
    psc = load(changed(tmp_path, (r"(?m)^    ciba: .*\n", ""), (r"(?m)^    ca: .*psc-ca.*\n", ""))).annuaire.psc
    assert psc is not None
    assert (psc.ciba, psc.ca) == (None, None)


@pytest.mark.parametrize("name", ["issuer", "authorization", "token", "userinfo", "jwks", "ciba"])
@pytest.mark.parametrize(
    ("url", "mode", "safe"),
    [
        ("http://psc.example/x", "production", False),
        ("http://127.0.0.1:8080/x", "production", False),
        ("http://127.0.0.1:8080/x", "test", True),
        ("http://psc.example/x", "test", False),
        ("https://psc.example/x", "production", True),
    ],
)
def test_tokens_never_travel_in_clear(tmp_path: Path, name: str, url: str, mode: str, safe: bool) -> None:
    path = changed(
        tmp_path,
        (rf"(?m)^    {name}: https://(auth|wallet)\.esw.*$", f"    {name}: {url}"),
        (r"(?m)^mode: .*$", f"mode: {mode}"),
    )
    try:
        load(path)
        found = []
    except ConfigError as error:
        found = [problem.path for problem in error.problems]
    assert found == ([] if safe else [f"annuaire.psc.{name}"])


def test_the_secret_and_the_anchors_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "--files", str(changed(tmp_path))]) == 78
    named = {line.partition(":")[0] for line in capsys.readouterr().err.splitlines()}
    assert {"annuaire.psc.client_secret", "annuaire.psc.ca"} <= named


def test_an_empty_client_name_is_refused(tmp_path: Path) -> None:
    assert main(["config", "check", str(changed(tmp_path, (r"client_id: .*", 'client_id: " "')))]) == 78
