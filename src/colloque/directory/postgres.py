"""Reads the directory from PostgreSQL, by URL. A new import is noticed at the next question.

An import puts a whole new schema under the name `annuaire` in one step (docs/decisions/0007). PostgreSQL resolves the
names of tables anew in every statement, so a question of several statements is asked again when the schema changed
meanwhile. Reading needs USAGE on the schema and SELECT on its tables, nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import BINARY
from psycopg2 import errors as pg
from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812 - a class
from psycopg2.extensions import new_type, parse_dsn, register_type

from colloque.clock import Clock, monotonic
from colloque.directory.engine import Rows
from colloque.directory.questions import TableDirectory
from colloque.directory.schema import VERSION
from colloque.errors import ColloqueError, ConfigError, Inconsistent, NotFound, Problem, Temporary

SCHEMA = "annuaire"
MARK = f"colloque directory, version {VERSION}"
"""The comment that a schema of ours bears. Another version's is imported again, never migrated."""

_PATIENCE = {"connect_timeout": "5", "tcp_user_timeout": "10000", "keepalives_idle": "30", "keepalives_interval": "10"}
"""Readers ask from event loops: a server that is gone must show within seconds."""
_AGAIN_S = 2.0
"""After a failed connection, questions fail at once for that long."""
_TRIES = 5

# The name is resolved by the same cache as those of the tables in the questions: a change can't show in one and not yet
# in the other, and resolution never goes back. A schema that we may not use resolves to nothing.
_GENERATION = """
SELECT to_regclass('people')::oid::bigint, to_regnamespace('annuaire')::oid::bigint,
  obj_description(to_regnamespace('annuaire')::oid, 'pg_namespace')
"""

_BYTES = new_type((17,), "BYTES", lambda value, cursor: None if value is None else bytes(BINARY(value, cursor)))
"""BYTEA as SQLite gives its BLOBs."""

T = TypeVar("T")


class DirectoryPostgres(TableDirectory):
    """Implements `lookup.Directory` over PostgreSQL. Beside the protocol's errors, every question may raise Temporary
    (the server is away, restarting, or the import in hand changes too often).
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        """Connects at the first question. `clock` judges the white-list's validity. Raises ConfigError: a bad URL."""
        super().__init__(clock)
        settings = checked(url)
        self._lookups, self._searches = _Session(settings), _Session(settings)

    def close(self) -> None:
        """Close the connections; a later question opens them again."""
        self._lookups.close()
        self._searches.close()

    def _ask(self, question: Callable[[Rows], T]) -> T:
        return self._lookups.ask(question)

    def _ask_long(self, question: Callable[[Rows], T]) -> T:
        return self._searches.ask(question)


class _Session:
    """One connection, made anew when it breaks; one question at a time, each answered from one import."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._db: Connection | None = None
        self._generation = 0
        self._away_until = 0.0

    def ask(self, question: Callable[[Rows], T]) -> T:
        """The question's answer. See `DirectoryPostgres` for what is raised."""
        with self._lock, explained():
            old = self._db
            try:
                return self._answer(question)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                if old is None or not old.closed:
                    raise
            # The connection broke since the last question, most likely the server was restarted: reading again is safe.
            return self._answer(question)

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _answer(self, question: Callable[[Rows], T]) -> T:
        db = self._connected()
        generation = self._generation or self._look(db)
        for _ in range(_TRIES):
            failure: Exception | None = None
            try:
                answer = question(lambda sql, values=(): _rows(db, sql, values))
            except (pg.UndefinedTable, pg.UndefinedColumn, ColloqueError) as error:
                failure = error
            now = self._look(db)
            if now == generation:
                if failure is not None:
                    raise failure
                return answer
            generation = now
        raise Temporary("the directory is replaced all the time")

    def _look(self, db: Connection) -> int:
        """Which import stands under our name, as a number that no other import has. Raises NotFound, Inconsistent."""
        self._generation = 0
        [(people, schema, comment)] = _rows(db, _GENERATION)
        if schema is None:
            raise NotFound("no directory was imported yet")
        if people is None and comment == MARK:
            raise Inconsistent("this PostgreSQL role may not use the directory's schema: grant it")
        if people is None or comment != MARK:
            raise Inconsistent("the directory in PostgreSQL is not one of this version: import again")
        self._generation = int(people)
        return self._generation

    def _connected(self) -> Connection:
        if self._db is None or self._db.closed:
            self._forget()
            if monotonic() < self._away_until:
                raise Temporary("the directory's PostgreSQL can't be reached", retry_after_s=_AGAIN_S)
            try:
                db = connect(self._settings)
            except psycopg2.OperationalError:
                self._away_until = monotonic() + _AGAIN_S
                raise
            self._db = db
            register_type(_BYTES, db)
            db.set_session(readonly=True, autocommit=True)
            _rows(db, f"SELECT set_config('search_path', '{SCHEMA}, pg_temp', false)")
            _rows(db, "SELECT set_config('statement_timeout', '10s', false)")
        return self._db

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._generation = None, 0


def checked(url: str) -> dict[str, str]:
    """A URL's settings as libpq reads them. Raises ConfigError, which never repeats the URL (it may hold a secret)."""
    try:
        settings: dict[str, str] = parse_dsn(url)
    except psycopg2.ProgrammingError:
        raise ConfigError(
            [Problem("directory", "must be a URL that PostgreSQL reads: postgres://user@host/db")]
        ) from None
    return _PATIENCE | settings


def connect(settings: dict[str, str]) -> Connection:
    """A connection. Passwords come from the URL or, better, from libpq's password file (`PGPASSFILE`)."""
    return psycopg2.connect(**settings)


@contextmanager
def explained() -> Iterator[None]:
    """Turns what PostgreSQL raises into our errors."""
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        # libpq's own words name the server, the user and the database, never a password.
        said = str(error).strip().splitlines()[:1]
        raise Temporary(f"the directory's PostgreSQL can't be used now: {''.join(said)}") from None
    except pg.InsufficientPrivilege:
        raise Inconsistent("this PostgreSQL role lacks a privilege on the directory: grant it") from None
    except psycopg2.Error as error:
        raise Inconsistent(
            f"the directory in PostgreSQL can't be used ({type(error).__name__}): import again"
        ) from None


def _rows(db: Connection, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        cursor.execute(sql.replace("?", "%s"), tuple(values) or None)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
