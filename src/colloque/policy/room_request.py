"""What makes a room open, wherever it is said: in a request for a room, a state event, an invitation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from colloque.identity import UserId
from colloque.rooms.mark import ROOM_MARK

MEGOLM = "m.megolm.v1.aes-sha2"
"""The one encryption of rooms that Matrix defines."""
ENCRYPTION = "m.room.encryption"
JOIN_RULES = "m.room.join_rules"
HISTORY = "m.room.history_visibility"
GUESTS = "m.room.guest_access"
THIRD_PARTY = "m.room.third_party_invite"
_CLOSED = {"invite", "private"}
"""Of join rules. `knock` and `restricted` let people in, or ask, whom nobody invited."""
_ALIASES = {"m.room.aliases", "m.room.canonical_alias"}


def opens(type_: str, state_key: str, content: Mapping[str, Any]) -> bool:
    """Would this state event let somebody read, enter or ask who is not invited, or end the encryption?"""
    if type_ == THIRD_PARTY:
        return bool(content)
    if state_key:
        return False  # Clients and servers read these only under the empty key.
    match type_:
        case "m.room.join_rules":
            return content.get("join_rule") not in _CLOSED
        case "m.room.history_visibility":
            return content.get("history_visibility") == "world_readable"
        case "m.room.guest_access":
            return content.get("guest_access") == "can_join"
        case "m.room.encryption":
            return content.get("algorithm") != MEGOLM
    return False


def names_room(type_: str, content: Mapping[str, Any]) -> bool:
    """Does this state event give the room an address?"""
    return type_ in _ALIASES and any(content.get(field) for field in ("alias", "alt_aliases", "aliases"))


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """What somebody asks to create, as far as the rule is concerned."""

    kind: str
    """What the request marks the room as; believed only of our bots."""
    owner: UserId | None
    """For whom, by the same mark."""
    invitees: tuple[UserId, ...]
    third_party: bool
    open: bool
    """Somebody could read or enter without being invited."""
    cleartext: bool
    """The room would not be encrypted."""
    alias: bool
    """The room would have an address."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> RoomRequest:
        """From a `/createRoom` body, or the like Synapse makes for an upgrade.

        Raises ValueError, TypeError or KeyError when it is malformed.
        """
        state = {(s["type"], s.get("state_key", "")): s["content"] for s in body.get("initial_state") or ()}
        members = [key for type_, key in state if type_ == "m.room.member"]
        mark = state.get((ROOM_MARK, ""), {})
        owner = mark.get("owner")
        encryption = state.pop((ENCRYPTION, ""), {})
        third_party = any(type_ == THIRD_PARTY for type_, _ in state)
        return cls(
            kind=str(mark.get("kind", "")),
            owner=UserId(owner) if isinstance(owner, str) else None,
            invitees=tuple(UserId(str(user)) for user in [*(body.get("invite") or ()), *members]),
            third_party=bool(body.get("invite_3pid")) or third_party,
            open=body.get("visibility") == "public"
            or body.get("preset") == "public_chat"
            or any(opens(type_, key, content) for (type_, key), content in state.items() if type_ != THIRD_PARTY),
            cleartext=opens(ENCRYPTION, "", encryption),
            alias=bool(body.get("room_alias_name"))
            or any(names_room(type_, content) for (type_, _), content in state.items()),
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """What an invitation from elsewhere shows of its room."""

    kind: str
    owner: UserId | None
    marker: str
    """Who says so."""
    closed: bool
    """Invitation only, encrypted, and nothing seen that opens it."""

    @classmethod
    def read(cls, stripped: Iterable[Mapping[str, Any]]) -> Shown:
        """From `invite_room_state`. Raises ValueError, TypeError or KeyError when it is malformed."""
        events = [(str(e["type"]), str(e.get("state_key", "")), e["content"], e.get("sender")) for e in stripped]
        named = {(type_, key) for type_, key, _, _ in events}
        marks = [(content, str(sender)) for type_, key, content, sender in events if (type_, key) == (ROOM_MARK, "")]
        mark, marker = marks[-1] if marks else ({}, "")
        owner = mark.get("owner")
        opened = any(opens(type_, key, content) or names_room(type_, content) for type_, key, content, _ in events)
        return cls(
            kind=str(mark.get("kind", "")),
            owner=UserId(owner) if isinstance(owner, str) else None,
            marker=marker,
            closed={(JOIN_RULES, ""), (ENCRYPTION, "")} <= named and not opened,
        )
