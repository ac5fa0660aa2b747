"""Correspondents who were brought into a room of ours: who, since when they are in it, and what both chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import MssanteAddress, RoomId, Rpps, UserId

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Guest:
    """The account of a correspondent in the room where their mails stand."""

    room: RoomId
    owner: UserId
    """Whose room it was before."""
    user: UserId
    rpps: Rpps
    who: str
    """The owner's key as a correspondent (`ghosts.Correspondent`)."""
    since: datetime
    """When they were invited."""
    joined: bool
    """False while the invitation stands."""
    sender: str
    recipient: str
    """The guest's own choice for new mails; empty before."""
    owner_after: timedelta
    guest_after: timedelta
    """What stays unread that long leaves as mail; zero: not chosen."""

    @property
    def after(self) -> timedelta:
        """After how long both want it to leave: the longer time of the two; zero where one chose none."""
        if not (self.owner_after and self.guest_after):
            return timedelta()
        return max(self.owner_after, self.guest_after)


class Guests:
    """Queries over `guest`; one a room."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of(self, room: RoomId) -> Guest | None:
        """Who was brought into that room."""
        return _read(await self._db.fetchrow("SELECT * FROM guest WHERE room_id = $1", room))

    async def met(self, user: UserId, who: str) -> Guest | None:
        """Where `user` is a guest of the correspondent of that key, and has come."""
        return _read(
            await self._db.fetchrow("SELECT * FROM guest WHERE user_id = $1 AND who = $2 AND joined", user, who)
        )

    async def between(self, one: UserId, other: UserId) -> Guest | None:
        """The room to which either brought the other."""
        return _read(
            await self._db.fetchrow(
                "SELECT * FROM guest WHERE (owner = $1 AND user_id = $2) OR (owner = $2 AND user_id = $1)", one, other
            )
        )

    async def all(self) -> list[Guest]:
        """Everybody who was brought in anywhere."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM guest ORDER BY room_id")
        return [found for row in rows if (found := _read(row))]

    async def put(self, room: RoomId, owner: UserId, user: UserId, rpps: Rpps, who: str) -> None:
        """Somebody is being brought in. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO guest (room_id, owner, user_id, rpps, who, since) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (room_id) DO NOTHING",
            room,
            owner,
            user,
            rpps.value,
            who,
            to_millis(self._clock.now()),
        )

    async def join(self, room: RoomId) -> None:
        """The guest came."""
        await self._db.execute("UPDATE guest SET joined = true WHERE room_id = $1", room)

    async def forget(self, room: RoomId) -> None:
        """The guest left, declined, or is no longer welcome."""
        await self._db.execute("DELETE FROM guest WHERE room_id = $1", room)

    async def remember(self, room: RoomId, sender: MssanteAddress, recipient: str) -> None:
        """The guest's two addresses for new mails."""
        await self._db.execute(
            "UPDATE guest SET sender = $2, recipient = $3 WHERE room_id = $1", room, sender.value, recipient
        )

    async def choose(self, room: RoomId, user: UserId, after: timedelta) -> None:
        """How long something may stay unread before `user` wants it to leave as mail; zero: it never does."""
        seconds = int(after.total_seconds())
        await self._db.execute(
            "UPDATE guest SET owner_after = CASE WHEN owner = $2 THEN $3 ELSE owner_after END, "
            "guest_after = CASE WHEN user_id = $2 THEN $3 ELSE guest_after END WHERE room_id = $1",
            room,
            user,
            seconds,
        )

    async def to_hint(self, keys: Sequence[str]) -> list[tuple[RoomId, UserId, str]]:
        """`(room, owner, key)` of people's own conversations with these correspondents where nothing was said of it.

        Found by the few who have an account, not by the many conversations.
        """
        rows: list[Any] = []
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            places = ", ".join(f"${number}" for number in range(1, len(some) + 1))
            rows += await self._db.fetch(
                "SELECT room_id, conversation.owner, who FROM conversation "  # noqa: S608
                f"JOIN bot_room ON bot_room.room = room_id WHERE team = '' AND NOT hinted AND who IN ({places})",
                *some,
            )
        return [(RoomId(row["room_id"]), UserId(row["owner"]), row["who"]) for row in rows]

    async def hinted(self, room: RoomId) -> None:
        """It was said there."""
        await self._db.execute("UPDATE conversation SET hinted = true WHERE room_id = $1", room)


class Moves:
    """Queries over `moved`: conversations that go on in another room."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, room: RoomId, successor: RoomId) -> None:
        """Another room takes its place. Safe to repeat."""
        await self._db.execute(
            "INSERT INTO moved (room_id, successor) VALUES ($1, $2) ON CONFLICT (room_id) DO NOTHING", room, successor
        )

    async def open(self) -> list[tuple[RoomId, RoomId]]:
        """Rooms that do not say so yet, with their successors."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM moved WHERE NOT closed ORDER BY room_id")
        return [(RoomId(row["room_id"]), RoomId(row["successor"])) for row in rows]

    async def done(self, room: RoomId) -> None:
        """It says so."""
        await self._db.execute("UPDATE moved SET closed = true WHERE room_id = $1", room)


def _read(row: Any) -> Guest | None:
    if row is None:
        return None
    return Guest(
        RoomId(row["room_id"]),
        UserId(row["owner"]),
        UserId(row["user_id"]),
        Rpps(row["rpps"]),
        row["who"],
        from_millis(row["since"]),
        bool(row["joined"]),
        row["sender"],
        row["recipient"],
        timedelta(seconds=row["owner_after"]),
        timedelta(seconds=row["guest_after"]),
    )
