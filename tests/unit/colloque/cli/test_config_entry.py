"""`annuaire.entry`: left out or whole, and passwords never in clear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colloque.config_load import load
from colloque.errors import ConfigError

SAMPLE = Path(__file__).parents[4] / "deploy/config.sample.yaml"
TEXT = SAMPLE.read_text(encoding="utf-8")


def problems(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = TEXT
    for old, new in changes:
        text, count = re.subn(old, new, text)
        assert count == 1
    path = tmp_path / "colloque.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path)
    except ConfigError as error:
        return [problem.path for problem in error.problems]
    return []


def test_the_section_may_be_left_out(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    assert problems(tmp_path, (r"(?ms)^  entry:\n.*?(?=^  \S)", "")) == []


@pytest.mark.parametrize(
    ("url", "mode", "fit"),
    [
        ("https://colloque.example.org", "production", True),
        ("https://colloque.example.org/", "production", True),
        ("https://colloque.example.org/entrer", "production", False),
        ("http://colloque.example.org", "production", False),
        ("http://127.0.0.1:9105", "production", False),
        ("http://127.0.0.1:9105", "test", True),
        ("http://colloque.example.org", "test", False),
    ],
)
def test_passwords_never_travel_in_clear(tmp_path: Path, url: str, mode: str, fit: bool) -> None:
    changes = (
        (r"(?m)^    url: https://colloque\.example\.org$", f"    url: {url}"),
        (r"(?m)^mode: .*$", f"mode: {mode}"),
    )
    assert problems(tmp_path, *changes) == ([] if fit else ["annuaire.entry.url"])


@pytest.mark.parametrize(
    ("link", "fit"),
    [
        ("https://app.test/?s={server}&u={user}", True),
        ("https://app.test/{server}", True),
        ("https://app.test/{user}", False),
        ("http://app.test/{server}", False),
        ("https://app.test/{server}/{room}", False),
        ("https://app.test/{server}/{", False),
        ("https://app.test/{server.__class__}", False),
        ("https://app.test/{server}{}", False),
    ],
)
def test_the_link_to_the_app_names_the_server_and_nothing_unknown(tmp_path: Path, link: str, fit: bool) -> None:
    changes = [(r"(?m)^    app_link: .*$", f"    app_link: '{link}'")]
    assert problems(tmp_path, *changes) == ([] if fit else ["annuaire.entry.app_link"])
