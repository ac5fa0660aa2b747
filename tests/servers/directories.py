"""A directory for each test, in a SQLite file and in PostgreSQL: fixtures that tests/contract/conftest.py imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.open import import_directory, open_directory
from colloque.directory.questions import TableDirectory
from tests.extracts import (
    mailbox,
    mailbox_file,
    people_file,
    person,
    whitelist_xml,
)
from tests.servers.postgres import PostgresServer

ADELI = "990000001"
PEOPLE = [
    person(1, family="DUPONT", given="Hélène", town="NANCY", structure="CHU"),
    person(1, family="DUPONT", given="Hélène", town="TOUL", structure="CABINET"),
    person(2, family="MARTIN", given="Jean-Pierre", town="METZ"),
    person(3, family="ANCIEN", given="Zoé", kind="0", id=ADELI, town="PAU"),
]
BOXES = [
    mailbox("z@x.test", 1),
    mailbox("a@x.test", 1),
    mailbox("both@x.test", 1),
    mailbox("both@x.test", 2),
    mailbox("old@x.test", 3, kind="0", id=ADELI),
    mailbox("gone@x.test", 99),
    mailbox("service@x.test", service="Accueil"),
]
Load = Callable[..., None]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a directory, with nothing in it."""
    if request.param == "sqlite":
        return str(tmp_path / "d #1?.sqlite")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.new_database()


@pytest.fixture
def load(where: str, tmp_path: Path, clock: FrozenClock) -> Load:
    """Imports files."""

    def load_(*files: Path, force: bool = False) -> None:
        import_directory(files, where, clock, cache=tmp_path / "cache.sqlite", force=force)

    return load_


@pytest.fixture
def loaded(load: Load, tmp_path: Path) -> None:
    (tmp_path / "list.xml").write_text(whitelist_xml("x.test", "bücher.test"), encoding="utf-8")
    load(people_file(tmp_path, PEOPLE), mailbox_file(tmp_path, BOXES), tmp_path / "list.xml")


@pytest.fixture
def directory(where: str, clock: FrozenClock) -> Iterator[TableDirectory]:
    opened = open_directory(where, clock)
    yield opened
    opened.close()
