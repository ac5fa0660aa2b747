"""What stands in a sync answer, by value: no wire, no keys."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from colloque.clock import from_millis
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.home import Incoming, MemberChange, Read

_NOTHING: JsonDict = {"types": []}
_RECEIPTS: JsonDict = {"types": ["m.receipt"]}
_LATEST = 253_402_128_000_000
"""In milliseconds: 30 December 9999. A later moment has no date, or none in Paris."""


def sent_at(said: Any) -> datetime:
    """What an event says of when it was sent, put where dates are: its sender's server may say anything at all."""
    millis = said if isinstance(said, int) and not isinstance(said, bool) else 0
    return from_millis(min(max(millis, 0), _LATEST))


def is_redacted(event: JsonDict) -> bool:
    """True for one that was withdrawn. Of some types Matrix keeps a part, and anybody may send such a type."""
    unsigned = event.get("unsigned")
    return isinstance(unsigned, dict) and "redacted_because" in unsigned


def sync_filter(*, receipts: bool) -> str:
    """What a sync answer holds: timelines, and receipts where they are wanted."""
    ephemeral = _RECEIPTS if receipts else _NOTHING
    room = {"state": _NOTHING, "ephemeral": ephemeral, "account_data": _NOTHING, "timeline": {"limit": 50}}
    return json.dumps({"presence": _NOTHING, "account_data": _NOTHING, "room": room})


def receipts_of(room: RoomId, event: JsonDict) -> list[Read]:
    """Public receipts; a private one is nobody's but its owner's."""
    if event.get("type") != "m.receipt":
        return []
    return [
        Read(room, EventId(read), UserId(user), str(said.get("thread_id", "")))
        for read, kinds in event["content"].items()
        for user, said in kinds.get("m.read", {}).items()
    ]


def member_change(room: RoomId, event: JsonDict) -> MemberChange:
    """A membership event, of a timeline or an invitation."""
    found = event.get("event_id")
    return MemberChange(
        room=room,
        user=UserId(event["state_key"]),
        sender=UserId(event["sender"]),
        membership=str(event["content"].get("membership", "")),
        event=None if found is None else EventId(found),
    )


def incoming(
    room: RoomId,
    event: JsonDict,
    type_: str,
    content: JsonDict,
    *,
    encrypted: bool = False,
    device_signed: bool = False,
    device: str = "",
) -> Incoming:
    """A message of a timeline, with what it says once decrypted."""
    return Incoming(
        room=room,
        event=EventId(event["event_id"]),
        sender=UserId(event["sender"]),
        sent_at=sent_at(event.get("origin_server_ts")),
        type=type_,
        content=content,
        encrypted=encrypted,
        device_signed=device_signed,
        device=device,
    )
