"""Rooms that several servers hold: who must be invited beside people, and when a copy may be erased. Pure.

Each server with members has its own `@salles` in the room: a *companion* of its people there. It keeps account of the
files that they share, for the day when the server that made the room asks for its copy to be erased.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from colloque.clock import to_millis
from colloque.identity import MxcUri, UserId, server_of
from colloque.rooms.mark import HOLD, ROOM_MARK, RoomKind
from colloque.rooms.media import files_in

NOT_YOURS, NOT_MARKED, HELD = "erasure.not_yours", "erasure.not_marked", "erasure.held"
"""Why a copy is not erased. Stable: other servers rely on them."""

_ROOM = re.compile(r"![A-Za-z0-9_-]{43}\Z")
"""The hash of its `m.room.create` (room version 12, MSC4291). All patient rooms are of that version."""

CREATE, MEMBER = "m.room.create", "m.room.member"


def is_room(text: str) -> bool:
    """Whether that can be the address of a patient room: any other would be no room to a homeserver either."""
    return _ROOM.match(text) is not None


def companions(people: Iterable[UserId], server: str, salles_of: Callable[[str], UserId | None]) -> tuple[UserId, ...]:
    """Who must be invited into a patient room of `server` before these people: each other server's own `@salles`.

    `salles_of` answers for listed servers; one that has none adds nobody (its people are not to be invited either).
    """
    found = (salles_of(name) for name in {server_of(user) for user in people} - {server})
    return tuple(sorted({bot for bot in found if bot is not None}))


@dataclass(frozen=True, slots=True)
class Copy:
    """What our own copy of a room, or an invitation to it, says of it."""

    creator: UserId | None = None
    """None: there is no copy but invitations, or nothing at all."""
    marked: bool = False
    """Its creator says that it is a patient room."""
    held_until: int | None = None
    """Milliseconds since 1970; as its creator says."""
    name: str = ""
    pictures: tuple[MxcUri, ...] = ()
    members: Mapping[UserId, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The server that made it; empty when that is not known."""
        return server_of(self.creator) if self.creator is not None else ""


def read_copy(events: Iterable[Mapping[str, Any]]) -> Copy:
    """From a room's state, or from what an invitation shows of it (`sender`, `type`, `state_key`, `content`).

    What is malformed is as good as absent: another server wrote it.
    """
    state: dict[str, tuple[str, Mapping[str, Any]]] = {}
    members: dict[UserId, str] = {}
    for event in events:
        type_, content, sender = event.get("type"), event.get("content"), event.get("sender")
        if not isinstance(type_, str) or not isinstance(content, Mapping) or not isinstance(sender, str):
            continue
        if type_ == MEMBER:
            members[UserId(str(event.get("state_key")))] = str(content.get("membership", ""))
        elif event.get("state_key") == "":
            state[type_] = (sender, content)
    nothing: tuple[str, Mapping[str, Any]] = ("", {})
    creator = state.get(CREATE, nothing)[0]
    marker, mark = state.get(ROOM_MARK, nothing)
    holder, hold = state.get(HOLD, nothing)
    until, name = hold.get("until"), state.get("m.room.name", nothing)[1].get("name")
    return Copy(
        creator=UserId(creator) if creator.startswith("@") and ":" in creator else None,
        marked=bool(creator) and marker == creator and mark.get("kind") == RoomKind.PATIENT.value,
        held_until=until if type(until) is int and holder == creator else None,
        name=name if isinstance(name, str) else "",
        pictures=files_in(dict(state.get("m.room.avatar", nothing)[1])),
        members=members,
    )


def may_follow(copy: Copy, inviter: UserId, salles: UserId | None) -> bool:
    """Does our `@salles` go in? Where a listed server's `@salles`, and nobody else, made, marked and invites."""
    return copy.creator == inviter == salles and copy.marked


def refusal(copy: Copy, asking: str, now: datetime) -> str:
    """Why the copy is not erased although that server asks for it, as a code; empty when it may be."""
    if copy.origin != asking:
        return NOT_YOURS
    if not copy.marked:
        return NOT_MARKED
    if copy.held_until is not None and to_millis(now) < copy.held_until:
        return HELD
    return ""
