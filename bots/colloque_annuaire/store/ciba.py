"""Questions on people's e-CPS phones: asked, open, answered, told. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, Rpps, UserId
from colloque.psc.authorize import Pending
from colloque.store.schema import migration, transaction


def register_ciba(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Questions on e-CPS phones")
    async def ciba(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE ciba (
                event       TEXT PRIMARY KEY,
                user_id     TEXT NOT NULL,
                rpps        TEXT NOT NULL,
                binding     TEXT NOT NULL,
                stage       TEXT NOT NULL,
                auth_req_id TEXT NOT NULL DEFAULT '',
                made_at     BIGINT NOT NULL,
                expires_at  BIGINT NOT NULL,
                interval_ms BIGINT NOT NULL,
                next_at     BIGINT NOT NULL,
                reason      TEXT NOT NULL DEFAULT ''
            )"""
        )
        await conn.execute("CREATE INDEX ciba_by_user ON ciba (user_id, made_at)")
        await conn.execute("CREATE INDEX ciba_by_rpps ON ciba (rpps, made_at)")
        await conn.execute("CREATE INDEX ciba_due ON ciba (next_at) WHERE stage IN ('open', 'proved', 'refused')")


class Stage(StrEnum):
    """How far a question has come."""

    STARTING = "starting"
    """Written down; Pro Santé Connect may know of it or not."""
    OPEN = "open"
    """On the phone."""
    PROVED = "proved"
    """Approved by the professional who was asked; not yet settled, or not yet told."""
    REFUSED = "refused"
    """Came to nothing; not yet told."""
    DONE = "done"
    """Told, or replaced by a newer question of the same account. Kept for the day's count."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    event: EventId
    """The message that asked for it."""
    user: UserId
    rpps: Rpps
    binding: str
    """The two digits shown here and on the phone."""
    stage: Stage
    auth_req_id: str = field(repr=False)
    """A secret; empty as soon as nothing is to be polled any more."""
    made_at: datetime
    expires_at: datetime
    interval_s: float
    reason: str
    """Why it was refused."""

    @property
    def pending(self) -> Pending:
        """What is polled."""
        return Pending(self.rpps, self.auth_req_id, self.expires_at, self.interval_s)


class Questions:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, event: EventId) -> Question | None:
        """The question that a message asked for."""
        row = await self._db.fetchrow("SELECT * FROM ciba WHERE event = $1", event)
        return _question(row) if row else None

    async def asked_since(self, since: datetime, *, user: UserId, rpps: Rpps) -> tuple[int, int]:
        """How many questions the account asked for since then, and how many were about the number."""
        at = to_millis(since)
        by_user = await self._db.fetchval("SELECT COUNT(*) FROM ciba WHERE user_id = $1 AND made_at >= $2", user, at)
        by_rpps = await self._db.fetchval("SELECT COUNT(*) FROM ciba WHERE rpps = $1 AND made_at >= $2", rpps.value, at)
        return int(by_user), int(by_rpps)

    async def add(self, event: EventId, user: UserId, rpps: Rpps, binding: str, now: datetime) -> Question:
        """Write a question down before it is asked; the account's earlier one is forgotten."""
        at = to_millis(now)
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE ciba SET stage = 'done', auth_req_id = '' "
                "WHERE user_id = $1 AND stage IN ('starting', 'open') AND event <> $2",
                user,
                event,
            )
            await conn.execute(
                "INSERT INTO ciba (event, user_id, rpps, binding, stage, made_at, expires_at, interval_ms, next_at) "
                "VALUES ($1, $2, $3, $4, 'starting', $5, $5, 0, $5)",
                event,
                user,
                rpps.value,
                binding,
                at,
            )
        return Question(event, user, rpps, binding, Stage.STARTING, "", from_millis(at), from_millis(at), 0.0, "")

    async def drop(self, event: EventId) -> None:
        """It was never asked: does not count."""
        await self._db.execute("DELETE FROM ciba WHERE event = $1", event)

    async def opened(self, event: EventId, pending: Pending, next_at: datetime) -> None:
        """It is on the phone."""
        await self._db.execute(
            "UPDATE ciba SET stage = 'open', auth_req_id = $2, expires_at = $3, interval_ms = $4, next_at = $5 "
            "WHERE event = $1 AND stage = 'starting'",
            event,
            pending.auth_req_id,
            to_millis(pending.expires_at),
            _interval(pending.interval_s),
            to_millis(next_at),
        )

    async def due(self, now: datetime) -> list[Question]:
        """Those that something is to be done about, the longest due first."""
        rows = await self._db.fetch(
            "SELECT * FROM ciba WHERE stage IN ('open', 'proved', 'refused') AND next_at <= $1 ORDER BY next_at, event",
            to_millis(now),
        )
        return [_question(row) for row in rows]

    async def later(self, event: EventId, next_at: datetime, interval_s: float) -> None:
        """Look again then."""
        await self._db.execute(
            "UPDATE ciba SET next_at = $2, interval_ms = $3 WHERE event = $1",
            event,
            to_millis(next_at),
            _interval(interval_s),
        )

    async def answered(self, event: EventId, stage: Stage, reason: str = "") -> bool:
        """The answer is kept, and nothing polled any more. False when a newer question took its place meanwhile."""
        async with transaction(self._db) as conn:
            row = await conn.fetchrow("SELECT stage FROM ciba WHERE event = $1", event)
            if row is None or row["stage"] == Stage.DONE:
                return False
            await conn.execute(
                "UPDATE ciba SET stage = $2, reason = $3, auth_req_id = '' WHERE event = $1", event, stage.value, reason
            )
        return True

    async def done(self, event: EventId) -> None:
        """Told."""
        await self._db.execute("UPDATE ciba SET stage = 'done', auth_req_id = '' WHERE event = $1", event)

    async def forget_old(self, before: datetime) -> None:
        """Delete what no count needs any more."""
        await self._db.execute("DELETE FROM ciba WHERE made_at < $1", to_millis(before))


def _interval(seconds: float) -> int:
    return timedelta(seconds=seconds) // timedelta(milliseconds=1)


def _question(row: Any) -> Question:
    return Question(
        event=EventId(row["event"]),
        user=UserId(row["user_id"]),
        rpps=Rpps(row["rpps"]),
        binding=row["binding"],
        stage=Stage(row["stage"]),
        auth_req_id=row["auth_req_id"],
        made_at=from_millis(row["made_at"]),
        expires_at=from_millis(row["expires_at"]),
        interval_s=row["interval_ms"] / 1000,
        reason=row["reason"],
    )
