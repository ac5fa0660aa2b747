"""`mssante.antivirus`: left out or whole, and no file leaves this machine in clear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from colloque.config import AntivirusConfig
from colloque.config_load import load
from colloque.errors import ConfigError
from tests.configured import SAMPLE

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
    assert load(changed(tmp_path, (r"(?ms)^  antivirus:\n(    .*?\n)+", ""))).mssante.antivirus is None


@pytest.mark.parametrize(
    ("clamd", "place"),
    [
        ("/run/clamav/clamd.ctl", Path("/run/clamav/clamd.ctl")),
        ("127.0.0.1:3310", ("127.0.0.1", 3310)),
        ("127.1.2.3:65535", ("127.1.2.3", 65535)),
        ("[::1]:3310", ("::1", 3310)),
        ("192.0.2.1:3310", None),
        ("0.0.0.0:3310", None),
        ("clamav.example:3310", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("127.0.0.1", None),
        ("run/clamd.ctl", None),
        (":3310", None),
        ("", None),
    ],
)
def test_where_clamd_is(tmp_path: Path, clamd: str, place: object) -> None:
    assert AntivirusConfig(clamd).place == place
    path = changed(tmp_path, (r"(?m)^    clamd: .*$", f'    clamd: "{clamd}"'))
    try:
        load(path)
        found = []
    except ConfigError as error:
        found = [problem.path for problem in error.problems]
    assert found == ([] if place else ["mssante.antivirus.clamd"])


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        (r"(?m)^    clamd: .*$", f"    clamd: /{'x' * 107}"),
        (r"(?m)^    size_limit: .*$", "    size_limit: 0"),
        (r"(?m)^    scan_s: .*$", "    scan_s: 0.5"),
        (r"(?m)^    signatures_days: .*$", "    signatures_days: 0"),
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [problem.path.rpartition(".")[2] for problem in caught.value.problems] == [
        "clamd",
        "size_limit",
        "scan_s",
        "signatures_days",
    ]
