"""Mails on their way out, durable. States of one:

    queued ──► data ──► sent ──► delivered ──► read
      ▲         │ │        └──► failed            (a delivery report says so)
      │         │ └──► refused                    (the operator said no; nothing left)
    deferred ◄──┤
                └──► doubtful                     (the answer was lost: a report settles it, or the writer decides)

`data` is committed just before the text leaves: found at a start, it means doubt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from colloque.clock import from_millis
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Outgoing

ROOM = "room"
"""`caller` of mails that answer a room's message; otherwise the name of the service that asked."""
CODES = "annuaire"
"""The service whose mails are one-time codes."""
ROOMS = "salles"
"""The service whose mails are archives of rooms that end, and word that a room waits."""
RECEIPTS = "receipt"
"""Mails that tell an author that theirs was read."""
OPEN = ("queued", "deferred", "data")


@dataclass(frozen=True, slots=True)
class Send:
    """One mail to send, or sent."""

    key: str
    """Unique: the event that asked for it, or the caller's own key."""
    caller: str
    sender: MssanteAddress
    recipients: tuple[str, ...]
    owner: UserId | None
    room: RoomId | None
    event: EventId | None
    message_id: str
    envid: str
    ref: str
    """Its token in the journal."""
    raw: bytes | None
    """The composed mail; dropped once it can't be needed again."""
    state: str
    status: str
    """Enhanced status code of a refusal or failure, or a word of ours: `login` where our credentials were refused,
    `withdrawn` where its service took it back, or why its writer may not send it any more (`refusals.reason`)."""
    tries: int
    next_at: datetime
    made_at: datetime
    told: str
    """The state that the writer was last shown."""
    attempt: int = 0
    """How often its text was about to leave."""
    thread: str = ""
    """The thread it stands in; empty for a service's."""
    target: str = field(default="", repr=False)
    """Where it goes, as `targets.Target` writes it; empty for a service's."""


def queued(
    mail: Outgoing,
    raw: bytes,
    *,
    key: str,
    caller: str,
    sender: MssanteAddress,
    envid: str,
    ref: str,
    owner: UserId | None = None,
    room: RoomId | None = None,
    event: EventId | None = None,
    thread: str = "",
    target: str = "",
) -> Send:
    """A mail just composed (`raw`), due at once."""
    return Send(
        key=key,
        caller=caller,
        sender=sender,
        recipients=mail.recipients,
        owner=owner,
        room=room,
        event=event,
        message_id=mail.message_id,
        envid=envid,
        ref=ref,
        raw=raw,
        state="queued",
        status="",
        tries=0,
        next_at=mail.date,
        made_at=mail.date,
        told="",
        thread=thread,
        target=target,
    )


def withdrawn(
    *, key: str, caller: str, sender: MssanteAddress, message_id: str, envid: str, ref: str, at: datetime
) -> Send:
    """What stands for a service's mail that was withdrawn before it was queued: it is never queued any more."""
    return Send(
        key=key,
        caller=caller,
        sender=sender,
        recipients=(),
        owner=None,
        room=None,
        event=None,
        message_id=message_id,
        envid=envid,
        ref=ref,
        raw=None,
        state="refused",
        status="withdrawn",
        tries=0,
        next_at=at,
        made_at=at,
        told="",
    )


def read_send(row: Any) -> Send | None:
    """A row of `outbox`; None for none."""
    if row is None:
        return None
    recipients: Sequence[str] = json.loads(row["recipients"])
    return Send(
        key=row["key"],
        caller=row["caller"],
        sender=MssanteAddress(row["sender"]),
        recipients=tuple(recipients),
        owner=UserId(row["owner"]) if row["owner"] else None,
        room=RoomId(row["room_id"]) if row["room_id"] else None,
        event=EventId(row["event_id"]) if row["event_id"] else None,
        message_id=row["message_id"],
        envid=row["envid"],
        ref=row["ref"],
        raw=None if row["raw"] is None else bytes(row["raw"]),
        state=row["state"],
        status=row["status"],
        tries=row["tries"],
        next_at=from_millis(row["next_at"]),
        made_at=from_millis(row["made_at"]),
        told=row["told"],
        attempt=row["attempt"],
        thread=row["thread"],
        target=row["target"],
    )
