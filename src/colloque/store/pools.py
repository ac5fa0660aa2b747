"""mautrix's two kinds of database, made safe against cancellation and against tasks that inherit a connection.

mautrix keeps the current connection and "am I in a transaction?" in context variables shared by all databases
and copied into every task started meanwhile: such a task would then write through a connection that is no longer
its own, without a transaction. It also leaves an SQLite transaction open when the task is cancelled within it.
Here a connection belongs to one task and one database, and nothing goes back to the pool in mid-transaction.

Failures come out as `Temporary` (full, locked, unreachable) or `Inconsistent` (damaged file); a violated
constraint or wrong SQL stays what it is, for it is a bug of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast

import asyncpg  # type: ignore[import-untyped]
from mautrix.util.async_db import Connection, Database, PostgresDatabase, SQLiteDatabase
from mautrix.util.async_db.aiosqlite import TxnConnection, in_transaction

from colloque.errors import Inconsistent, Temporary

_Held = tuple["asyncio.Task[Any] | None", Database, Connection]
_held: ContextVar[_Held | None] = ContextVar("colloque_db_connection", default=None)

_WAIT_S = 30.0
"""How long to wait for a free connection."""
_BUSY = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
}  # fmt: skip
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the next command on a connection that broke in the middle of one
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    TimeoutError,
)


async def translate(error: Exception) -> None:
    """Raise what a failed query means to us; return when it is a bug, to be raised as it is."""
    if isinstance(error, _AWAY):
        raise Temporary(f"the database does not answer: {type(error).__name__}") from None
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    if code is not None and code & 0xFF in _BUSY:
        raise Temporary(f"the database can't be used: {getattr(error, 'sqlite_errorname', '')}") from None
    if code is not None and code & 0xFF in _DAMAGED:
        raise Inconsistent("the database file is damaged") from None


class _PerTask(Database):
    """One connection a task: nested calls share it, and with it the transaction; other tasks never do."""

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:  # type: ignore[override]
        task, held = asyncio.current_task(), _held.get()
        if held is not None and held[0] is task and held[1] is self:
            yield held[2]
            return
        async with self.acquire_direct() as conn:
            token, flag = _held.set((task, self, conn)), in_transaction.set(False)
            try:
                yield conn
            finally:
                in_transaction.reset(flag)
                _held.reset(token)


class Sqlite(_PerTask, SQLiteDatabase):
    """One file, one connection: tasks take turns."""

    async def start(self) -> None:
        """Open and migrate. mautrix forgets a connection whose first commands fail; its thread then never ends."""
        raw = TxnConnection(self._path)
        try:
            await raw
            for command in self._init_commands:
                await raw.execute(command)
        except BaseException:
            await raw.close()
            raise
        raw.row_factory = sqlite3.Row
        self._pool.put_nowait(raw)
        self._conns += 1
        await Database.start(self)

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[Connection]:  # type: ignore[override]
        async with cast("AbstractAsyncContextManager[Connection]", super()._acquire()) as inner:
            raw: Any = inner.wrapped
            try:
                yield Connection(self.scheme, raw, self.log, handle_exception=translate)
            except BaseException:
                # Queued behind whatever still runs, even when we are cancelled again while waiting for it.
                await raw.rollback()
                raise


class Postgres(_PerTask, PostgresDatabase):
    """A small pool; a lost connection is replaced when the next one is asked for."""

    @asynccontextmanager
    async def acquire_direct(self) -> AsyncIterator[Connection]:  # type: ignore[override]
        """A connection of the pool."""
        try:
            raw = await self.pool.acquire(timeout=_WAIT_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Temporary(f"the database can't be reached: {type(error).__name__}") from None
        try:
            yield Connection(self.scheme, raw, self.log, handle_exception=translate)
        finally:
            # Whoever held it has done what they did, or was told that it failed: the pool drops a broken connection.
            with contextlib.suppress(OSError, *_AWAY):
                await self.pool.release(raw)
