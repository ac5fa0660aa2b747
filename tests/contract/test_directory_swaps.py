"""What comes to a directory in use: the first import, another one, damage, many readers. On both engines."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from colloque.directory.lookup import Query
from colloque.directory.open import is_postgres
from colloque.directory.questions import Change, TableDirectory
from colloque.errors import Inconsistent, NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps
from tests.extracts import (
    NEXT,
    first_files,
    mailbox,
    mailbox_file,
    people_file,
    person,
    rpps,
)
from tests.servers.directories import ADELI, PEOPLE, Load


def test_before_the_first_import_every_question_says_so(directory: TableDirectory, load: Load, tmp_path: Path) -> None:
    for ask in (
        directory.freshness,
        directory.parts,
        directory.changes,
        directory.whitelist_valid_until,
        lambda: directory.by_rpps(Rpps(rpps(1))),
        lambda: directory.by_adeli(Adeli(ADELI)),
        lambda: directory.by_mssante(MssanteAddress.parse("a@x.test")),
        lambda: directory.search(Query("dupont")),
        lambda: directory.whitelisted("x.test"),
    ):
        with pytest.raises(NotFound):
            ask()
    load(first_files(tmp_path / "first"))
    assert directory.by_rpps(Rpps(rpps(1))) is not None


@pytest.mark.usefixtures("loaded")
def test_a_new_import_is_noticed_and_says_what_changed(directory: TableDirectory, load: Load, tmp_path: Path) -> None:
    assert directory.by_rpps(Rpps(rpps(4))) is None
    load(people_file(tmp_path, [*PEOPLE, person(4)], stamp=NEXT))
    assert directory.by_rpps(Rpps(rpps(4))) is not None
    assert directory.freshness().people == 4
    assert directory.changes() == (Change("person", "added", Rpps(rpps(4))),)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("damage", ["another version", "a table gone", "notes gone"])
def test_damage_is_not_taken_for_absence(directory: TableDirectory, where: str, damage: str) -> None:
    """SQLite's own damages are tests/unit/colloque/directory/test_file.py's."""
    directory.close()
    if is_postgres(where):
        done = {
            "another version": "COMMENT ON SCHEMA annuaire IS 'colloque directory, version 1'",
            "a table gone": "DROP TABLE annuaire.activity, annuaire.meta",
            "notes gone": "DELETE FROM annuaire.source",
        }
        with closing(psycopg2.connect(where)) as db, db, db.cursor() as cursor:
            cursor.execute(done[damage])
    else:
        done = {
            "another version": "PRAGMA user_version = 1",
            "a table gone": "DROP TABLE activity; DROP TABLE meta",
            "notes gone": "DELETE FROM source",
        }
        with closing(sqlite3.connect(where)) as lite:
            lite.executescript(done[damage])
    with pytest.raises(Inconsistent):
        directory.freshness()
    if damage != "notes gone":
        with pytest.raises(Inconsistent):
            directory.by_rpps(Rpps(rpps(1)))


def test_replaced_while_reading_no_answer_is_of_two_imports(
    directory: TableDirectory, load: Load, tmp_path: Path
) -> None:
    """Every import renames the person, their places and mailboxes together."""

    def files(turn: int) -> list[Path]:
        mark = f"T{turn}"
        rows = [person(1, family=mark, town=mark, structure=mark), person(1, family=mark, town=mark, structure=mark)]
        boxes = [mailbox(f"{mark}@x.test".lower(), 1) | {"Raison Sociale structure BAL": mark}]
        return [people_file(tmp_path, rows), mailbox_file(tmp_path, boxes)]

    load(*files(0))
    seen: set[str] = set()
    mixed: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = directory.by_rpps(Rpps(rpps(1)))
            marks = {"nobody"} if found is None else {found.family_name, *found.towns}
            marks |= {m.structure for m in found.mailboxes} if found else set()
            seen.update(marks)
            if len(marks) != 1 or found is None or len(found.mailboxes) != 1:
                mixed.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(1, 9):
            load(*files(turn), force=True)
    finally:
        done.set()
        reader.join(30)
    assert not mixed
    assert len(seen) > 1


@pytest.mark.usefixtures("loaded")
def test_threads_share_it(directory: TableDirectory) -> None:
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(50):
            found = directory.by_rpps(Rpps(rpps(number)))
            if found is None or found.rpps != Rpps(rpps(number)):
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


@pytest.mark.usefixtures("loaded")
def test_closing_lets_go_and_asking_opens_again(directory: TableDirectory) -> None:
    directory.close()
    directory.close()
    assert directory.freshness().people == 3
