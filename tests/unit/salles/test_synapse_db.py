"""Statements on a small SQLite file: what is deleted, what is kept until later, what is read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from colloque.errors import Inconsistent, Temporary
from colloque.rooms.leftovers import LEFTOVERS
from colloque_salles.cleaner import synapse_db
from colloque_salles.cleaner.scanning import look
from colloque_salles.cleaner.synapse_db import open_db

ROOM, OTHER = "!aaaaaaaaaaaaaaaaaa:h.test", "!bbbbbbbbbbbbbbbbbb:h.test"
TABLES = """
CREATE TABLE stream_positions (stream_name TEXT, instance_name TEXT, stream_id INTEGER);
CREATE TABLE device_inbox (user_id TEXT, stream_id INTEGER, message_json TEXT);
CREATE TABLE current_state_delta_stream (stream_id INTEGER, room_id TEXT);
CREATE TABLE stats_incremental_position (stream_id INTEGER);
CREATE TABLE user_directory_stream_pos (stream_id INTEGER);
CREATE TABLE room_forgetter_stream_pos (stream_id INTEGER);
CREATE TABLE threads (room_id TEXT, thread_id TEXT);
CREATE TABLE users (name TEXT);
CREATE TABLE odd (key TEXT PRIMARY KEY, raw BLOB) WITHOUT ROWID;
"""
Rows = Iterable[tuple[Any, ...]]
Write = Callable[[str, Rows], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "homeserver.db")) as db:
        db.executescript(TABLES)
        db.execute("PRAGMA journal_mode = WAL")
    return tmp_path / "homeserver.db"


@pytest.fixture
def write(path: Path) -> Write:
    def write(table: str, rows: Rows) -> None:
        with closing(sqlite3.connect(path)) as db, db:
            for row in rows:
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    return write


@pytest.fixture
def delete(path: Path) -> Iterator[Callable[[str], int]]:
    db = open_db(f"sqlite:{path}", deletes=True)
    by_table = {leftover.table: leftover for leftover in LEFTOVERS}
    yield lambda table: db.delete(by_table[table], [ROOM])
    db.close()


def test_the_end_of_a_stream_stays_until_its_position_is_noted(write: Write, delete: Callable[[str], int]) -> None:
    write("device_inbox", [("@a", 5, f'{{"room_id": "{ROOM}"}}'), ("@a", 7, f'"{ROOM}"'), ("@a", 8, f'"{OTHER}"')])
    assert delete("device_inbox") == 0
    write("stream_positions", [("to_device", "master", 5), ("events", "master", 99)])
    assert delete("device_inbox") == 1
    write("stream_positions", [("to_device", "master", 8)])
    assert delete("device_inbox") == 1


@pytest.mark.parametrize(
    ("followers", "gone"),
    [((30, 30, 30), 3), ((30, 11, 30), 0), ((30, 30, 10), 0), ((3, 30, 30), 3), ((None, 30, 19), 0), ((20, 20, 20), 3)],
)
def test_changes_stay_while_somebody_reads_them(
    write: Write, delete: Callable[[str], int], followers: tuple[int | None, ...], gone: int
) -> None:
    write("current_state_delta_stream", [(10, ROOM), (12, OTHER), (15, ROOM), (20, ROOM), (25, OTHER)])
    write("stream_positions", [("events", "master", 30)])
    tables = ("stats_incremental_position", "user_directory_stream_pos", "room_forgetter_stream_pos")
    for table, position in zip(tables, followers, strict=True):
        write(table, [(position,)])
    assert delete("current_state_delta_stream") == gone


def test_many_rows_go_in_small_transactions(
    write: Write, delete: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(synapse_db.time, "sleep", pauses.append)
    write("threads", [*((ROOM, str(n)) for n in range(1200)), *((OTHER, str(n)) for n in range(10))])
    assert delete("threads") == 1200
    assert len(pauses) == 2


def test_a_lock_that_is_held_is_temporary(path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synapse_db, "_WAIT_S", 0)
    write("threads", [(ROOM, "x")])
    own = open_db(f"sqlite:{path}", deletes=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(Temporary):
            own.delete(next(each for each in LEFTOVERS if each.table == "threads"), [ROOM])
    own.close()


def test_nothing_but_the_list_is_written(path: Path) -> None:
    for own in (open_db(f"sqlite:{path}", deletes=True), open_db(f"sqlite:{path}")):
        for statement in ("DELETE FROM users", "UPDATE threads SET room_id = ''", "DROP TABLE threads", "VACUUM"):
            with pytest.raises((Inconsistent, Temporary)):
                own.select(statement)
        own.close()


def test_everything_is_read(path: Path, write: Write, tmp_path: Path) -> None:
    write("threads", [(OTHER, str(n)) for n in range(synapse_db.PAGE * 2)])
    write("threads", [(ROOM, "x")])
    write("odd", [("x", f"\xff{ROOM}".encode("latin-1")), ("y", b"")])
    media = tmp_path / "media"
    (media / "local_content/ab/cd").mkdir(parents=True)
    (media / "local_content/ab/cd/efghijklmnopqrstuvwx").touch()
    (media / "local_thumbnails/ab/cd/efghijklmnopqrstuvwx").mkdir(parents=True)
    (media / "local_thumbnails/ab/cd/efghijklmnopqrstuvwx/32-32-image-png-scale").touch()
    reader = open_db(f"sqlite:{path}")
    rooms = {ROOM: ["mxc://h.test/abcdefghijklmnopqrstuvwx"], OTHER: []}
    seen = look(rooms, reader, media)
    assert seen.found == {
        ROOM: {"threads": 1, "odd": 1, "media_folder": 2},
        OTHER: {"threads": synapse_db.PAGE * 2},
    }
    with pytest.raises(Temporary):
        look(rooms, reader, media, stopped=lambda: True)
    with pytest.raises(Temporary):
        look(rooms, reader, tmp_path / "elsewhere")
    reader.close()
