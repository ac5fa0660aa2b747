"""Who gets a room's keys: its members and those invited, as far as the server has told us."""

from __future__ import annotations

from colloque.identity import RoomId, UserId
from colloque.matrix.room_calls import RoomCalls


class Roster:
    """Remembers each room's readers until something may have changed them."""

    def __init__(self, rooms: RoomCalls) -> None:
        self.rooms = rooms
        self._readers: dict[RoomId, tuple[UserId, ...]] = {}

    async def readers(self, room: RoomId) -> tuple[UserId, ...]:
        """Members and invited people: what is written after an invitation can be read on accepting it."""
        if room not in self._readers:
            members = await self.rooms.members(room)
            self._readers[room] = tuple(user for user, state in members.items() if state in {"join", "invite"})
        return self._readers[room]

    def forget(self, room: RoomId) -> None:
        """The room's membership may have changed."""
        self._readers.pop(room, None)

    def forget_all(self) -> None:
        """Any room's may have."""
        self._readers.clear()
