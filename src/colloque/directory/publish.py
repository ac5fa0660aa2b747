"""Writes the directory to PostgreSQL: the tables of a SQLite file, as one new schema put in place at once.

An import is one transaction under an advisory lock: wherever a crash comes, what was there stays, and one import runs
at a time. `extract.import_files` makes the SQLite file; PostgreSQL keeps its table definitions too, in the table
`definition`, so that the file can be made again from there (docs/decisions/0007).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812 - a class

from colloque.directory.build import disk
from colloque.directory.columns import ImportRefused
from colloque.directory.copying import copy_back, copy_tables
from colloque.directory.engine import is_ours, open_read_only
from colloque.directory.postgres import MARK, SCHEMA, checked, connect, explained
from colloque.directory.schema import APPLICATION, VERSION
from colloque.errors import Inconsistent, Temporary
from colloque.logs import event as log_event

_LOCK = 0x434F4C51
"""The advisory lock that whoever imports holds."""
_WAIT_S = 2
"""Seconds until the lock counts as held by somebody: PostgreSQL takes a moment to see that a process is gone."""
_OLD, _NEW = f"{SCHEMA}_old", f"{SCHEMA}_new"

_DROP_S = 5
"""Seconds that a finished import waits for those who still read the old tables."""

_READERS = """
SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
FROM pg_class, aclexplode(relacl)
WHERE oid = to_regclass(%s) AND privilege_type = 'SELECT' AND grantee <> relowner
"""
"""Who was granted to read the directory: whoever may read its table of people."""

log = logging.getLogger(__name__)


@contextmanager
def publishing(url: str, file: Path, *, force: bool = False) -> Iterator[Callable[[], None]]:
    """Holds the import lock, makes `file` what PostgreSQL holds (none, when it holds none), gives what publishes it.

    Raises Temporary (another import runs, the server is away), ConfigError (bad URL), Inconsistent (something else has
    our schema's name), ImportRefused: `target.folder`, `disk`, or, unless `force`, `loaded.unreadable` (damaged, or
    another version's).
    """
    if not file.parent.is_dir():
        raise ImportRefused("target.folder", f"{file.parent}: no such folder")
    with _locked(url) as db:
        with explained():
            _make_equal(db, file, force=force)
        yield lambda: _publish(db, file)


def publish(file: Path, url: str) -> None:
    """Put a directory file in place of whatever PostgreSQL holds. Raises as `publishing` does."""
    with _locked(url) as db:
        _publish(db, file)


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """A connection that holds the import lock until it is closed or lost."""
    with explained():
        db = connect(checked(url))
    with closing(db):
        with explained():
            db.autocommit = True
            _all(db, f"SELECT set_config('lock_timeout', '{_WAIT_S}s', false)")
            try:
                _all(db, "SELECT pg_advisory_lock(%s)", _LOCK)
            except pg.LockNotAvailable:
                raise Temporary("another import into this directory is running") from None
            # A stranger's lock on our tables (a dump's) shall not hold up an import for ever.
            _all(db, "SELECT set_config('lock_timeout', '60s', false)")
            _loaded(db)
        yield db


def _loaded(db: Connection) -> str | None:
    """The mark of what is loaded, None when nothing is. Raises Inconsistent when it is not ours."""
    found = _all(db, "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", SCHEMA)
    if not found:
        return None
    mark = str(found[0][0])
    if mark.partition(",")[0] != MARK.partition(",")[0]:
        raise Inconsistent(f"PostgreSQL holds a schema named {SCHEMA} that is not a directory of ours")
    return mark


def _make_equal(db: Connection, file: Path, *, force: bool) -> None:
    loaded = _loaded(db)
    try:
        if loaded == MARK and not _equal(db, file):
            _fetch(db, file)
            log_event(log, "directory.cache_made")
        readable = loaded in {None, MARK}
    except (psycopg2.ProgrammingError, sqlite3.Error):
        readable = False
    if not readable and not force:
        raise ImportRefused(
            "loaded.unreadable", "the directory in use can't be read, or is another version's: nothing compares with it"
        )
    if not readable or loaded is None:
        file.unlink(missing_ok=True)


def _equal(db: Connection, file: Path) -> bool:
    """Whether both hold the same import: made at the same time, of the same files, with the same counts."""
    if not file.exists():
        return False
    try:
        with closing(open_read_only(file)) as lite:
            return is_ours(lite) and all(
                lite.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 - our own names
                == _all(db, f"SELECT * FROM {SCHEMA}.{table} ORDER BY 1")  # noqa: S608
                for table in ("meta", "source")
            )
    except sqlite3.Error:
        return False


def _fetch(db: Connection, file: Path) -> None:
    """Make `file` from what PostgreSQL holds."""
    aside = file.with_name(f".{file.name}.fetching")
    try:
        with disk():
            aside.unlink(missing_ok=True)
            os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
        with disk(), closing(sqlite3.connect(aside, isolation_level=None)) as lite, _transaction(db, SCHEMA):
            # Worth nothing until it is whole: no journal, no sync.
            lite.executescript(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
                f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; BEGIN;"
            )
            copy_back(db, lite)
            lite.execute("COMMIT")
        aside.replace(file)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _publish(db: Connection, file: Path) -> None:
    with explained(), closing(open_read_only(file)) as lite:
        if not is_ours(lite):
            raise Inconsistent("the file to publish is not a directory of this version")
        # What an import before this one could not drop.
        _all(db, f"DROP SCHEMA IF EXISTS {_OLD} CASCADE")
        readers = [role for (role,) in _all(db, _READERS, f"{SCHEMA}.people")]
        with _transaction(db, _NEW):
            _all(db, f"CREATE SCHEMA {_NEW}")
            _all(db, f"COMMENT ON SCHEMA {_NEW} IS %s", MARK)
            copy_tables(lite, db)
            for role in readers:
                _all(db, f"GRANT USAGE ON SCHEMA {_NEW} TO {role}")
                _all(db, f"GRANT SELECT ON ALL TABLES IN SCHEMA {_NEW} TO {role}")
            # Renaming locks no table: whoever reads goes on, and reads the new one from the next statement.
            if _loaded(db) is not None:
                _all(db, f"ALTER SCHEMA {SCHEMA} RENAME TO {_OLD}")
            _all(db, f"ALTER SCHEMA {_NEW} RENAME TO {SCHEMA}")
    try:
        _all(db, f"SELECT set_config('lock_timeout', '{_DROP_S}s', false)")
        _all(db, f"DROP SCHEMA IF EXISTS {_OLD} CASCADE")
    except psycopg2.Error as error:
        # The import is done; whoever still reads the old tables keeps them until the next one.
        log_event(log, "directory.old_kept", why=type(error).__name__)


@contextmanager
def _transaction(db: Connection, schema: str) -> Iterator[None]:
    """All or nothing, within that schema."""
    db.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    try:
        with db:
            _all(db, "SELECT set_config('search_path', %s, true)", f"{schema}, pg_temp")
            yield
    finally:
        if not db.closed:
            db.set_session(isolation_level="DEFAULT", autocommit=True)


def _all(db: Connection, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        cursor.execute(statement, values or None)
        found: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return found
