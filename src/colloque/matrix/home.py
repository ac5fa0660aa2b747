"""What a bot may ask of its homeserver, and what a room of ours looks like. No I/O here.

Every room we create is end-to-end encrypted, invite-only, unlisted, closed to guests, history `invited`, and
bears one state event `fr.colloque.room` by which our bots recognise it. That event holds no health data.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.mark import ROOM_MARK, RoomMark

JsonDict = dict[str, Any]
HTML_FORMAT = "org.matrix.custom.html"
"""What a message's `formatted_body` is written in (Matrix, "m.room.message msgtypes")."""
_QUOTED = re.compile(r"> (?:\* )?<@[^>\s]+>")


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """A room to create. `name` must hold nothing about a patient; empty, clients show who is in it."""

    name: str
    mark: RoomMark
    invite: tuple[UserId, ...] = ()
    topic: str = ""
    direct: bool = False
    powers: Mapping[UserId, int] = field(default_factory=dict)
    """Extra power levels (never the creator: room version 12 forbids it)."""
    readonly: bool = False
    shared: bool = False
    """Servers of the federation may take part; never changed afterwards."""


def room_request(spec: RoomSpec) -> JsonDict:
    """The body of `POST /createRoom`: members may talk, only the creator changes anything."""
    state = [
        {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
        {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "invited"}},
        {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
        {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}},
        {"type": ROOM_MARK, "state_key": "", "content": spec.mark.content()},
    ]
    body: JsonDict = {
        "room_version": "12",
        "preset": "private_chat",
        "visibility": "private",
        "initial_state": state,
        "invite": list(spec.invite),
        "is_direct": spec.direct,
        "power_level_content_override": {
            "events_default": 100 if spec.readonly else 0,
            "state_default": 100,
            "users_default": 0,
            "invite": 100,
            "kick": 100,
            "ban": 100,
            "redact": 100,
            "users": dict(spec.powers),
        },
        "creation_content": {"m.federate": spec.shared},
    }
    if spec.name:
        body["name"] = spec.name
    if spec.topic:
        body["topic"] = spec.topic
    return body


def answered(relation: object) -> EventId | None:
    """The event a reply names. A thread's automatic fallback is no reply: nobody chose that event."""
    if not isinstance(relation, dict):
        return None
    if relation.get("rel_type") == "m.thread" and relation.get("is_falling_back", False):
        return None
    inner = relation.get("m.in_reply_to")
    value = inner.get("event_id") if isinstance(inner, dict) else None
    return EventId(value) if isinstance(value, str) else None


def thread_root(relation: object) -> EventId | None:
    """The root of the Matrix thread that a message stands in."""
    match relation:
        case {"rel_type": "m.thread", "event_id": str(root)}:
            return EventId(root)
    return None


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that reached us, decrypted."""

    room: RoomId
    event: EventId
    sender: UserId
    sent_at: datetime
    type: str
    """`m.room.message`, `m.reaction`…"""
    content: JsonDict
    encrypted: bool
    device_signed: bool
    """True when the sending device is signed by its owner's cross-signing identity."""
    device: str = ""
    """The sending device's id; empty when unknown."""

    @property
    def body(self) -> str:
        """The text, empty when there is none."""
        value = self.content.get("body", "")
        return value if isinstance(value, str) else ""

    @property
    def msgtype(self) -> str:
        """`m.text`, `m.file`…"""
        return str(self.content.get("msgtype", ""))

    @property
    def reply_to(self) -> EventId | None:
        """The event this one answers, by reply; None otherwise."""
        return answered(self.content.get("m.relates_to"))

    @property
    def root(self) -> EventId | None:
        """The root of the Matrix thread that it stands in; None outside of any."""
        return thread_root(self.content.get("m.relates_to"))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An encrypted message we could not decrypt."""

    room: RoomId
    event: EventId
    sender: UserId
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Somebody's membership changed in a room we are in (or were invited to)."""

    room: RoomId
    user: UserId
    sender: UserId
    membership: str
    event: EventId | None = None
    shown: tuple[JsonDict, ...] = field(default=(), repr=False)
    """Of an invitation to us: what it shows of the room's state (`type`, `state_key`, `content`, `sender`)."""


@dataclass(frozen=True, slots=True)
class Echo:
    """One of our own messages came back: everything before it in this room was heard."""

    room: RoomId
    event: EventId


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody let others know that they read up to an event (Matrix, "Receipts"); told only to who asked for it."""

    room: RoomId
    event: EventId
    user: UserId
    thread: str = ""
    """The root of the thread they read, `main` for what stands in none; empty: all of the room up to the event."""


@dataclass(frozen=True, slots=True)
class Past:
    """One event of a room's history, other people's and no state. `content` is empty for one that was redacted."""

    event: EventId
    sender: UserId
    sent_at: datetime
    type: str
    content: JsonDict | None
    """None when it could not be decrypted."""
    device_signed: bool = False


Heard = Incoming | Unreadable | MemberChange | Echo | Read
Handler = Callable[[Heard], Awaitable[None]]


class Home(Protocol):
    """One account's view of its homeserver. Everything raises from `colloque.errors`; nothing returns an error."""

    user: UserId

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        """Send, encrypted (reactions apart). Safe to repeat with the same `txn` for 24 h.

        Raises HomeUnavailable, HomeRefused.
        """
        ...

    async def send_to_all_devices(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        """Send one harmless text that devices not signed by their owner can read too (its own session)."""
        ...

    async def create_room(self, spec: RoomSpec) -> RoomId:
        """Create, or find again by `spec.mark.key` a room created just before a crash."""
        ...

    async def own_room(self, key: str) -> RoomId | None:
        """The joined room that we created with that mark's key. Raises HomeUnavailable, HomeRefused."""
        ...

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Invite; no error when already invited or joined."""
        ...

    async def leave(self, room: RoomId) -> None:
        """Leave for good, and let go of the room's keys; no error when no longer in it."""
        ...

    async def set_state(self, room: RoomId, type_: str, content: JsonDict, state_key: str = "") -> EventId:
        """Set a state event."""
        ...

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> JsonDict | None:
        """One state event's content; None when absent."""
        ...

    async def members(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, as the server says now."""
        ...

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        """What the room is, when one of our bots said so; None for any other room."""
        ...


def without_quote(body: str) -> str:
    """`body` without the quotation that older clients put above a reply (Matrix, "reply fallback")."""
    if not _QUOTED.match(body):
        return body
    lines = body.split("\n")
    kept = next((rank for rank, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[kept:]).removeprefix("\n")


def text(body: str, *, html: str | None = None, reply_to: EventId | None = None, notice: bool = False) -> JsonDict:
    """A text message's content; as a rich reply when `reply_to` is given (no quoted fallback)."""
    content: JsonDict = {"msgtype": "m.notice" if notice else "m.text", "body": body}
    if html is not None:
        content |= {"format": HTML_FORMAT, "formatted_body": html}
    if reply_to is not None:
        content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
    return content


def edit(of: EventId, content: JsonDict) -> JsonDict:
    """`content` in the place of an earlier message's (Matrix, "Event replacements")."""
    return content | {"m.new_content": content, "m.relates_to": {"rel_type": "m.replace", "event_id": of}}


def reaction(to: EventId, key: str) -> JsonDict:
    """A reaction's content (type `m.reaction`)."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": to, "key": key}}
