"""Who is away, until when, and who stands in for them: in shared mailboxes (`teams`) and in patient rooms (@salles)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Database, UpgradeTable

from colloque.calls import JsonDict
from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import UserId
from colloque_mssante.store.tables_writing import register

_KEPT = timedelta(days=400)
"""How long an absence that is over stays: a clock that jumps ahead and is set right again ends none."""


def register_absences(table: UpgradeTable) -> None:
    """Add this file's table after all others."""
    register(
        table,
        "People who are away",
        ("CREATE TABLE absence (user_id TEXT PRIMARY KEY, by_user TEXT NOT NULL, until BIGINT NOT NULL)",),
    )


@dataclass(frozen=True, slots=True)
class Absence:
    """`until` is exclusive."""

    user: UserId
    by: UserId
    until: datetime


class Absences:
    """Queries over the table above."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def put(self, absence: Absence) -> None:
        """Somebody goes away; what they said before counts no more."""
        await self._db.execute(
            "INSERT INTO absence (user_id, by_user, until) VALUES ($1, $2, $3) "
            "ON CONFLICT (user_id) DO UPDATE SET by_user = $2, until = $3",
            absence.user,
            absence.by,
            to_millis(absence.until),
        )

    async def end(self, user: UserId) -> bool:
        """They are back; False when they were not away."""
        until = await self._db.fetchval("DELETE FROM absence WHERE user_id = $1 RETURNING until", user)
        return until is not None and until > to_millis(self._clock.now())

    async def current(self) -> list[Absence]:
        """Everybody who is away now; what has long been over is dropped."""
        now = self._clock.now()
        await self._db.execute("DELETE FROM absence WHERE until <= $1", to_millis(now - _KEPT))
        rows: list[Any] = await self._db.fetch(
            "SELECT * FROM absence WHERE until > $1 ORDER BY user_id", to_millis(now)
        )
        return [Absence(UserId(r["user_id"]), UserId(r["by_user"]), from_millis(r["until"])) for r in rows]

    async def told(self) -> JsonDict:
        """The same for @salles: `{"away": [[who, stand-in, until in milliseconds since 1970], …]}`."""
        return {"away": [[each.user, each.by, to_millis(each.until)] for each in await self.current()]}
