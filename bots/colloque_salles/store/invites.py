"""Who is proposed for a patient room that is open already, and what was said of the patient when they were invited."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Connection, Database, UpgradeTable

from colloque.clock import from_millis, to_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.store.schema import migration, transaction


def register_invites(table: UpgradeTable) -> None:
    """Add this file's migrations."""

    @migration(table, "People are invited to patient rooms that are open already")
    async def invites(conn: Connection) -> None:
        await conn.execute(
            """CREATE TABLE proposal (
                event   TEXT PRIMARY KEY,
                room    TEXT NOT NULL,
                by_user TEXT NOT NULL,
                people  TEXT NOT NULL,
                named   BOOLEAN NOT NULL
            )"""
        )
        await conn.execute(
            """CREATE TABLE invited (
                room    TEXT NOT NULL,
                person  TEXT NOT NULL,
                what    TEXT NOT NULL,
                by_user TEXT NOT NULL,
                at      BIGINT NOT NULL,
                PRIMARY KEY (room, person)
            )"""
        )


def register_moves(table: UpgradeTable) -> None:
    """Add a later migration."""

    @migration(table, "A question may say that the team goes on in another room")
    async def moves(conn: Connection) -> None:
        await conn.execute("ALTER TABLE proposal ADD COLUMN moves BOOLEAN NOT NULL DEFAULT false")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A message that asks whom to invite, or, where that is `named`, what the patient knows of it."""

    event: EventId
    room: RoomId
    by: UserId
    people: tuple[UserId, ...]
    named: bool
    moves: bool = False
    """Whether it says that the team goes on in another room."""


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody was invited later, and what was noted of the patient then (see `texts_opening.SIGNS`)."""

    person: UserId
    what: str
    by: UserId
    at: datetime


class Invites:
    """Queries over the tables above."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def propose(self, proposal: Proposal) -> None:
        """It was asked. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO proposal (event, room, by_user, people, named, moves) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (event) DO NOTHING",
            proposal.event,
            proposal.room,
            proposal.by,
            json.dumps(list(proposal.people)),
            proposal.named,
            proposal.moves,
        )

    async def of(self, event: EventId) -> Proposal | None:
        """What that message asks."""
        row = await self._db.fetchrow("SELECT * FROM proposal WHERE event = $1", event)
        if row is None:
            return None
        people = tuple(map(UserId, json.loads(row["people"])))
        return Proposal(
            EventId(row["event"]),
            RoomId(row["room"]),
            UserId(row["by_user"]),
            people,
            bool(row["named"]),
            bool(row["moves"]),
        )

    async def settle(self, event: EventId) -> None:
        """It is answered."""
        await self._db.execute("DELETE FROM proposal WHERE event = $1", event)

    async def note(self, room: RoomId, invited: Invited) -> None:
        """They were invited; once more, the last time counts. Whether everybody has come is to be looked at anew."""
        async with transaction(self._db) as conn:
            await conn.execute(
                "INSERT INTO invited (room, person, what, by_user, at) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (room, person) DO UPDATE SET what = $3, by_user = $4, at = $5",
                room,
                invited.person,
                invited.what,
                invited.by,
                to_millis(invited.at),
            )
            await conn.execute("DELETE FROM missing WHERE room = $1", room)

    async def not_invited(self, room: RoomId, person: UserId, before: Invited | None) -> None:
        """The server refused them; what was noted when they were invited `before` stands again. Safe to repeat."""
        if before is not None:
            await self.note(room, before)
        else:
            await self._db.execute("DELETE FROM invited WHERE room = $1 AND person = $2", room, person)

    async def invited(self, room: RoomId) -> Sequence[Invited]:
        """Everybody who was, in that order."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM invited WHERE room = $1 ORDER BY at, person", room)
        return [Invited(UserId(r["person"]), r["what"], UserId(r["by_user"]), from_millis(r["at"])) for r in rows]
