"""What earlier versions wrote into the rows of patient rooms, put right once."""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Connection, UpgradeTable

from colloque.clock import SystemClock, to_millis
from colloque.store.schema import migration

_SKEW = timedelta(days=1)
"""So far another server's clock may be ahead of ours: that passes by itself."""
_LONG = timedelta(days=3650)
_MOST = timedelta(days=90)
"""What one wish prolongs by, at most."""


def register_repairs(table: UpgradeTable) -> None:
    """Add this file's migration."""

    @migration(table, "Rooms closed while their end was announced are closed; other servers' futures are past")
    async def repairs(conn: Connection) -> None:
        await conn.execute(
            "UPDATE patient_room SET "
            "state = CASE WHEN room IN (SELECT room FROM erasure) THEN 'erasing' ELSE 'closed' END "
            "WHERE closed_at IS NOT NULL AND state IN ('open', 'warned')"
        )
        now = SystemClock().now()
        # Where a warning is ahead of our clock, too, that clock is what is wrong: nothing is known then.
        await conn.execute(
            "UPDATE patient_room SET last_activity = $1 WHERE last_activity > $2 AND COALESCE(warned_at, 0) < $1",
            to_millis(now),
            to_millis(now + _SKEW),
        )
        await conn.execute(
            "UPDATE patient_room SET prolonged_until = $1 WHERE prolonged_until > $2",
            to_millis(now + _MOST),
            to_millis(now + _LONG),
        )
