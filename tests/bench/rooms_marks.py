"""What is left of an erased room's words in the databases' files: a marker is planted everywhere, then looked for.

Three looks: before the erasure (it must be found, or the look is no good), after it, and after the maintenance of
docs/admin.md. Counted is how often the marker stands in each group of files, byte for byte; free pages and logs are
files like any others. The result is what the maintenance leaves in the database files proper.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from colloque.clock import SystemClock
from colloque.identity import MssanteAddress, UserId
from colloque_salles.rules.packing import Item
from colloque_salles.store.archive import Archives
from colloque_salles.store.life import Hold, RoomLife
from tests.bench.result import Goal, Result, result
from tests.bench.rooms_place import OWNER, SERVER, Full, Place, place

ROOMS = 5
LOGS = ("-wal", "-journal")
"""How SQLite names its logs; PostgreSQL's stand in `pg_wal`."""
BUSY_S = 60.0


def marks(database: str) -> Callable[[], Awaitable[Result]]:
    """How often the marker stands in database files once all is done."""

    async def run() -> Result:
        mark = f"marque{secrets.token_hex(8)}"
        async with place(database) as found:
            rooms = [await found.fill(mark=mark) for _ in range(ROOMS)]
            for full in rooms:
                await found.follow(full)
                await _plant(found, full, mark)
            await _settle(found)
            planted = await asyncio.to_thread(_count, found, mark)
            _tell(database, "planted", planted)
            await found.erase(rooms)
            _tell(database, "erased", await asyncio.to_thread(_count, found, mark))
            await (_of_postgres(found) if found.postgres else asyncio.to_thread(_of_sqlite, found))
            left = await asyncio.to_thread(_count, found, mark)
            _tell(database, "maintained", left)
        assert planted["database"], "the marker was never in the database"
        assert planted["media"], "the marker was never in the media"
        unit = "markers in database files after the maintenance"
        if left["log"]:
            print(f"{database}: the database's log still holds {left['log']}, until it is recycled")
        return result(f"rooms-marks-{database}", left["database"] + left["media"], unit, Goal(0))

    return run


async def _plant(found: Place, full: Full, mark: str) -> None:
    """In what @salles keeps of a room besides: its name for the team, a hold's reason, names of files."""
    now, life, archives = SystemClock().now(), RoomLife(found.db), Archives(found.db)
    owner = UserId(f"@{OWNER}:{SERVER}")
    await life.call(full.room, mark)
    await life.hold(Hold(full.room, owner, now - timedelta(days=2), now - timedelta(days=1), mark))
    box = MssanteAddress("anne@medecin.mssante.test")
    await archives.begin(full.room, owner, 1, [box], box)
    await archives.made(full.room, [[Item(mark, "application/pdf", 1, {"url": full.files[0]})]], [mark], at_home=False)


async def _settle(found: Place) -> None:
    """What was committed stands in the database's own files, not in its log alone."""
    if found.postgres is not None:
        for name in await _databases(found):
            await _ask(found, name, "CHECKPOINT")
        return
    for file in _files(found):
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _of_sqlite(found: Place) -> None:
    """The database is written anew, without free pages, and its log emptied."""
    for file in _files(found):
        with closing(sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _of_postgres(found: Place) -> None:
    """Tables are written anew; the planner's statistics, which hold samples of what stood there, likewise."""
    for name in await _databases(found):
        await _ask(found, name, "VACUUM (FULL, ANALYZE)")
        await _ask(found, name, "VACUUM FULL pg_statistic")
        await _ask(found, name, "CHECKPOINT")


async def _databases(found: Place) -> list[str]:
    """Ours and Synapse's; those that nobody uses hold nothing."""
    rows = await _ask(found, "postgres", "SELECT datname FROM pg_database WHERE datname LIKE 't%' AND datallowconn")
    return [str(row["datname"]) for row in rows if not str(row["datname"]).startswith("template")]


async def _ask(found: Place, name: str, statement: str) -> list[asyncpg.Record]:
    assert found.postgres is not None
    conn = await asyncpg.connect(found.postgres.url(name))
    try:
        return list(await conn.fetch(statement))
    finally:
        await conn.close()


def _files(found: Place) -> list[Path]:
    return [found.server.folder / "homeserver.db", found.folder / "salles.db"]


def _count(found: Place, mark: str) -> dict[str, int]:
    counts = {"database": 0, "log": 0, "media": 0}
    for group, file in _groups(found):
        try:
            counts[group] += file.read_bytes().count(mark.encode())
        except FileNotFoundError:  # a file of PostgreSQL's that went meanwhile
            continue
    return counts


def _groups(found: Place) -> Iterator[tuple[str, Path]]:
    for file in (found.server.folder / "media").rglob("*"):
        if file.is_file():
            yield "media", file
    if found.postgres is None:
        for database in _files(found):
            yield "database", database
            yield from (("log", Path(f"{database}{end}")) for end in LOGS)
        return
    for file in found.postgres.data.rglob("*"):
        if file.is_file():
            yield ("log" if "pg_wal" in file.parts else "database"), file


def _tell(database: str, when: str, counts: dict[str, int]) -> None:
    print(f"{database}, {when}: " + ", ".join(f"{group} {count}" for group, count in counts.items()), flush=True)
