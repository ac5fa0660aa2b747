"""Which servers know which of our people, and first contacts that wait. The tables stand in `store_federation`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mautrix.util.async_db import Database

from colloque.clock import from_millis, to_millis
from colloque.identity import UserId
from colloque.store.schema import transaction


class Way(StrEnum):
    """Who made the first step."""

    OUT = "out"
    """Ours; the homeserver refused it."""
    IN = "in"
    """Theirs; the homeserver refused it."""
    MET = "met"
    """Theirs, and the servers have talked already: ours is to be told."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One of ours and one of theirs."""

    own: UserId
    other: UserId
    way: Way
    at: datetime


class OwnAbroad:
    """Queries over `federation_given`, with `attestation` and `federation_knew` where they are asked together, and
    over `federation_meeting`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # who knows whom

    async def serial(self) -> int:
        """Grows with everything that changes who is attested."""
        return int(await self._db.fetchval("SELECT serial FROM attestation_serial"))

    async def give(self, user: UserId, server: str, until: datetime) -> None:
        """Before a passport leaves: who must hear when it is taken back."""
        await self._db.execute(
            "INSERT INTO federation_given (user_id, server, until) VALUES ($1, $2, $3) "
            "ON CONFLICT (user_id, server) DO UPDATE SET until = $3",
            user,
            server,
            to_millis(until),
        )

    async def was_given(self, user: UserId, server: str) -> bool:
        """Whether that server knows that person from us."""
        found = await self._db.fetchval(
            "SELECT 1 FROM federation_given WHERE user_id = $1 AND server = $2", user, server
        )
        return found is not None

    async def owed(self, now: datetime) -> dict[str, list[UserId]]:
        """Whom which servers still take for attested though they are not: by server."""
        rows = await self._db.fetch(
            "SELECT g.server, g.user_id FROM federation_given g "
            "LEFT JOIN attestation a ON a.user_id = g.user_id AND a.issued_at <= $1 AND a.valid_until > $1 "
            "WHERE g.until > $1 AND a.user_id IS NULL ORDER BY g.server, g.user_id",
            to_millis(now),
        )
        out: dict[str, list[UserId]] = {}
        for row in rows:
            out.setdefault(str(row["server"]), []).append(UserId(row["user_id"]))
        return out

    async def taken_back(self, server: str, users: Iterable[UserId]) -> None:
        """That server has heard."""
        async with transaction(self._db) as conn:
            for user in users:
                await conn.execute("DELETE FROM federation_given WHERE server = $1 AND user_id = $2", server, user)

    async def forget_given(self, now: datetime) -> None:
        """Passports that have ended; with the attestation behind one, that server is to hear of the next."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO federation_knew (user_id, server, since) SELECT g.user_id, g.server, $1 "
                "FROM federation_given g LEFT JOIN attestation a "
                "ON a.user_id = g.user_id AND a.issued_at < g.until AND a.valid_until > $1 "
                "WHERE g.until < $1 AND a.user_id IS NULL "
                "ON CONFLICT (user_id, server) DO UPDATE SET since = $1",
                to_millis(now),
            )
            await conn.execute("DELETE FROM federation_given WHERE until < $1", to_millis(now))

    async def close_own(self, user: UserId) -> None:
        """One of ours moved to another server: their attestation is valid for no time at all."""
        async with transaction(self._db) as conn:
            await conn.execute("UPDATE attestation SET valid_until = issued_at WHERE user_id = $1", user)
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")

    # first contacts

    async def note_meeting(self, meeting: Meeting) -> None:
        """Keep one until it was looked into; once is enough."""
        await self._db.execute(
            "INSERT INTO federation_meeting (own, other, way, at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (own, other, way) DO NOTHING",
            meeting.own,
            meeting.other,
            meeting.way.value,
            to_millis(meeting.at),
        )

    async def meetings(self) -> list[Meeting]:
        """Those not looked into yet, oldest first."""
        rows = await self._db.fetch("SELECT * FROM federation_meeting ORDER BY at, own, other")
        return [Meeting(UserId(r["own"]), UserId(r["other"]), Way(r["way"]), from_millis(r["at"])) for r in rows]

    async def met(self, meeting: Meeting) -> None:
        """Looked into, and told."""
        await self._db.execute(
            "DELETE FROM federation_meeting WHERE own = $1 AND other = $2 AND way = $3",
            meeting.own,
            meeting.other,
            meeting.way.value,
        )
