"""Rooms whose other end is a patient: a number, never a name; a picture that says who reads; nobody else in them."""

from __future__ import annotations

from mautrix.util.async_db import Database

from colloque.identity import MxcUri, RoomId
from colloque.matrix.home import Home
from colloque.rooms.picture import SIDE, WHITE, png
from colloque_mssante.people.crypto import Account
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import teams as texts_teams

_ORANGE = b"\xc2\x4e\x00"


class PatientRooms:
    """One instance a process."""

    def __init__(self, db: Database, home: Home) -> None:
        self._db = db
        self._home = home
        self._marked: set[RoomId] = set()
        self._picture: MxcUri | None = None

    async def mark(self, room: RoomId, ghost: Account, structure: str) -> None:
        """Name and picture, before anything is said there; safe to repeat. Raises HomeUnavailable, HomeRefused.

        `structure`: for whom a team writes there; empty for somebody's own room.
        """
        if room in self._marked:
            return
        title = texts.patient_room(await self._number(room))
        name = {"name": texts_teams.room_name(title, structure) if structure else title}
        if await self._home.state(room, "m.room.name") != name:
            await self._home.set_state(room, "m.room.name", name)
        if not (await self._home.state(room, "m.room.avatar") or {}).get("url"):
            if self._picture is None:
                self._picture = await ghost.api.upload(picture(), mime="image/png")
            await self._home.set_state(room, "m.room.avatar", {"url": self._picture})
        self._marked.add(room)

    async def _number(self, room: RoomId) -> int:
        """Which of its owner's (or its team's) patients: given once, so that rooms can be told apart without a name."""
        await self._db.execute(
            "UPDATE conversation SET patient = (SELECT MAX(other.patient) + 1 FROM conversation AS other "
            "WHERE other.owner = conversation.owner AND other.team = conversation.team) "
            "WHERE room_id = $1 AND patient = 0",
            room,
        )
        return int(await self._db.fetchval("SELECT patient FROM conversation WHERE room_id = $1", room))


def picture() -> bytes:
    """Somebody, white on orange, like no colleague's picture."""
    return png(lambda x, y: WHITE if _is_body(x, y) else _ORANGE)


def _is_body(x: int, y: int) -> bool:
    """A head, and shoulders."""
    across = x - SIDE // 2
    return across**2 + (y - 46) ** 2 < 22**2 or (y < 116 and across**2 + (y - 116) ** 2 < 42**2)
