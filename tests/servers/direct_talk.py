"""A conversation of two people in a `Place`: old messages, then young ones, and the job that erases what is old."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from colloque.clock import SystemClock, to_millis
from colloque.identity import RoomId
from colloque.rooms.direct import DirectRoom, End, Purge, plan
from colloque_salles.store.direct import DirectRooms, Found
from tests.servers.leftovers import Place

CLIENT = "/_matrix/client/v3"


@dataclass
class Talk:
    """A conversation of Anne and Bob; old messages, then young ones."""

    place: Place
    room: RoomId
    old: list[str] = field(default_factory=list)
    young: list[str] = field(default_factory=list)
    cut: datetime = field(default_factory=SystemClock().now)
    people: tuple[str, ...] = ("anne", "bob")
    keep: timedelta = timedelta(days=1)

    def send(self, content: dict[str, Any], kind: str = "m.room.encrypted", *, by: str = "anne") -> str:
        path = f"{CLIENT}/rooms/{quote(self.room)}/send/{kind}/{secrets.token_hex(6)}"
        event: str = self.place.call("PUT", path, content, getattr(self.place, by))["event_id"]
        return event

    def say(self, count: int) -> list[str]:
        said = []
        for number in range(count):
            content = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": f"{secrets.token_hex(8)}"}
            said.append(self.send(content, by=("anne", "bob")[number % 2]))
        return said

    def readable(self, event: str) -> bool:
        try:
            self.place.call("GET", f"{self.at}/event/{quote(event)}")
        except RuntimeError as error:
            if ": 404 " not in str(error):
                raise
            return False
        return True

    @property
    def at(self) -> str:
        return f"{CLIENT}/rooms/{quote(self.room)}"


async def a_talk(place: Place, *, old: int = 8, young: int = 4) -> Talk:
    return await asyncio.to_thread(_a_talk, place, old, young)


def _a_talk(place: Place, old: int, young: int) -> Talk:
    spec = {"preset": "private_chat", "is_direct": True, "invite": [place.user("bob")]}
    room = RoomId(place.call("POST", f"{CLIENT}/createRoom", spec)["room_id"])
    place.call("POST", f"{CLIENT}/join/{quote(room)}", {}, place.bob)
    talk = Talk(place, room)
    talk.old = talk.say(old)
    root, in_thread = {"msgtype": "m.text", "body": "un"}, {"msgtype": "m.text", "body": "fil"}
    first = talk.send(root, "m.room.message")
    relates = {"rel_type": "m.thread", "event_id": first}
    last = talk.send(in_thread | {"m.relates_to": relates}, "m.room.message", by="bob")
    react = {"m.relates_to": {"rel_type": "m.annotation", "event_id": first, "key": "👍"}}
    talk.old += [first, last, talk.send(react, "m.reaction")]
    place.call("POST", f"{talk.at}/report/{quote(first)}", {"reason": "voir"}, place.bob)
    place.call("POST", f"{talk.at}/receipt/m.read/{quote(last)}", {}, place.bob)
    talk.cut = SystemClock().now()
    talk.young = talk.say(young)
    if young:
        place.call("POST", f"{talk.at}/report/{quote(talk.young[0])}", {"reason": "récent"}, place.bob)
    return talk


async def followed(place: Place, talk: Talk) -> DirectRoom:
    """@salles knows it, and its people know how long messages live."""
    directs, opened = DirectRooms(place.db), talk.cut - timedelta(days=9)
    people = tuple(map(place.user, talk.people))
    await directs.follow(Found(talk.room, people, opened_at=opened, promised=talk.keep), talk.keep)
    found = await directs.get(talk.room)
    assert found is not None
    return found


async def begun(place: Place, talk: Talk) -> End | Purge | None:
    """What goes, by what the server lists; its job is begun."""
    room, erasing = await followed(place, talk), place.eraser._directs
    cut = to_millis(talk.cut)
    what = plan(room, await erasing.history(talk.room, cut=cut), talk.cut)
    assert what is not None
    await erasing.start(room, what, cut)
    return what


async def over(place: Place) -> dict[str, Any]:
    """Go on until no job is left; the newest receipt."""
    async with asyncio.timeout(90):
        while await place.jobs.under_way():
            await place.eraser.go_on()
            await asyncio.sleep(0.1)
    return place.receipts()[-1]
