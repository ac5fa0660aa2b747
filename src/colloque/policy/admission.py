"""Who may create, invite and join: the one rule, asked by the Synapse module. Pure.

In this house a room is private and encrypted, and everybody in it is verified, or one of our bots. An account that is
not verified has its home room and nothing else; an administrator's has the admin room besides. A patient room is for
professions bound by secrecy, and for those who work under somebody who is in it. What is shared with another server is
marked: a patient room, a direct one, or mail that two colleagues talk beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from colloque.attestation import Attestation, Kind
from colloque.identity import Rpps, UserId
from colloque.policy.professions import Trade, may_enter, may_open
from colloque.policy.room_request import RoomRequest
from colloque.rooms.mark import RoomKind


class Standing(StrEnum):
    """What an account is."""

    SERVICE = "service"
    """A bot of ours, or a correspondent's ghost."""
    ATTESTED = "attested"
    """A professional whose identity is verified, today."""
    SUPERVISED = "supervised"
    """Verified as working under a named professional."""
    FROZEN = "frozen"
    """Verified, and no longer listed: stays and writes, and begins nothing new."""
    STAFF = "staff"
    """An administrator, not verified as a professional."""
    UNVERIFIED = "unverified"
    """Any other account of this server."""
    REMOTE_SERVICE = "remote_service"
    """A bot of a listed server."""
    REMOTE_GHOST = "remote_ghost"
    """A correspondent of mail, in a room of a listed server's bridge."""
    REMOTE_ATTESTED = "remote_attested"
    """A professional of a listed server, admitted here."""
    REMOTE_UNKNOWN = "remote_unknown"
    """Any other account of a listed server."""
    REMOTE = "remote"
    """An account of a server that is not listed."""


class Reason(StrEnum):
    """Why something is refused. Stable: clients and texts rely on them."""

    ACTOR_UNVERIFIED = "actor_unverified"
    ACTOR_STAFF = "actor_staff"
    ACTOR_FROZEN = "actor_frozen"
    ACTOR_PROFESSION = "actor_profession"
    """Their profession, or their being a student, does not allow it."""
    ACTOR_UNSPONSORED = "actor_unsponsored"
    """The professional under whom they work is not in that patient room."""
    OTHER_UNVERIFIED = "other_unverified"
    OTHER_STAFF = "other_staff"
    OTHER_FROZEN = "other_frozen"
    OTHER_PROFESSION = "other_profession"
    OTHER_UNSPONSORED = "other_unsponsored"
    ACTOR_ERASURE = "actor_erasure"
    """The server of whoever made that patient room can't prove that it erases."""
    OTHER_ERASURE = "other_erasure"
    NOT_AVAILABLE = "not_available"
    """Said to somebody whom the other has blocked: no more than this."""
    ROOM_PUBLIC = "room_public"
    """Public, open to guests or world-readable, or not encrypted."""
    ROOM_LOCAL = "room_local"
    """Not a room that other servers may share."""
    NOT_INVITED = "not_invited"
    """Rooms are entered by invitation: not by address, and nobody knocks."""
    MARK = "mark"
    """What a room is for is said by our bots alone."""
    NAME = "name"
    """Names come from the directory."""
    ALIAS = "alias"
    """Addresses outlive their room, and tell what it is about."""
    THIRD_PARTY = "third_party"
    """An invitation by mail address or telephone: nobody knows who would come."""
    REMOTE = "remote"
    REMOTE_UNKNOWN = "remote_unknown"
    """Not admitted here yet: asked for, it may work in a moment."""
    HELD = "held"
    """The room's team keeps it from being erased: nothing of it is taken away."""
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


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody's professions allow."""

    enters: bool = False
    """May be in a patient room."""
    opens: bool = False
    """May have one opened."""


@lru_cache(maxsize=4096)
def rights_of(professions: tuple[str, ...], category: str) -> Rights:
    """By the codes of what somebody exercises, and the status under which (`policy.professions`)."""
    trades = [Trade(code, category) for code in professions]
    return Rights(may_enter(RoomKind.PATIENT, trades) is None, may_open(trades) is None)


