"""Reads a room from its beginning, as the server gives it and our keys open it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.home import Past
from colloque.matrix.nio_keys import Keys
from colloque.matrix.nio_machine import Machine
from colloque.matrix.sync_events import sent_at

_PAGE = 200
_Maker = tuple[UserId, str, str, bool]
"""Whose event it is, and with which keys it was made (the last: whether they were passed on by somebody else)."""


async def history(api: MatrixApi, machine: Machine, keys: Keys, room: RoomId, me: UserId) -> AsyncIterator[Past]:
    """Oldest first; without state events and our own. Raises HomeUnavailable, HomeRefused.

    The end is where the server names no further page, or one that was read already: an empty page may stand before a
    full one.
    """
    signed: dict[_Maker, bool] = {}
    token: str | None = None
    read: set[str] = set()
    while True:
        query = {"dir": "f", "limit": str(_PAGE)} | ({} if token is None else {"from": token})
        page = await api.call("GET", path(CLIENT, "rooms", room, "messages"), query=query)
        for event in page["chunk"]:
            if "state_key" not in event and event["sender"] != me:
                yield await _past(machine, keys, room, event, signed)
        token = page.get("end")
        if token is None or token in read:
            return
        read.add(token)


async def _past(machine: Machine, keys: Keys, room: RoomId, event: JsonDict, signed: dict[_Maker, bool]) -> Past:
    """`signed` holds what was found of the devices before: each is asked for once, not once an event."""
    known = EventId(event["event_id"]), UserId(event["sender"]), sent_at(event.get("origin_server_ts"))
    if event["type"] != "m.room.encrypted" or not event.get("content"):
        return Past(*known, event["type"], event.get("content") or {})
    said = machine.decrypt_room_event(room, event)
    if said is None:
        return Past(*known, event["type"], None)
    maker = known[1], said.curve25519, said.ed25519, said.forwarded
    if maker not in signed:
        signed[maker] = await keys.is_signed(known[1], said)
    return Past(*known, said.type, said.content, signed[maker])
