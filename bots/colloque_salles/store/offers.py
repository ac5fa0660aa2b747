"""What people are offered when they open a room, whom they have tapped; and what was noted of the patient's wishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.rooms.mark import RoomKind
from colloque.store.schema import migration


def register_offers(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "Patient rooms are opened by taps, live as long as was chosen, and have a picture")
    async def offers(conn: Connection) -> None:
        await conn.execute("ALTER TABLE patient_room ADD COLUMN own_idle BIGINT")
        await conn.execute("ALTER TABLE patient_room ADD COLUMN picture TEXT NOT NULL DEFAULT ''")
        await conn.execute("ALTER TABLE patient_room ADD COLUMN asked TEXT NOT NULL DEFAULT ''")
        await conn.execute(
            """CREATE TABLE offer (
                owner  TEXT PRIMARY KEY,
                event  TEXT NOT NULL,
                people TEXT NOT NULL,
                chosen TEXT NOT NULL,
                idle   BIGINT
            )"""
        )
        await conn.execute("CREATE TABLE doorbell (owner TEXT PRIMARY KEY, room TEXT NOT NULL, event TEXT NOT NULL)")
        await conn.execute(
            """CREATE TABLE told_patient (
                room    TEXT NOT NULL,
                what    TEXT NOT NULL,
                by_user TEXT NOT NULL,
                at      BIGINT NOT NULL,
                PRIMARY KEY (room, what)
            )"""
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """Colleagues proposed to somebody, by number, and those they have tapped so far."""

    owner: UserId
    event: EventId
    """The message that proposes."""
    people: tuple[UserId, ...]
    chosen: Mapping[UserId, EventId] = field(default_factory=dict)
    """Whom they want, and the reaction that said so (empty where they named them)."""
    idle: timedelta | None = None
    """How long the room is to live after its last message, where they said so."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was noted of the patient: `what` is a code."""

    what: str
    by: UserId
    at: datetime


class Offers:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, offer: Offer) -> None:
        """Somebody's offer; the one before counts no more."""
        await self._db.execute(
            "INSERT INTO offer (owner, event, people, chosen, idle) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (owner) DO UPDATE SET event = $2, people = $3, chosen = $4, idle = $5",
            offer.owner,
            offer.event,
            json.dumps(list(offer.people)),
            json.dumps(dict(offer.chosen)),
            _seconds(offer.idle),
        )

    async def of(self, owner: UserId) -> Offer | None:
        """Somebody's offer."""
        row = await self._db.fetchrow("SELECT * FROM offer WHERE owner = $1", owner)
        return _offer(row) if row else None

    async def choose(self, offer: Offer, chosen: Mapping[UserId, EventId]) -> None:
        """Note whom they want now; nothing happens where another offer took its place."""
        await self._db.execute(
            "UPDATE offer SET chosen = $3 WHERE owner = $1 AND event = $2",
            offer.owner,
            offer.event,
            json.dumps(dict(chosen)),
        )

    async def take_away(self, offer: Offer) -> None:
        """It was made use of."""
        await self._db.execute("DELETE FROM offer WHERE owner = $1 AND event = $2", offer.owner, offer.event)

    async def put_door(self, owner: UserId, room: RoomId, event: EventId) -> None:
        """The message in their home room beneath which somebody taps to open a patient room; empty: it was refused."""
        await self._db.execute(
            "INSERT INTO doorbell (owner, room, event) VALUES ($1, $2, $3) "
            "ON CONFLICT (owner) DO UPDATE SET room = $2, event = $3",
            owner,
            room,
            event,
        )

    async def door(self, owner: UserId) -> EventId | None:
        """That message of somebody's."""
        found = await self._db.fetchval("SELECT event FROM doorbell WHERE owner = $1", owner)
        return EventId(str(found)) if found else None

    async def without_door(self) -> list[tuple[RoomId, UserId]]:
        """Home rooms where that was not settled, with whom they belong to."""
        rows = await self._db.fetch(
            "SELECT bot_room.room, bot_room.owner FROM bot_room LEFT JOIN doorbell ON doorbell.room = bot_room.room "
            "WHERE kind = $1 AND bot_room.owner IS NOT NULL AND doorbell.room IS NULL ORDER BY bot_room.room",
            RoomKind.HOME.value,
        )
        return [(RoomId(row["room"]), UserId(row["owner"])) for row in rows]

    # the room that came of it

    async def shape(self, room: RoomId, idle: timedelta | None, picture: MxcUri, asked: EventId) -> None:
        """How long it lives, where that was chosen; which file is its picture; which message asks about the patient."""
        await self._db.execute(
            "UPDATE patient_room SET own_idle = $2, picture = $3, asked = $4 WHERE room = $1",
            room,
            _seconds(idle),
            picture,
            asked,
        )

    async def asked_by(self, room: RoomId) -> EventId | None:
        """The message that asks what the patient knows and wants."""
        found = await self._db.fetchval("SELECT asked FROM patient_room WHERE room = $1", room)
        return EventId(str(found)) if found else None

    async def tell(self, room: RoomId, told: Told) -> bool:
        """Note what was said of the patient; False when it was noted already."""
        new = await self._db.fetchval(
            "INSERT INTO told_patient (room, what, by_user, at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (room, what) DO NOTHING RETURNING room",
            room,
            told.what,
            told.by,
            to_millis(told.at),
        )
        return new is not None

    async def told(self, room: RoomId) -> list[Told]:
        """All that was noted, oldest first."""
        rows = await self._db.fetch("SELECT * FROM told_patient WHERE room = $1 ORDER BY at", room)
        return [Told(row["what"], UserId(row["by_user"]), from_millis(row["at"])) for row in rows]


def _seconds(idle: timedelta | None) -> int | None:
    return None if idle is None else round(idle.total_seconds())


def _offer(row: Any) -> Offer:
    return Offer(
        UserId(row["owner"]),
        EventId(row["event"]),
        tuple(map(UserId, json.loads(row["people"]))),
        {UserId(user): EventId(event) for user, event in json.loads(row["chosen"]).items()},
        None if row["idle"] is None else timedelta(seconds=row["idle"]),
    )
