"""A place that one process at a time has: who comes second waits, and has it a second or so after the first one's end.

Held are a lock on a file in the process's own folder (whatever must never be opened twice stands there) and, where the
database is PostgreSQL, an advisory lock in it, for as long as one connection lives: whoever has another folder, on
another machine, waits as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from colloque.errors import Temporary
from colloque.store.schema import explain

_LOOK_S = 0.5
_PROBE_S = 1.0
_ANSWER_S = 5.0
"""A server that does not answer for that long has let the lock go, as far as we know."""
_DOOR = -1
_DOOR_S = 60.0
_HOLDS = "hashtext(COALESCE(current_schema(), '') || $1)"
_DEAD_PEERS = ("tcp_keepalives_idle = 5", "tcp_keepalives_interval = 2", "tcp_keepalives_count = 3")
"""By these, PostgreSQL notices soon that the machine of whoever holds the lock is gone."""


class Slot:
    """One place: `name` and `number` tell it from others in the same database."""

    def __init__(self, url: str, folder: Path, name: str, number: int, *, lost: Callable[[], None]) -> None:
        """`url`: the database (see `schema.open_database`). `lost` is called once the place is not ours any more."""
        self._url = url
        self._folder = folder
        self._name = name
        self._number = number
        self._lost = lost
        self._fd = -1
        self._conn: Any = None
        self._asking = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Wait until the place is ours. Raises Temporary when the database can't be reached, ConfigError."""
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(self._folder / "slot.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        await _patiently(self._locked)
        if not self._url.startswith(("postgres://", "postgresql://")):
            return
        with _translated():
            self._conn = await asyncpg.connect(self._url, timeout=_ANSWER_S, command_timeout=_ANSWER_S)
            for setting in _DEAD_PEERS:
                await self._conn.execute(f"SET {setting}")
            await _patiently(partial(self._advised, self._number))
        self._watching = asyncio.create_task(self._watch())

    @asynccontextmanager
    async def door(self) -> AsyncIterator[None]:
        """One process at a time is within, to migrate the database. Raises Temporary when another is for too long."""
        if self._conn is None:
            yield
            return
        with _translated():
            async with asyncio.timeout(_DOOR_S):
                await _patiently(partial(self._advised, _DOOR))
        try:
            yield
        finally:
            with _translated():
                await self._ask(f"SELECT pg_advisory_unlock({_HOLDS}, $2)", self._name, _DOOR)

    async def close(self) -> None:
        """Leave the place to others. Harmless when done twice."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def _advised(self, number: int) -> bool:
        return bool(await self._ask(f"SELECT pg_try_advisory_lock({_HOLDS}, $2)", self._name, number))

    async def _ask(self, query: str, *args: object) -> object:
        async with self._asking:  # the connection takes one question at a time
            return await self._conn.fetchval(query, *args)

    async def _locked(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _watch(self) -> None:
        """The lock lives as long as its connection: ask all the time whether that does."""
        try:
            while True:
                await self._ask("SELECT 1")
                await asyncio.sleep(_PROBE_S)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self._lost()


async def _patiently(ours: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await ours():
            return
        await asyncio.sleep(_LOOK_S)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise (explain(error) or Temporary(f"the database does not answer: {type(error).__name__}")) from None