@dataclass(frozen=True, slots=True)
class Person:
    """An account, as far as the rule is concerned."""

    standing: Standing
    rights: Rights = Rights()
    under: Rpps | None = None
    """Who answers for a supervised person."""
    rpps: Rpps | None = None
    """A professional's own."""
    salles: bool = False
    """A listed server's @salles: of its bots the only one that may be in a patient room."""
    erases: bool = False
    """Of another server's bot or person: that server can prove that it erases."""


SERVICE = Person(Standing.SERVICE)
"""A bot of ours."""


def attested_person(held: Attestation, *, local: bool, answered: bool, erases: bool = False) -> Person:
    """What an attestation in force makes of somebody.

    `local`: of this server, else of a listed one, which `erases` with proof. `answered`: whoever answers for a
    supervised person is verified now.
    """
    if not local:
        if held.kind is not Kind.PROFESSIONAL:
            return Person(Standing.REMOTE_UNKNOWN)
        rights = rights_of(held.professions, held.category)
        return Person(Standing.REMOTE_ATTESTED, rights, rpps=held.rpps, erases=erases)
    if held.kind is Kind.STAFF:
        return Person(Standing.STAFF)
    if held.kind is Kind.SUPERVISED:
        return Person(Standing.SUPERVISED if answered and not held.frozen else Standing.FROZEN, under=held.under)
    standing = Standing.FROZEN if held.frozen else Standing.ATTESTED
    return Person(standing, rights_of(held.professions, held.category), rpps=held.rpps)


_AS_ACTOR = {
    Standing.UNVERIFIED: Reason.ACTOR_UNVERIFIED,
    Standing.STAFF: Reason.ACTOR_STAFF,
    Standing.FROZEN: Reason.ACTOR_FROZEN,
    Standing.REMOTE_UNKNOWN: Reason.REMOTE_UNKNOWN,
    Standing.REMOTE: Reason.REMOTE,
}
_AS_OTHER = {
    Standing.UNVERIFIED: Reason.OTHER_UNVERIFIED,
    Standing.STAFF: Reason.OTHER_STAFF,
    Standing.FROZEN: Reason.OTHER_FROZEN,
    Standing.REMOTE_UNKNOWN: Reason.REMOTE_UNKNOWN,
    Standing.REMOTE: Reason.REMOTE,
}
_ABROAD = {Standing.REMOTE_SERVICE, Standing.REMOTE_GHOST, Standing.REMOTE_ATTESTED}
SHARED = {RoomKind.PATIENT.value, RoomKind.DIRECT.value, RoomKind.MAIL.value}
"""Kinds of rooms in which people of other servers may be: as far as the room itself federates, which never changes."""
_ALSO: dict[Standing, set[str]] = {
    Standing.UNVERIFIED: {RoomKind.HOME},
    Standing.FROZEN: {RoomKind.HOME, RoomKind.MAIL, RoomKind.ADMIN},
    Standing.STAFF: {RoomKind.HOME, RoomKind.ADMIN},
}
"""Rooms to which our bots may invite people who are otherwise not to be invited."""


Refuses = Callable[[UserId], bool]
"""Does that user block whoever asks?"""


def may_create(actor: Person, request: RoomRequest, people: Mapping[UserId, Person], refuses: Refuses) -> Verdict:
    """May `actor` create that room?

    `people` tells what everyone is whom the request invites or names as owner.
    """
    if actor.standing in _AS_ACTOR or actor.standing in _ABROAD:
        return Refused(_AS_ACTOR.get(actor.standing, Reason.REMOTE))
    if request.third_party:
        return Refused(Reason.THIRD_PARTY)
    if request.open or request.cleartext:
        return Refused(Reason.ROOM_PUBLIC)
    if request.alias:
        return Refused(Reason.ALIAS)
    kind = request.kind if actor.standing is Standing.SERVICE else ""
    if kind == RoomKind.PATIENT and request.owner is not None:
        verdict = may_open_patient_room(people[request.owner])
        if isinstance(verdict, Refused):
            return Refused(verdict.reason, request.owner)
    inside = {people[user].rpps for user in (*request.invitees, *([request.owner] if request.owner else []))}
    for user in request.invitees:
        other = people[user]
        verdict = may_invite(
            actor, other, kind, sponsored=other.under is not None and other.under in inside, blocked=refuses(user)
        )
        if isinstance(verdict, Refused):
            return Refused(verdict.reason, user)
    return ALLOWED


