"""The patient's qualified identity of a room, as its referent gave it. Health data: the row ends with its room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import migration
from colloque_salles.rules.qualified import QualifiedIdentity


def register_identities(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "A patient's qualified identity is given in their room; archives go as documents too")
    async def identities(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE patient_identity (
                room         TEXT PRIMARY KEY,
                traits       TEXT NOT NULL,
                event        TEXT NOT NULL,
                standings    TEXT NOT NULL,
                by_user      TEXT NOT NULL,
                tap          TEXT NOT NULL DEFAULT '',
                confirmed_by TEXT NOT NULL DEFAULT '',
                confirmed_at BIGINT,
                standing     TEXT NOT NULL DEFAULT ''
            )"""
        )
        await conn.execute("ALTER TABLE archive ADD COLUMN document TEXT NOT NULL DEFAULT ''")


@dataclass(frozen=True, slots=True)
class Given:
    """One room's."""

    identity: QualifiedIdentity = field(repr=False)
    event: EventId
    """Our message that reads it back: only a tap beneath it confirms it."""
    standings: tuple[str, ...]
    """In which the referent works (`mail.standing`), as they were numbered there."""
    by: UserId
    tap: EventId | None = None
    """The one that confirms it."""
    confirmed_by: UserId | None = None
    confirmed_at: datetime | None = None
    standing: str = ""
    """The one chosen; empty where there was none, or it is not confirmed."""


class Identities:
    """Queries over the table above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, room: RoomId) -> Given | None:
        """What was given last, confirmed or not."""
        row = await self._db.fetchrow("SELECT * FROM patient_identity WHERE room = $1", room)
        if row is None:
            return None
        return Given(
            identity=QualifiedIdentity.load(row["traits"]),
            event=EventId(row["event"]),
            standings=tuple(json.loads(row["standings"])),
            by=UserId(row["by_user"]),
            tap=EventId(row["tap"]) if row["tap"] else None,
            confirmed_by=UserId(row["confirmed_by"]) if row["confirmed_by"] else None,
            confirmed_at=from_millis(row["confirmed_at"]) if row["confirmed_at"] is not None else None,
            standing=row["standing"],
        )

    async def give(
        self, room: RoomId, identity: QualifiedIdentity, event: EventId, standings: Sequence[str], by: UserId
    ) -> None:
        """It takes the place of what was given before, which counts no more. Safe to repeat for the same `event`."""
        await self._db.execute(
            "INSERT INTO patient_identity (room, traits, event, standings, by_user) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (room) DO UPDATE SET traits = $2, event = $3, standings = $4, by_user = $5, "
            "tap = '', confirmed_by = '', confirmed_at = NULL, standing = '' WHERE patient_identity.event <> $3",
            room,
            identity.dump(),
            event,
            json.dumps(list(standings)),
            by,
        )

    async def confirm(
        self, room: RoomId, event: EventId, *, tap: EventId, by: UserId, at: datetime, standing: str
    ) -> None:
        """It is the patient's, by their word; the first word stands."""
        await self._db.execute(
            "UPDATE patient_identity SET tap = $3, confirmed_by = $4, confirmed_at = $5, standing = $6 "
            "WHERE room = $1 AND event = $2 AND tap = ''",
            room,
            event,
            tap,
            by,
            to_millis(at),
            standing,
        )

    async def doubt(self, room: RoomId, tap: EventId) -> None:
        """That tap was taken back: what it confirmed does not count."""
        await self._db.execute(
            "UPDATE patient_identity SET tap = '', confirmed_by = '', confirmed_at = NULL, standing = '' "
            "WHERE room = $1 AND tap = $2",
            room,
            tap,
        )

    async def withdraw(self, room: RoomId) -> None:
        """Nothing of it is kept."""
        await self._db.execute("DELETE FROM patient_identity WHERE room = $1", room)
