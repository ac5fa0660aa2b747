"""Which process works for which mailbox: kept in the database, by the database's clock alone.

A process has a life, with an id that is never used again. A life says every few seconds that it goes on; one that
was silent for `LEASE_S` is over, whatever its process thinks, and its mailboxes go to others. Whoever writes about a
mailbox does it within `holding`: a process that was frozen and wakes can't write, nor begin to send, what others do by
now. Mailboxes are spread by rendezvous hashing: a process that joins or leaves moves no more of them than it must.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

from mautrix.util.async_db import Database, Scheme

from colloque.clock import monotonic
from colloque.errors import Temporary
from colloque.identity import MssanteAddress
from colloque.store.schema import transaction

LEASE_S = 10.0
"""A life that was silent for that long is over."""
BEAT_S = 3.0


class NotHeld(Temporary):
    """Another process works for that mailbox, or ours was silent for too long."""

    code = "mailbox.not_held"


class Leases:
    """One instance a process. `name` is the same through restarts, and no other process has it."""

    def __init__(self, db: Database, name: str, *, lease_s: float = LEASE_S) -> None:
        self._db = db
        self._name = name
        self._lease_ms = int(lease_s * 1000)
        self._life = ""
        self._sure_until = 0.0
        self._settled: object = None
        self._held: frozenset[MssanteAddress] = frozenset()
        self._leaving: frozenset[MssanteAddress] = frozenset()
        sqlite = db.scheme is Scheme.SQLITE
        self._now = (
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
            if sqlite
            else "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
        )
        self._lock = "" if sqlite else "FOR SHARE OF lease"  # SQLite has one writer at a time

    def holds(self, mailbox: MssanteAddress) -> bool:
        """Whether something may be begun for it. Only `holding` is sure of it."""
        return self.lives and mailbox in self._held and mailbox not in self._leaving

    @property
    def lives(self) -> bool:
        """Whether the database knows that we live, as far as we know."""
        return bool(self._life) and monotonic() < self._sure_until

    @property
    def count(self) -> int:
        """How many mailboxes are held."""
        return len(self._held) if self.lives else 0

    @property
    def leaving(self) -> frozenset[MssanteAddress]:
        """Mailboxes that others are to have, once nothing is under way for them here."""
        return self._leaving

    @asynccontextmanager
    async def holding(self, mailbox: MssanteAddress) -> AsyncIterator[None]:
        """A transaction in which the mailbox is ours. Raises NotHeld, and nothing in it was written then."""
        async with transaction(self._db):
            found = await self._db.fetchval(
                "SELECT 1 FROM lease JOIN worker ON worker.life = lease.life "  # noqa: S608
                f"WHERE lease.mailbox = $1 AND lease.life = $2 AND worker.until > {self._now} {self._lock}",
                mailbox.value,
                self._life,
            )
            if found is None:
                raise NotHeld("another process works for this mailbox")
            yield

    async def check(self, mailbox: MssanteAddress) -> None:
        """Raises NotHeld when the mailbox is not ours now."""
        async with self.holding(mailbox):
            pass

    async def begin(self) -> None:
        """A new life. What an earlier one of the same name held is free at once: its process is gone."""
        self._life, self._held, self._leaving = secrets.token_hex(16), frozenset(), frozenset()
        began = monotonic()
        async with transaction(self._db):
            await self._db.execute("DELETE FROM worker WHERE name = $1", self._name)
            await self._db.execute(
                f"INSERT INTO worker (life, name, until) VALUES ($1, $2, {self._now} + $3)",  # noqa: S608
                self._life,
                self._name,
                self._lease_ms,
            )
        self._sure_until = began + self._lease_ms / 1000

    async def beat(self) -> bool:
        """Say that this life goes on. False when it was over: another has begun, and holds nothing yet."""
        began = monotonic()
        lives = await self._db.fetchval(
            f"UPDATE worker SET until = {self._now} + $2 WHERE life = $1 AND until > {self._now} RETURNING 1",  # noqa: S608
            self._life,
            self._lease_ms,
        )
        if lives is None:
            await self.begin()
            return False
        self._sure_until = began + self._lease_ms / 1000
        return True

    async def take(self, wanted: Collection[MssanteAddress]) -> set[MssanteAddress]:
        """Take what is our share and free of these; what was taken, for `keep`. What others should have: `leaving`."""
        names = await self.living()
        now = (self._life, frozenset(names), frozenset(wanted))
        if now == self._settled:
            return set()
        share = {mailbox for mailbox in wanted if _chosen(names, mailbox) == self._name}
        rows: list[Any] = await self._db.fetch("SELECT mailbox FROM lease WHERE life = $1", self._life)
        self._held &= {MssanteAddress(row["mailbox"]) for row in rows}
        self._leaving = self._held - share
        taken: set[MssanteAddress] = set()
        async with transaction(self._db):
            for mailbox in sorted(share - self._held, key=lambda each: each.value):
                if await self._taken(mailbox):
                    taken.add(mailbox)
        # Nobody takes what a life holds that goes on: there is nothing to look for until something changes.
        self._settled = now if share == self._held else None
        return taken

    async def _taken(self, mailbox: MssanteAddress) -> bool:
        found = await self._db.fetchval(
            "INSERT INTO lease (mailbox, life) VALUES ($1, $2) "  # noqa: S608
            "ON CONFLICT (mailbox) DO UPDATE SET life = excluded.life "
            f"WHERE lease.life = $2 OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.life = lease.life "
            f"AND worker.until > {self._now}) RETURNING 1",
            mailbox.value,
            self._life,
        )
        return found is not None

    def keep(self, taken: Iterable[MssanteAddress]) -> None:
        """What was left half done for these is settled: they are held from now on."""
        self._held |= frozenset(taken)

    async def let_go(self, mailbox: MssanteAddress) -> None:
        """Nothing is under way for it any more: whoever should have it may take it."""
        self._held -= {mailbox}
        self._leaving -= {mailbox}
        await self._db.execute("DELETE FROM lease WHERE mailbox = $1 AND life = $2", mailbox.value, self._life)

    async def living(self) -> list[str]:
        """Names of the processes that live."""
        rows: list[Any] = await self._db.fetch(f"SELECT name FROM worker WHERE until > {self._now}")  # noqa: S608
        return [row["name"] for row in rows]

    async def end(self) -> None:
        """At a stop in good order: others take over at once."""
        self._held = frozenset()
        async with transaction(self._db):
            await self._db.execute("DELETE FROM lease WHERE life = $1", self._life)
            await self._db.execute("DELETE FROM worker WHERE life = $1", self._life)


def _chosen(names: Collection[str], mailbox: MssanteAddress) -> str:
    """Who of those should have a mailbox; the same for whoever asks."""
    return max(names, key=lambda name: hashlib.sha256(f"{name} {mailbox}".encode()).digest(), default="")
