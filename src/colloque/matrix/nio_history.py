"""Reads a room from its beginning, as the server gives it and our keys open it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path
from colloque.matrix.home import Past
from colloque.matrix.nio_keys import Keys
from colloque.matrix.nio_machine import Machine
from colloque.matrix.pages import pages
from colloque.matrix.sync_events import is_redacted, sent_at
from colloque.rooms.mail_thread import Said
from colloque.rooms.media import files_in

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Stood:
    """One event of a room's history, whoever's, as far as ending it goes."""

    said: Said
    type: str
    withdrawn: bool
    """Nothing is left of its content, but what Matrix keeps of its type; or it withdraws another."""
    files: tuple[MxcUri, ...]
    """That it shares."""
    readable: bool
    """False where it could not be decrypted: which files it shares is unknown."""


_Maker = tuple[UserId, str, str, bool]
"""Whose event it is, and with which keys it was made (the last: whether they were passed on by somebody else)."""


async def history(api: MatrixApi, machine: Machine, keys: Keys, room: RoomId, me: UserId) -> AsyncIterator[Past]:
    """Oldest first; without state events and our own. Raises HomeUnavailable, HomeRefused."""
    signed: dict[_Maker, bool] = {}
    async for event in _events(api, room):
        if event["sender"] != me:
            yield await _past(machine, keys, room, event, signed)


async def everything(api: MatrixApi, machine: Machine, room: RoomId, me: UserId) -> AsyncIterator[Stood]:
    """Oldest first; without state events. Raises HomeUnavailable, HomeRefused."""
    async for event in _events(api, room):
        content = event.get("content") or {}
        said: JsonDict | None = content
        if event["type"] == "m.room.encrypted" and content:
            opened = machine.decrypt_room_event(room, event)
            said = opened.content if opened is not None else {} if event["sender"] == me else None
        yield Stood(
            Said(
                EventId(event["event_id"]),
                UserId(event["sender"]),
                sent_at(event.get("origin_server_ts")),
                *_relation(content.get("m.relates_to")),
            ),
            event["type"],
            withdrawn=not content or is_redacted(event) or event["type"] == "m.room.redaction",
            files=files_in(said),
            readable=said is not None,
        )


async def _events(api: MatrixApi, room: RoomId) -> AsyncIterator[JsonDict]:
    async def ask(token: str | None) -> JsonDict:
        query = {"dir": "f", "limit": str(_PAGE)} | ({} if token is None else {"from": token})
        return await api.call("GET", path(CLIENT, "rooms", room, "messages"), query=query)

    async for page in pages(ask):
        for event in page["chunk"]:
            if "state_key" not in event:
                yield event


def _relation(said: Any) -> tuple[EventId | None, EventId | None]:
    """The root of the Matrix thread that an event stands in, and what it answers, changes or reacts to."""
    if not isinstance(said, dict):
        return None, None
    named, inner = said.get("event_id"), said.get("m.in_reply_to")
    answered = inner.get("event_id") if isinstance(inner, dict) else None
    first = EventId(named) if isinstance(named, str) else None
    second = EventId(answered) if isinstance(answered, str) else None
    return (first, second) if said.get("rel_type") == "m.thread" else (None, first or second)


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
