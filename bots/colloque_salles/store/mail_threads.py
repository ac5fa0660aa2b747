"""Mail threads that end, as rows: what the bridge asked to be deleted, until it has heard of the receipt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.identity import EventId, MxcUri, UserId
from colloque.store.schema import migration, transaction

TABLES = ("mail_event", "mail_file", "mail_thread")
"""Tables with rows about a thread."""
_DONE = "done"


def register_mail_threads(table: UpgradeTable) -> None:
    """Add this family's migration."""

    @migration(table, "Mail threads that end")
    async def threads(conn: Connection) -> None:
        # `token`: how the thread is called, by the bridge and in its receipt; it names nothing else.
        await conn.execute(
            "CREATE TABLE mail_thread (token TEXT PRIMARY KEY, step TEXT NOT NULL, manifest TEXT NOT NULL, "
            "serial INTEGER NOT NULL DEFAULT 0)"
        )
        await conn.execute(
            "CREATE TABLE mail_event (token TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (token, event))"
        )
        await conn.execute(
            "CREATE TABLE mail_file (token TEXT NOT NULL, mxc TEXT NOT NULL, sender TEXT NOT NULL, "
            "shared BOOLEAN NOT NULL, PRIMARY KEY (token, mxc, sender))"
        )
        # Files whose own thread ended, and that another thread or a patient room still shares: the last one takes them.
        await conn.execute("CREATE TABLE mail_orphan (mxc TEXT PRIMARY KEY)")


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A durable job: the step it is at, and what the bridge said of the thread."""

    token: str
    step: str
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ThreadFile:
    """A file that a thread shares."""

    mxc: MxcUri
    senders: frozenset[UserId]
    """Who shared it there."""
    in_thread: bool
    """Another thread shares it, too."""
    orphan: bool
    """The thread, or the patient room, that it came with has ended."""


class MailThreadRows:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def note(
        self, token: str, events: Sequence[str], files: Sequence[tuple[str, str]], *, shared: bool = False
    ) -> None:
        """What a thread consists of: its events, and its files, each with who shared it. Before `start`; repeatable.

        `shared`: another thread shares these files, too.
        """
        async with transaction(self._db) as conn:
            for event in events:
                await conn.execute(
                    "INSERT INTO mail_event (token, event) VALUES ($1, $2) ON CONFLICT DO NOTHING", token, event
                )
            for mxc, sender in files:
                await conn.execute(
                    "INSERT INTO mail_file (token, mxc, sender, shared) VALUES ($1, $2, $3, $4) "
                    "ON CONFLICT (token, mxc, sender) DO UPDATE SET shared = excluded.shared",
                    token,
                    mxc,
                    sender,
                    shared,
                )

    async def start(self, token: str, manifest: dict[str, Any]) -> int:
        """Begin the job, once; the number of its receipt, 0 while there is none."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO mail_thread (token, step, manifest) VALUES ($1, 'events', $2) ON CONFLICT DO NOTHING",
                token,
                json.dumps(manifest),
            )
            return int(await conn.fetchval("SELECT serial FROM mail_thread WHERE token = $1", token))

    async def under_way(self) -> list[ThreadRow]:
        """Jobs without a receipt."""
        rows = await self._db.fetch("SELECT * FROM mail_thread WHERE step <> $1 ORDER BY token", _DONE)
        return [_read(row) for row in rows]

    async def get(self, token: str) -> ThreadRow | None:
        """One job without a receipt."""
        row = await self._db.fetchrow("SELECT * FROM mail_thread WHERE token = $1 AND step <> $2", token, _DONE)
        return None if row is None else _read(row)

    async def noted(self, row: ThreadRow, step: str, found: dict[str, Any]) -> None:
        """Move a job on, with what was found on the way."""
        await self._db.execute(
            "UPDATE mail_thread SET step = $2, manifest = $3 WHERE token = $1",
            row.token,
            step,
            json.dumps(row.manifest | found),
        )

    async def events(self, token: str) -> list[EventId]:
        """Its events."""
        rows = await self._db.fetch("SELECT event FROM mail_event WHERE token = $1 ORDER BY event", token)
        return [EventId(row["event"]) for row in rows]

    async def files(self, token: str) -> list[ThreadFile]:
        """Its files."""
        rows = await self._db.fetch(
            "SELECT mxc, sender, shared, EXISTS (SELECT 1 FROM mail_orphan o WHERE o.mxc = f.mxc) AS orphan "
            "FROM mail_file f WHERE token = $1 ORDER BY mxc, sender",
            token,
        )
        senders: dict[MxcUri, set[UserId]] = {}
        for row in rows:
            senders.setdefault(MxcUri(row["mxc"]), set()).add(UserId(row["sender"]))
        last = {MxcUri(row["mxc"]): row for row in rows}
        return [
            ThreadFile(
                mxc,
                frozenset(who),
                in_thread=bool(last[mxc]["shared"]),
                orphan=bool(last[mxc]["orphan"]),
            )
            for mxc, who in senders.items()
        ]

    async def orphaned(self, mxc: MxcUri) -> None:
        """What it came with, a thread or a patient room, ended, and it stays: whoever shares it last takes it."""
        await self._db.execute("INSERT INTO mail_orphan (mxc) VALUES ($1) ON CONFLICT DO NOTHING", mxc)

    async def is_orphan(self, mxc: MxcUri) -> bool:
        """True for a file that outlived the thread or the patient room that it came with."""
        return await self._db.fetchval("SELECT 1 FROM mail_orphan WHERE mxc = $1", mxc) is not None

    async def gone(self, files: Sequence[MxcUri]) -> None:
        """These are deleted."""
        for mxc in files:
            await self._db.execute("DELETE FROM mail_orphan WHERE mxc = $1", mxc)

    async def settle(self, token: str, serial: int) -> None:
        """It has its receipt: nothing else is kept of it."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE mail_thread SET step = $2, manifest = '{}', serial = $3 WHERE token = $1", token, _DONE, serial
            )
            await conn.execute("DELETE FROM mail_event WHERE token = $1", token)
            await conn.execute("DELETE FROM mail_file WHERE token = $1", token)

    async def forget(self, token: str) -> None:
        """The bridge knows the receipt's number; no effect before there is one."""
        await self._db.execute("DELETE FROM mail_thread WHERE token = $1 AND step = $2", token, _DONE)


def _read(row: Any) -> ThreadRow:
    return ThreadRow(row["token"], row["step"], json.loads(row["manifest"]))