def may_open_patient_room(owner: Person) -> Verdict:
    """May a patient room be made for them?"""
    if owner.standing in _AS_ACTOR:
        return Refused(_AS_ACTOR[owner.standing])
    if owner.standing is not Standing.ATTESTED or not owner.rights.opens:
        return Refused(Reason.ACTOR_PROFESSION)
    return ALLOWED


def may_invite(actor: Person, other: Person, kind: str, *, sponsored: bool = False, blocked: bool = False) -> Verdict:
    """May `actor` invite `other` into a room of that kind? Only our bots may invite people who are not verified.

    `sponsored`: the one who answers for `other` is, or will be, in the room. `blocked`: `other` refuses the one who
    invites, or for whom a bot does.
    """
    if actor.standing in _AS_ACTOR or actor.standing is Standing.REMOTE_GHOST:
        return Refused(_AS_ACTOR.get(actor.standing, Reason.REMOTE))
    if other.standing is Standing.REMOTE_GHOST and (actor.standing, kind) != (Standing.REMOTE_SERVICE, RoomKind.MAIL):
        return Refused(Reason.ROOM_LOCAL)
    if blocked:
        return Refused(Reason.NOT_AVAILABLE)
    if other.standing in _AS_OTHER:
        if actor.standing is Standing.SERVICE and kind in _ALSO.get(other.standing, ()):
            return ALLOWED
        return Refused(_AS_OTHER[other.standing])
    if (actor.standing in _ABROAD or other.standing in _ABROAD) and kind not in SHARED:
        return Refused(Reason.ROOM_LOCAL)
    if kind == RoomKind.PATIENT:
        # Asked when somebody comes in: a key that ends later takes nobody out of a room where care goes on.
        if actor.standing is Standing.SERVICE and other.standing is Standing.REMOTE_ATTESTED and not other.erases:
            return Refused(Reason.OTHER_ERASURE)
        return _into_patient_room(other, sponsored, Reason.OTHER_PROFESSION, Reason.OTHER_UNSPONSORED)
    return ALLOWED


def may_join(who: Person, kind: str, *, sponsored: bool = False) -> Verdict:
    """May `who` be in a room of that kind? (Whether they are invited is Matrix's own business.)"""
    if who.standing in _AS_ACTOR and who.standing is not Standing.FROZEN:
        return ALLOWED if kind in _ALSO.get(who.standing, ()) else Refused(_AS_ACTOR[who.standing])
    if who.standing in _ABROAD and kind not in SHARED:
        return Refused(Reason.ROOM_LOCAL)
    if who.standing is Standing.REMOTE_GHOST:
        return ALLOWED if kind == RoomKind.MAIL else Refused(Reason.ROOM_LOCAL)
    if kind == RoomKind.PATIENT:
        return _into_patient_room(who, sponsored, Reason.ACTOR_PROFESSION, Reason.ACTOR_UNSPONSORED)
    return ALLOWED


def _into_patient_room(who: Person, sponsored: bool, profession: Reason, unsponsored: Reason) -> Verdict:
    if who.standing is Standing.SERVICE or who.salles:
        return ALLOWED
    if who.standing is Standing.SUPERVISED:
        return ALLOWED if sponsored else Refused(unsponsored)
    return ALLOWED if who.rights.enters else Refused(profession)


def may_change(actor: Person) -> Verdict:
    """May `actor` change a room's state at all? (Which room's, and how: Matrix's powers, and `room_request.opens`.)"""
    if actor.standing in {Standing.UNVERIFIED, Standing.REMOTE_UNKNOWN, Standing.REMOTE}:
        return Refused(_AS_ACTOR[actor.standing])
    return ALLOWED


def joins_at_once(kind: str, owner: UserId | None, invitee: UserId) -> bool:
    """Is a person whom our bots invite joined without having to accept?

    Their home, the admin room and their own mail: yes. A patient room or a direct one: only what they asked for.
    """
    if kind == RoomKind.ADMIN:
        return True
    if kind in {RoomKind.PATIENT, RoomKind.DIRECT}:
        return owner == invitee
    return kind in {RoomKind.HOME, RoomKind.MAIL} and owner in {None, invitee}
