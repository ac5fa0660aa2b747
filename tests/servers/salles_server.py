"""A homeserver with patient rooms that writes down what it is told, and an eraser that does the same."""

from __future__ import annotations

from typing import Any

from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.home import RoomSpec
from colloque.rooms.mark import RoomKind, RoomMark, home_key
from colloque_salles.store.rooms import Kept
from tests.servers.dispatch import Recorder

ANNE, BOB, CLEO = UserId("@anne:h.test"), UserId("@bob:h.test"), UserId("@cleo:h.test")
HOMES = {RoomId("!home-anne"): ANNE, RoomId("!home-bob"): BOB}


class Server(Recorder):
    """Rooms' state and members."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: dict[UserId, str] = {ANNE: "join", BOB: "invite", self.user: "join"}
        self.states: dict[tuple[RoomId, str], dict[str, Any]] = {}
        self.made: dict[str, tuple[RoomId, RoomSpec]] = {}
        self.stood: list[RoomId] = []
        """Rooms besides those that were made by `create_room`."""
        self.pictures: list[bytes] = []
        self.invited: list[UserId] = []
        self.refuses_members = False
        self.retired: dict[RoomId, RoomId] = {}
        self.reserved = 0

    async def members(self, room: RoomId) -> dict[UserId, str]:
        if self.refuses_members:
            raise HomeRefused(403, "M_FORBIDDEN")
        return dict(self.inside)

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> dict[str, Any] | None:
        return self.states.get((room, type_))

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        self.states[room, type_] = content
        if type_ == "m.room.member":
            self.inside[UserId(state_key)] = content["membership"]
        return EventId("$s")

    async def create_room(self, spec: RoomSpec) -> RoomId:
        return self.made.setdefault(spec.mark.key, (RoomId(f"!made{len(self.made)}"), spec))[0]

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        rooms = [*self.stood, *(room for room, _ in self.made.values())]
        return {room: self.inside[user] for room in rooms if user in self.inside}

    async def own_room(self, key: str) -> RoomId | None:
        return self.made[key][0] if key in self.made else None

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        return RoomMark(RoomKind.HOME, home_key(HOMES[room]), HOMES[room]) if room in HOMES else None

    async def invite(self, room: RoomId, user: UserId) -> None:
        self.inside[user] = "invite"
        self.invited.append(user)

    async def retire(self, room: RoomId, successor: RoomId) -> None:
        self.retired[room] = successor

    async def reserve_file(self) -> MxcUri:
        self.reserved += 1
        return MxcUri(f"mxc://h.test/{self.reserved}")

    async def upload(self, data: bytes, to: MxcUri) -> MxcUri:
        self.pictures.append(data)
        return to

    @property
    def said(self) -> list[str]:
        return [content["body"] for _, content in self.sent.values() if "body" in content]


class Erasing:
    """An eraser that notes what it was to erase."""

    def __init__(self) -> None:
        self.rooms: list[RoomId] = []

    async def start(self, kept: Kept) -> None:
        self.rooms.append(kept.room.room)

    async def go_on(self) -> None:
        pass
