"""Who gets a room's keys: its members and those invited, as far as the server has told us."""

from __future__ import annotations

from colloque.identity import RoomId, UserId
from colloque.matrix.room_calls import RoomCalls


class Roster:
    """Remembers each room's readers until something may have changed them."""

    def __init__(self, rooms: RoomCalls) -> None:
        self.rooms = rooms
        self._readers: dict[RoomId, tuple[UserId, ...]] = {}
        self._changes = 0

    async def readers(self, room: RoomId) -> tuple[UserId, ...]:
        """Members and invited people: what is written after an invitation can be read on accepting it."""
        if room in self._readers:
            return self._readers[room]
        before = self._changes
        members = await self.rooms.members(room)
        readers = tuple(user for user, state in members.items() if state in {"join", "invite"})
        if self._changes == before:
            self._readers[room] = readers
        return readers

    def forget(self, room: RoomId) -> None:
        """The room's membership may have changed."""
        self._changes += 1
        self._readers.pop(room, None)

    def forget_all(self) -> None:
        """Any room's may have."""
        self._changes += 1
        self._readers.clear()
