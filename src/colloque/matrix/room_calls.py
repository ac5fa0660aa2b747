"""What an account does with rooms besides talking: create, invite, read state. Plain API calls, no cryptography."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace

from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.home import RoomSpec, room_request
from colloque.rooms.mark import ROOM_MARK, RoomMark

_MARKS_ONLY = json.dumps(
    {
        "presence": {"types": []},
        "account_data": {"types": []},
        "room": {
            "state": {"types": [ROOM_MARK]},
            "timeline": {"limit": 1},
            "ephemeral": {"types": []},
            "account_data": {"types": []},
        },
    }
)
_RETIRED = "-retired"
_NO_MEMBERS = json.dumps({"lazy_load_members": True})
_INITIAL_SYNC_S = 600.0


class RoomCalls:
    """The part of `matrix.home.Home` that needs no keys. `bots` are the accounts whose room marks are believed."""

    def __init__(self, api: MatrixApi, user: UserId, bots: frozenset[UserId]) -> None:
        self.api = api
        self.user = user
        self.bots = bots
        self._marks: dict[RoomId, RoomMark] = {}
        self._made: dict[str, RoomId] | None = None
        self._creating = asyncio.Lock()

    async def create_room(self, spec: RoomSpec) -> RoomId:
        """Create; or adopt the joined room that we marked with the same key just before a crash, and complete it."""
        async with self._creating:
            return await self._create_or_adopt(spec)

    async def own_room(self, key: str) -> RoomId | None:
        """The joined room that we marked with that key."""
        async with self._creating:
            return (await self._mine()).get(key)

    async def _mine(self) -> dict[str, RoomId]:
        if self._made is None:
            self._made = await self._own_rooms()
        return self._made

    async def _create_or_adopt(self, spec: RoomSpec) -> RoomId:
        mine = await self._mine()
        room = mine.get(spec.mark.key)
        if room is not None and await self._complete(room, spec):
            return room
        try:
            answer = await self.api.call("POST", path(CLIENT, "createRoom"), room_request(spec))
        except BaseException:
            # Made or not? The next try looks.
            self._made = None
            raise
        room = RoomId(str(answer["room_id"]))
        mine[spec.mark.key] = room
        self._marks[room] = spec.mark
        return room

    async def _complete(self, room: RoomId, spec: RoomSpec) -> bool:
        """Invite whoever the crash left out. False when the room is gone."""
        try:
            present = await self.members(room)
        except HomeRefused:
            return False
        for user in spec.invite:
            if present.get(user) not in {"join", "invite"}:
                await self.invite(room, user)
        return True

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Invite; no error when already invited or joined."""
        try:
            await self.api.call("POST", path(CLIENT, "rooms", room, "invite"), {"user_id": user})
        except HomeRefused:
            if (await self.members(room)).get(user) not in {"join", "invite"}:
                raise

    async def join(self, room: RoomId) -> None:
        """Accept an invitation; no error when already in."""
        await self.api.call("POST", path(CLIENT, "rooms", room, "join"), {})

    async def leave(self, room: RoomId) -> None:
        """Leave; no error when no longer in it."""
        await self.api.call("POST", path(CLIENT, "rooms", room, "leave"), {})

    async def set_state(self, room: RoomId, type_: str, content: JsonDict, state_key: str = "") -> EventId:
        """Set a state event."""
        answer = await self.api.call("PUT", path(CLIENT, "rooms", room, "state", type_, state_key), content)
        return EventId(str(answer["event_id"]))

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> JsonDict | None:
        """One state event's content; None when absent."""
        event = await self._state_event(room, type_, state_key)
        return None if event is None else event["content"]

    async def retire(self, room: RoomId, successor: RoomId) -> None:
        """Another room takes its place (Matrix, "m.room.tombstone"): nobody writes here, its key finds it no more."""
        powers = await self.state(room, "m.room.power_levels") or {}
        await self.set_state(room, "m.room.power_levels", powers | {"events_default": 100})
        await self.set_state(room, "m.room.tombstone", {"body": "", "replacement_room": successor})
        mark = await self.mark_of(room)
        if mark is not None and not mark.key.endswith(_RETIRED):
            retired = replace(mark, key=mark.key + _RETIRED)
            await self.set_state(room, ROOM_MARK, retired.content())
            self._marks[room] = retired
            if self._made is not None:
                self._made.pop(mark.key, None)

    async def members(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, as the server says now."""
        answer = await self.api.call("GET", path(CLIENT, "rooms", room, "members"))
        return {UserId(str(e["state_key"])): str(e["content"]["membership"]) for e in answer["chunk"]}

    async def before(self, room: RoomId, event: EventId, count: int) -> list[EventId]:
        """The event and at most `count` before it, newest first."""
        where = path(CLIENT, "rooms", room, "context", event)
        around = await self.api.call("GET", where, query={"limit": str(2 * count), "filter": _NO_MEMBERS})
        return [event, *(EventId(one["event_id"]) for one in around["events_before"][:count])]

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        """What the room is, when one of our bots said so; None for any other room."""
        if room not in self._marks:
            event = await self._state_event(room, ROOM_MARK, "")
            mark = None if event is None or event["sender"] not in self.bots else RoomMark.read(event["content"])
            if mark is None:
                return None
            self._marks[room] = mark
        return self._marks[room]

    async def _state_event(self, room: RoomId, type_: str, state_key: str) -> JsonDict | None:
        where = path(CLIENT, "rooms", room, "state", type_, state_key)
        try:
            return await self.api.call("GET", where, query={"format": "event"})
        except HomeRefused as error:
            if error.status == 404:
                return None
            raise

    async def _own_rooms(self) -> dict[str, RoomId]:
        """Joined rooms by the key of the mark we gave them; asked once a process, in one call."""
        # Synapse repeats its answer to a first sync for two minutes: a room made just before a crash would be missed.
        # No two requests are the same; the time-out means nothing without `since`.
        query = {"filter": _MARKS_ONLY, "set_presence": "offline", "timeout": str(secrets.randbelow(2**31))}
        answer = await self.api.call("GET", path(CLIENT, "sync"), query=query, timeout_s=_INITIAL_SYNC_S)
        found = {}
        for room, value in answer.get("rooms", {}).get("join", {}).items():
            for event in _events(value):
                mark = RoomMark.read(event["content"])
                if event["type"] == ROOM_MARK and event["sender"] == self.user and mark is not None:
                    found[mark.key] = RoomId(room)
        return found


def _events(room: JsonDict) -> Iterator[JsonDict]:
    for part in ("state", "timeline"):
        yield from room.get(part, {}).get("events", [])
