"""What other servers send: invitations, and events of every kind. They are believed in nothing that opens a room.

Synapse knows two ways to say no to an event from elsewhere. *Marking it as spam* keeps it, emptied, and out of the
room's present state; but a later event that builds on it can bring it back in. *Raising* refuses it as if it had never
come: so does everything built on it, for it can't be fetched either. State that opens a room, and people nobody
knows, are refused that way; what merely is not to be read is marked.

While we join a room, its history is fetched through the same callback: people in it may have left long ago. Then
nothing but what opens the room is refused; the inspection looks at who is in it when it stands.
"""

from __future__ import annotations

from collections.abc import Callable

from synapse.module_api import NOT_SPAM, EventBase
from synapse.module_api.errors import Codes

from colloque.identity import UserId
from colloque.policy.admission import (
    ALLOWED,
    SHARED,
    Allowed,
    Reason,
    Refused,
    Standing,
    Verdict,
    may_change,
    may_invite,
    may_join,
)
from colloque.policy.room_request import Shown
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque.synapse.accounts import Accounts
from colloque.synapse.judge import CREATE, MEMBER, REDACTION, Judge, of_state
from colloque.synapse.reports import Reports
from colloque.synapse.verdicts import CODE_FIELD, Answer, Verdicts, forbidden, log_failure


class Inbound:
    """One instance a process."""

    def __init__(
        self, accounts: Accounts, judge: Judge, verdicts: Verdicts, reports: Reports, entered: Callable[[str], None]
    ) -> None:
        """`entered` is told of every room of another server whose beginning we fetch."""
        self._accounts = accounts
        self._judge = judge
        self._verdicts = verdicts
        self._reports = reports
        self._entered = entered

    async def federated_user_may_invite(self, event: EventBase) -> Answer:
        """An invitation to one of ours: who asks, whom, and into what."""

        async def decide() -> Verdict:
            shown = Shown.read(event.unsigned.get("invite_room_state") or ())
            them, us = self._accounts.people(event.sender, event.state_key or "")
            blocked = self._accounts.refuses(event.state_key or "", event.sender, shown.owner)
            marked = shown.kind in SHARED and self._accounts.may_mark(UserId(shown.marker), shown.kind)
            if marked and shown.kind == RoomKind.PATIENT and not them.erases:
                return Refused(Reason.ACTOR_ERASURE)
            verdict = may_invite(them, us, shown.kind if marked else "", blocked=blocked)
            if isinstance(verdict, Refused) and verdict.reason is not Reason.ROOM_LOCAL:
                return verdict
            return verdict if shown.closed else Refused(Reason.ROOM_PUBLIC)

        return await self._verdicts.answer("invite", event.sender, event.state_key or "", decide())

    async def check_event_for_spam(self, event: EventBase) -> Answer:
        """Every event from elsewhere; and ours, except memberships. Messages of ours are not even looked at."""
        mine = self._accounts.is_mine(event.sender)
        if mine and event.type != REDACTION:
            return NOT_SPAM
        if event.type == REDACTION and not event.is_state():
            await self._verdicts.demand("redact", event.sender, "", self._judge.redaction(event))
        if mine:
            return NOT_SPAM
        try:
            verdict, final = await (self._state(event) if event.is_state() else self._message(event))
        except Exception as error:  # noqa: BLE001  fail closed
            log_failure("inbound", error)
            verdict, final = Refused(Reason.INTERNAL), True
        if isinstance(verdict, Allowed):
            return NOT_SPAM
        code, act = verdict.reason.value, _act(event)
        self._reports.refused(event.sender, verdict.other or "", act, code)
        if final:
            raise forbidden(code)
        return Codes.FORBIDDEN, {CODE_FIELD: code}

    async def _message(self, event: EventBase) -> tuple[Verdict, bool]:
        return may_change(self._accounts.person(event.sender)), False

    async def _state(self, event: EventBase) -> tuple[Verdict, bool]:
        """The verdict, and whether a no is to be raised."""
        key = event.get_state_key() or ""
        if event.type == CREATE:
            self._entered(event.room_id)
        shape = of_state(event.type, key, event.content)
        if isinstance(shape, Refused):
            return shape, True
        if event.type == MEMBER:
            return await self._member(event, key)
        if event.type == ROOM_MARK and not key:
            kind = event.content.get("kind")
            if not isinstance(kind, str) or not self._accounts.may_mark(UserId(event.sender), kind):
                return Refused(Reason.MARK), True
        return may_change(self._accounts.person(event.sender)), False

    async def _member(self, event: EventBase, target: str) -> tuple[Verdict, bool]:
        membership = event.content.get("membership")
        if membership == "knock":
            return Refused(Reason.NOT_INVITED), True
        if membership not in {"join", "invite"}:
            return (ALLOWED if event.sender == target else may_change(self._accounts.person(event.sender))), False
        subject = event.sender if membership == "join" else target
        if membership == "join" and self._could_be_anywhere(event):
            return ALLOWED, False
        inside, room = await self._judge.room(event.room_id)
        known = self._is_known(subject) and self._is_known(event.sender)
        if not inside and known:
            # Its history is being fetched: of which kind the room is will be seen when it stands.
            return ALLOWED, False
        if membership == "join":
            verdict = await self._judge.join(subject, room, event.room_id, None)
            if isinstance(verdict, Allowed) and not self._bears_own_name(event):
                verdict = Refused(Reason.NAME)
        else:
            verdict = await self._judge.invite(event.sender, target, event.room_id, None)
            if isinstance(verdict, Refused):
                verdict = Refused(verdict.reason, UserId(target))
        ended = not known and self._accounts.was_attested(subject, event.origin_server_ts)
        return verdict, inside and not ended

    def _could_be_anywhere(self, event: EventBase) -> bool:
        """A yes that needs no look at the room: they could be in a patient room."""
        could = may_join(self._accounts.person(event.sender), RoomKind.PATIENT)
        return isinstance(could, Allowed) and self._bears_own_name(event)

    def _is_known(self, user: str) -> bool:
        return self._accounts.standing(user) not in {Standing.REMOTE, Standing.REMOTE_UNKNOWN, Standing.UNVERIFIED}

    def _bears_own_name(self, event: EventBase) -> bool:
        """The name of somebody admitted here is the one that our directory gives; more may stand after it."""
        shown, ours = event.content.get("displayname"), self._accounts.name(event.sender)
        if shown is None or ours is None:
            return True
        return isinstance(shown, str) and (shown == ours or shown.startswith(ours + " "))


def _act(event: EventBase) -> str:
    if event.type == MEMBER:
        membership = event.content.get("membership")
        return membership if isinstance(membership, str) and membership in {"join", "invite"} else "member"
    return "change" if event.is_state() else "send"
