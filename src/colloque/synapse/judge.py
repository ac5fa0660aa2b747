"""Asks the rule about memberships and state events, with what it must know of the room."""

from __future__ import annotations

from collections.abc import Mapping

from synapse.module_api import EventBase, ModuleApi, StateMap

from colloque.identity import UserId, localpart
from colloque.policy.admission import (
    ALLOWED,
    Allowed,
    Person,
    Reason,
    Refused,
    Standing,
    Verdict,
    may_change,
    may_invite,
    may_join,
)
from colloque.policy.room_request import ENCRYPTION, THIRD_PARTY, names_room, opens
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque.synapse.accounts import Accounts, Room
from colloque.synapse.holds import KEY as HELD
from colloque.synapse.holds import Holds

MEMBER = "m.room.member"
CREATE = "m.room.create"
REDACTION = "m.room.redaction"
_KEPT = [(ENCRYPTION, ""), (ROOM_MARK, "")]
"""State that a redaction would empty: the room would look unencrypted, or of no kind."""


class Judge:
    """One instance a process."""

    def __init__(self, api: ModuleApi, accounts: Accounts, holds: Holds) -> None:
        self._api = api
        self._accounts = accounts
        self._holds = holds

    async def room(self, room_id: str) -> tuple[bool, Room]:
        """Are we in the room, and what is it?"""
        state = await self._api.get_room_state(room_id, [(CREATE, ""), (ROOM_MARK, "")])
        return (CREATE, "") in state, self._accounts.room(state)

    async def invite(self, inviter: str, invitee: str, room_id: str, state: StateMap[EventBase] | None) -> Verdict:
        """An invitation. `state` is the room's, where it is at hand."""
        us, them = self._accounts.people(inviter, invitee)
        room = self._accounts.room(state) if state is not None else (await self.room(room_id))[1]
        return may_invite(
            us,
            them,
            room.kind,
            sponsored=await self._sponsored(them, room, room_id, state, {"join", "invite"}),
            blocked=self._accounts.refuses(invitee, inviter, room.owner if us.standing is Standing.SERVICE else None),
        )

    async def join(self, user: str, room: Room, room_id: str, state: StateMap[EventBase] | None) -> Verdict:
        """A join."""
        who = self._accounts.person(user)
        return may_join(who, room.kind, sponsored=await self._sponsored(who, room, room_id, state, {"join"}))

    async def _sponsored(
        self, who: Person, room: Room, room_id: str, state: StateMap[EventBase] | None, memberships: set[str]
    ) -> bool:
        """Is the one who answers for `who` in the room, with one of these memberships?"""
        if who.standing is not Standing.SUPERVISED or room.kind != RoomKind.PATIENT:
            return False
        sponsor = self._accounts.sponsor(who)
        if sponsor is None:
            return False
        key = (MEMBER, sponsor)
        found = (state if state is not None else await self._api.get_room_state(room_id, [key])).get(key)
        return found is not None and found.content.get("membership") in memberships

    async def state_event(self, event: EventBase, state: StateMap[EventBase]) -> Verdict:
        """A state event made here, or a template for another server's membership."""
        key = event.get_state_key() or ""
        if event.type == MEMBER:
            return await self._member(event, key, state)
        shape = of_state(event.type, key, event.content)
        if isinstance(shape, Refused):
            return shape
        if event.type == ROOM_MARK and not key and not self._may_mark(event, state):
            return Refused(Reason.MARK)
        return may_change(self._accounts.person(event.sender))

    def _may_mark(self, event: EventBase, state: StateMap[EventBase]) -> bool:
        """A mark that nobody believes harms nobody; one that is believed must not be replaced by such a one."""
        kind = event.content.get("kind")
        believed = isinstance(kind, str) and self._accounts.may_mark(UserId(event.sender), kind)
        return believed or self._accounts.room(state) == Room()

    async def _member(self, event: EventBase, target: str, state: StateMap[EventBase]) -> Verdict:
        match event.content.get("membership"):
            case "invite":
                return await self.invite(event.sender, target, event.room_id, state)
            case "join":
                verdict = await self.join(target, self._accounts.room(state), event.room_id, state)
                if isinstance(verdict, Allowed) and not await self._bears_own_name(event, target):
                    return Refused(Reason.NAME)
                return verdict
            case "knock":
                return Refused(Reason.NOT_INVITED)
        return ALLOWED

    async def _bears_own_name(self, event: EventBase, target: str) -> bool:
        """In every room people go by their profile's name, which the annuaire service sets."""
        name = event.content.get("displayname")
        if name is None or not self._accounts.is_mine(target):
            return True
        if self._accounts.standing(target) is Standing.SERVICE:
            return True
        profile = await self._api.get_profile_for_user(localpart(UserId(target)))
        return bool(name == profile.display_name)

    async def redaction(self, event: EventBase) -> Verdict:
        """Would it empty a state event that the room stands on, or anything in a room that is held?"""
        target = event.content.get("redacts") or event.redacts
        state = await self._api.get_room_state(event.room_id, [*_KEPT, HELD])
        if self._holds.stands(state):
            return Refused(Reason.HELD)
        kept = (state[key] for key in _KEPT if key in state)
        return Refused(Reason.ROOM_PUBLIC) if any(e.event_id == target for e in kept) else ALLOWED


def of_state(type_: str, key: str, content: Mapping[str, object]) -> Verdict:
    """What no state event may say, whoever sends it."""
    if opens(type_, key, content):
        return Refused(Reason.THIRD_PARTY if type_ == THIRD_PARTY else Reason.ROOM_PUBLIC)
    return Refused(Reason.ALIAS) if names_room(type_, content) else ALLOWED
