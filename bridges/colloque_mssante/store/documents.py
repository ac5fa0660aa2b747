"""The quiet rooms of mailboxes, what stands in them, and which senders ring."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.clock import from_millis, to_millis
from colloque.identity import MssanteAddress, RoomId, UserId


@dataclass(frozen=True, slots=True)
class Listed:
    """One mail of a quiet room, for its daily list."""

    id: str
    at: datetime
    author: str = field(repr=False)
    """The address it came from."""
    subject: str = field(repr=False)


class Documents:
    """Queries over `document_room` and `ringing`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, room: RoomId, owner: UserId, team: MssanteAddress | None) -> None:
        """A quiet room, of somebody's own mailbox or of a team's; no error when it is known."""
        await self._db.execute(
            "INSERT INTO document_room (room_id, owner, team) VALUES ($1, $2, $3) ON CONFLICT (room_id) DO NOTHING",
            room,
            owner,
            team.value if team else "",
        )

    async def holds(self, room: RoomId) -> bool:
        """True for a quiet room."""
        return await self._db.fetchval("SELECT 1 FROM document_room WHERE room_id = $1", room) is not None

    async def rooms(self) -> list[tuple[RoomId, datetime]]:
        """Every quiet room, and up to which mail it was listed."""
        rows: list[Any] = await self._db.fetch("SELECT room_id, listed_at FROM document_room")
        return [(RoomId(row["room_id"]), from_millis(row["listed_at"])) for row in rows]

    async def after(self, room: RoomId, at: datetime) -> list[Listed]:
        """Mails that came to that room after `at`, in order."""
        rows: list[Any] = await self._db.fetch(
            "SELECT id, at, author, subject FROM mail WHERE room_id = $1 AND at > $2 ORDER BY at, uid",
            room,
            to_millis(at),
        )
        return [Listed(row["id"], from_millis(row["at"]), row["author"], row["subject"]) for row in rows]

    async def listed(self, room: RoomId, upto: datetime) -> None:
        """Everything up to then stands in a list."""
        await self._db.execute("UPDATE document_room SET listed_at = $2 WHERE room_id = $1", room, to_millis(upto))

    async def rings(self, holder: str, who: str) -> bool | None:
        """What a mailbox's holder (`store.Cursor.holder`) chose for a sender (a correspondent's key); None: nothing."""
        found = await self._db.fetchval("SELECT rings FROM ringing WHERE owner = $1 AND who = $2", holder, who)
        return None if found is None else bool(found)

    async def choose(self, holder: str, who: str, *, rings: bool) -> None:
        """Keep that choice."""
        await self._db.execute(
            "INSERT INTO ringing (owner, who, rings) VALUES ($1, $2, $3) "
            "ON CONFLICT (owner, who) DO UPDATE SET rings = excluded.rings",
            holder,
            who,
            rings,
        )
