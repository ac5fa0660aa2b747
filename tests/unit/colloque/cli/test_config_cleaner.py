"""`salles.cleaner`: left out or whole, two accounts of one database, no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.config_load import load
from colloque.errors import ConfigError
from tests.unit.colloque.cli.test_config_psc import changed

WHOLE = (r"(?ms)^  cleaner:\n.*?(?=^\S|\Z)", "\n")
DATABASE = r"(?m)^    database: .*$"
READER = r"(?m)^    reader: .*$"


def test_the_section_may_be_left_out(tmp_path: Path) -> None:
    assert load(changed(tmp_path, WHOLE, section="salles")).salles.cleaner is None


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    same = "sqlite:/var/lib/matrix-synapse/homeserver.db"
    changes = (DATABASE, f"    database: {same}"), (READER, f"    reader: {same}")
    own = load(changed(tmp_path, *changes, section="salles")).salles.cleaner
    assert own is not None
    assert own.database == own.reader == same


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ((DATABASE, "    database: mysql://x/y"), "salles.cleaner.database: must be sqlite"),
        ((DATABASE, "    database: postgres://a:secret@h/d"), "salles.cleaner.database: must hold no password"),
        ((READER, "    reader: sqlite:/x"), "salles.cleaner.reader: must be the same database"),
        ((READER, "    reader: postgres://colloque_cleaner@127.0.0.1/synapse"), "reader: must be another role"),
        ((READER, ""), "salles.cleaner.reader: is missing"),
    ],
)
def test_what_is_refused(tmp_path: Path, change: tuple[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        load(changed(tmp_path, change, section="salles"))
    assert "secret" not in str(refused.value)
