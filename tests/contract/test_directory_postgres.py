"""What only PostgreSQL can show: servers away, other imports, other owners, and what an import leaves when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from colloque.clock import FrozenClock
from colloque.directory.columns import ImportRefused
from colloque.directory.open import import_directory, open_directory
from colloque.directory.publish import publish, publishing
from colloque.directory.questions import TableDirectory
from colloque.errors import ConfigError, Inconsistent, NotFound, Temporary
from colloque.files import free_port
from colloque.identity import Rpps
from tests.extracts import boxes, first_files, people, rpps
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres
Load = Callable[..., Any]


@pytest.fixture
async def url(postgres_server: PostgresServer) -> str:
    return await postgres_server.new_database()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


@pytest.fixture
def load(url: str, cache: Path, clock: FrozenClock) -> Load:
    def load_(*files: Path, force: bool = False) -> object:
        return import_directory(files, url, clock, cache=cache, force=force)

    return load_


@pytest.fixture
def loaded(load: Load, tmp_path: Path) -> None:
    load(first_files(tmp_path / "first"))


@pytest.fixture
def directory(url: str, clock: FrozenClock) -> Iterator[TableDirectory]:
    opened = open_directory(url, clock)
    yield opened
    opened.close()


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""
    with closing(psycopg2.connect(url)) as db, db, db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def schemas(url: str) -> list[str]:
    return [n for (n,) in run(url, "SELECT nspname FROM pg_namespace WHERE nspname ~ 'annuaire' ORDER BY 1")]


# asking it


async def test_a_server_away_is_temporary_and_comes_back(
    postgres_server: PostgresServer, tmp_path: Path, clock: FrozenClock
) -> None:
    url = await postgres_server.new_database()
    import_directory([first_files(tmp_path / "first")], url, clock)
    directory = open_directory(url, clock)
    assert directory.freshness().people == 40
    port = postgres_server.port
    postgres_server.stop()
    try:
        for _ in range(2):
            with pytest.raises(Temporary):
                directory.freshness()
    finally:
        postgres_server.start(port)
    deadline = time.monotonic() + 10
    while True:
        try:
            assert directory.freshness().people == 40
            break
        except Temporary:
            assert time.monotonic() < deadline, "it never comes back"
    directory.close()


@pytest.mark.usefixtures("loaded")
def test_a_broken_connection_is_made_again_within_the_question(url: str, directory: TableDirectory) -> None:
    assert directory.freshness().people == 40
    run(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert directory.freshness().people == 40


def test_nowhere_is_temporary_and_a_bad_url_names_no_secret(clock: FrozenClock) -> None:
    with pytest.raises(Temporary, match="can't be used now"):
        open_directory(f"postgres://nobody:Secret1@127.0.0.1:{free_port()}/x", clock).freshness()
    with pytest.raises(ConfigError) as caught:
        open_directory("postgres://nobody:Secret1%ZZ@127.0.0.1/x", clock)
    assert "Secret1" not in str(caught.value)


@pytest.mark.usefixtures("loaded")
def test_a_reader_needs_to_read_only_and_keeps_that_over_imports(
    url: str, load: Load, tmp_path: Path, clock: FrozenClock
) -> None:
    role = f"reader_{os.getpid()}_{time.monotonic_ns()}"
    run(url, f"CREATE ROLE {role} LOGIN")
    directory = open_directory(url.replace("postgres@", f"{role}@"), clock)
    with pytest.raises(Inconsistent, match="grant"):
        directory.freshness()
    run(url, f"GRANT USAGE ON SCHEMA annuaire TO {role}")
    with pytest.raises(Inconsistent, match="privilege"):
        directory.freshness()
    run(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA annuaire TO {role}")
    assert directory.freshness().people == 40
    load(people(tmp_path, 41))
    assert directory.freshness().people == 41
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(url.replace("postgres@", f"{role}@"), "DELETE FROM annuaire.people")
    directory.close()


@pytest.mark.usefixtures("loaded")
def test_another_version_is_neither_read_nor_compared_with(
    url: str, directory: TableDirectory, load: Load, tmp_path: Path
) -> None:
    run(url, "COMMENT ON SCHEMA annuaire IS 'colloque directory, version 1'")
    with pytest.raises(Inconsistent, match="version"):
        open_directory(url).freshness()
    with pytest.raises(ImportRefused) as caught:
        load(tmp_path / "first")
    assert caught.value.reason == "loaded.unreadable"
    load(tmp_path / "first", force=True)
    assert directory.freshness().people == 40


def test_a_strangers_schema_is_left_alone(url: str, load: Load, directory: TableDirectory, tmp_path: Path) -> None:
    run(url, "CREATE SCHEMA annuaire", "CREATE TABLE annuaire.people (x INTEGER)")
    with pytest.raises(Inconsistent):
        load(first_files(tmp_path / "first"))
    with pytest.raises(Inconsistent):
        directory.freshness()
    assert run(url, "SELECT count(*) FROM annuaire.people") == [(0,)]


# writing to it


@pytest.mark.usefixtures("loaded")
def test_one_import_at_a_time(url: str, load: Load, tmp_path: Path) -> None:
    with publishing(url, tmp_path / "other.sqlite"), pytest.raises(Temporary, match="another import"):
        load(tmp_path / "first")
    load(tmp_path / "first")


@pytest.mark.usefixtures("loaded")
def test_the_guards_compare_with_what_postgresql_holds_cache_or_not(
    url: str, cache: Path, load: Load, tmp_path: Path, directory: TableDirectory
) -> None:
    ids = run(url, "SELECT national, id FROM annuaire.people ORDER BY 1")
    for damage in (cache.unlink, lambda: cache.write_bytes(b"damaged"), lambda: None):
        damage()
        with pytest.raises(ImportRefused) as older:
            load(people(tmp_path, 40, "202602010630"))
        with pytest.raises(ImportRefused) as fall:
            load(people(tmp_path, 30))
        assert (older.value.reason, fall.value.reason) == ("file.older", "people.fall")
    cache.unlink()
    load(people(tmp_path, 41))
    assert run(url, "SELECT national, id FROM annuaire.people ORDER BY 1")[:40] == ids
    assert len(directory.changes()) == 1
    # Another host published meanwhile: this one's cache is of the past.
    old = cache.read_bytes()
    load(people(tmp_path, 42))
    cache.write_bytes(old)
    with pytest.raises(ImportRefused) as fall:
        load(people(tmp_path, 39))
    assert fall.value.reason == "people.fall"


@pytest.mark.usefixtures("loaded")
def test_a_refused_import_changes_nothing(url: str, load: Load, tmp_path: Path, directory: TableDirectory) -> None:
    before = directory.freshness()
    with pytest.raises(ImportRefused):
        load(boxes(tmp_path, 3))
    assert directory.freshness() == before
    assert schemas(url) == ["annuaire"]


@pytest.mark.usefixtures("loaded")
def test_what_is_still_read_goes_with_the_next_import(
    url: str, load: Load, tmp_path: Path, directory: TableDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colloque.directory.publish._DROP_S", 1)
    with closing(psycopg2.connect(url)) as dump, dump.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM annuaire.people")
        load(people(tmp_path, 41))
        assert directory.freshness().people == 41
        assert schemas(url) == ["annuaire", "annuaire_old"]
        cursor.execute("SELECT count(*) FROM annuaire_old.people")
        assert cursor.fetchone() == (40,)
    load(people(tmp_path, 42))
    assert schemas(url) == ["annuaire"]


@pytest.mark.usefixtures("loaded")
def test_a_file_of_another_kind_is_not_published(url: str, tmp_path: Path, directory: TableDirectory) -> None:
    (tmp_path / "x.sqlite").touch()
    with pytest.raises(Inconsistent):
        publish(tmp_path / "x.sqlite", url)
    assert directory.freshness().people == 40


@pytest.mark.usefixtures("loaded")
def test_a_killed_import_leaves_what_was_there(
    url: str, cache: Path, load: Load, tmp_path: Path, directory: TableDirectory
) -> None:
    """Killed at several moments of its writing: nothing is half, and running again repairs."""
    script = (
        "import pathlib, sys\n"
        "from datetime import UTC, datetime\n"
        "from colloque.clock import FrozenClock\n"
        "from colloque.directory import publish\n"
        "from colloque.directory.open import import_directory\n"
        "said, real = 0, publish._all\n"
        "def slow(db, statement, *values):\n"
        "    print(statement[:60].replace(chr(10), ' '), flush=True)\n"
        "    sys.stdin.readline()\n"
        "    return real(db, statement, *values)\n"
        "publish._all = slow\n"
        "import_directory([pathlib.Path(sys.argv[1])], sys.argv[2], FrozenClock(datetime(2026, 3, 3, tzinfo=UTC)),"
        " cache=pathlib.Path(sys.argv[3]))\n"
    )
    source = people(tmp_path, 41)
    moments = ("CREATE SCHEMA", "ALTER SCHEMA annuaire RENAME", "ALTER SCHEMA annuaire_new RENAME")
    for moment in moments:
        command = [sys.executable, "-c", script, source, url, cache]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(moment):
                    break
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                pytest.fail(f"it never came to {moment}")
            process.send_signal(signal.SIGKILL)
        assert directory.freshness().people == 40
    load(source)
    assert directory.freshness().people == 41
    assert schemas(url) == ["annuaire"]
    assert directory.by_rpps(Rpps(rpps(40))) is not None


def test_nothing_imported_yet(directory: TableDirectory, url: str) -> None:
    with pytest.raises(NotFound):
        directory.freshness()
    run(url, "CREATE TABLE people (id INTEGER)")
    with pytest.raises(NotFound):
        directory.by_rpps(Rpps(rpps(1)))
