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
            "PRIMARY KEY (token, mxc, sender))"
        )


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A durable job: the step it is at, and what the bridge said of the thread."""

    token: str
    step: str
    manifest: dict[str, Any]


class MailThreadRows:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def note(self, token: str, events: Sequence[str], files: Sequence[tuple[str, str]]) -> None:
        """What a thread consists of: its events, and its files, each with who shared it. Before `start`; repeatable."""
        async with transaction(self._db) as conn:
            for event in events:
                await conn.execute(
                    "INSERT INTO mail_event (token, event) VALUES ($1, $2) ON CONFLICT DO NOTHING", token, event
                )
            for mxc, sender in files:
                await conn.execute(
                    "INSERT INTO mail_file (token, mxc, sender) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    token,
                    mxc,
                    sender,
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

    async def files(self, token: str) -> list[tuple[MxcUri, frozenset[UserId], bool]]:
        """Its files: who shared each of them, and whether a living patient room knows it too."""
        rows = await self._db.fetch(
            "SELECT mxc, sender, EXISTS (SELECT 1 FROM ledger_file l WHERE l.mxc = f.mxc) AS shared "
            "FROM mail_file f WHERE token = $1 ORDER BY mxc, sender",
            token,
        )
        senders: dict[MxcUri, set[UserId]] = {}
        for row in rows:
            senders.setdefault(MxcUri(row["mxc"]), set()).add(UserId(row["sender"]))
        shared = {MxcUri(row["mxc"]) for row in rows if row["shared"]}
        return [(mxc, frozenset(who), mxc in shared) for mxc, who in senders.items()]

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
