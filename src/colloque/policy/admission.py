"""Who may create, invite and join: the one rule, asked by the Synapse module. Pure.

In this house a room is private and encrypted, and everybody in it is verified, or one of our bots. An account
that is not verified has its home room and nothing else; an administrator's has the admin room besides. Other
servers are not connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from colloque.identity import UserId
from colloque.rooms.mark import ROOM_MARK, RoomKind

MEGOLM = "m.megolm.v1.aes-sha2"
"""The one encryption of rooms that Matrix defines."""


class Standing(StrEnum):
    """What an account is."""

    SERVICE = "service"
    """A bot of ours, or a correspondent's ghost."""
    ATTESTED = "attested"
    """A professional whose identity is verified, today."""
    STAFF = "staff"
    """An administrator by configuration, not verified as a professional."""
    UNVERIFIED = "unverified"
    """Any other account of this server."""
    REMOTE = "remote"
    """An account of another server."""


class Reason(StrEnum):
    """Why something is refused. Stable: clients and texts rely on them."""

    ACTOR_UNVERIFIED = "actor_unverified"
    ACTOR_STAFF = "actor_staff"
    OTHER_UNVERIFIED = "other_unverified"
    OTHER_STAFF = "other_staff"
    ROOM_PUBLIC = "room_public"
    """Public, open to guests or world-readable, or not encrypted."""
    THIRD_PARTY = "third_party"
    """An invitation by mail address or telephone: nobody knows who would come."""
    REMOTE = "remote"
    INTERNAL = "internal"
    """The rule could not be asked: refused, to be safe."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No. `other` is the account at fault among several, where there is one."""

    reason: Reason
    other: UserId | None = None


Verdict = Allowed | Refused
ALLOWED = Allowed()

_TRUSTED = {Standing.SERVICE, Standing.ATTESTED}
_AS_ACTOR = {
    Standing.UNVERIFIED: Reason.ACTOR_UNVERIFIED,
    Standing.STAFF: Reason.ACTOR_STAFF,
    Standing.REMOTE: Reason.REMOTE,
}
_AS_OTHER = {
    Standing.UNVERIFIED: Reason.OTHER_UNVERIFIED,
    Standing.STAFF: Reason.OTHER_STAFF,
    Standing.REMOTE: Reason.REMOTE,
}
_ROOMS_OF: dict[Standing, set[str]] = {
    Standing.UNVERIFIED: {RoomKind.HOME},
    Standing.STAFF: {RoomKind.HOME, RoomKind.ADMIN},
    Standing.REMOTE: set(),
}


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """What somebody asks to create, as far as the rule is concerned."""

    kind: str
    """What the request marks the room as; believed only of our bots."""
    invitees: tuple[UserId, ...]
    third_party: bool
    open: bool
    """Somebody could read or enter without being invited."""
    cleartext: bool
    """The room would not be encrypted."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> RoomRequest:
        """From a `/createRoom` body, or the like Synapse makes for an upgrade.

        Raises ValueError, TypeError or KeyError when it is malformed.
        """
        state = {(s["type"], s.get("state_key", "")): s["content"] for s in body.get("initial_state") or ()}
        members = [key for type_, key in state if type_ == "m.room.member"]
        encryption = state.get(("m.room.encryption", ""), {})
        join_rule = state.get(("m.room.join_rules", ""), {}).get("join_rule", "invite")
        history = state.get(("m.room.history_visibility", ""), {}).get("history_visibility", "shared")
        guests = state.get(("m.room.guest_access", ""), {}).get("guest_access", "forbidden")
        return cls(
            kind=str(state.get((ROOM_MARK, ""), {}).get("kind", "")),
            invitees=tuple(UserId(str(user)) for user in [*(body.get("invite") or ()), *members]),
            third_party=bool(body.get("invite_3pid")) or any(t == "m.room.third_party_invite" for t, _ in state),
            open=body.get("visibility") == "public"
            or body.get("preset") == "public_chat"
            or join_rule == "public"
            or history == "world_readable"
            or guests == "can_join",
            cleartext=encryption.get("algorithm") != MEGOLM,
        )


def may_create(actor: Standing, request: RoomRequest, invitees: Mapping[UserId, Standing]) -> Verdict:
    """May `actor` create that room? `invitees` tells the standing of everyone the request invites."""
    if actor not in _TRUSTED:
        return Refused(_AS_ACTOR[actor])
    if request.third_party:
        return Refused(Reason.THIRD_PARTY)
    if request.open or request.cleartext:
        return Refused(Reason.ROOM_PUBLIC)
    kind = request.kind if actor is Standing.SERVICE else ""
    for user in request.invitees:
        verdict = may_invite(actor, invitees[user], kind)
        if isinstance(verdict, Refused):
            return Refused(verdict.reason, user)
    return ALLOWED


def may_invite(actor: Standing, other: Standing, kind: str) -> Verdict:
    """May `actor` invite `other` into a room of that kind? Only our bots may invite people who are not verified."""
    if actor not in _TRUSTED:
        return Refused(_AS_ACTOR[actor])
    if other in _TRUSTED or (actor is Standing.SERVICE and kind in _ROOMS_OF[other]):
        return ALLOWED
    return Refused(_AS_OTHER[other])


def may_join(who: Standing, kind: str) -> Verdict:
    """May `who` join a room of that kind? (Whether they are invited is Matrix's own business.)"""
    if who in _TRUSTED or kind in _ROOMS_OF[who]:
        return ALLOWED
    return Refused(_AS_ACTOR[who])


def joins_at_once(kind: str, owner: UserId | None, invitee: UserId) -> bool:
    """Is a person whom our bots invite joined without having to accept?

    Their home, the admin room and their own mail: yes. A patient room: only the one they opened themselves.
    """
    if kind == RoomKind.ADMIN:
        return True
    if kind == RoomKind.PATIENT:
        return owner == invitee
    return kind in {RoomKind.HOME, RoomKind.MAIL} and owner in {None, invitee}
