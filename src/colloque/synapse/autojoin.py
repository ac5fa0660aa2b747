"""Joins people to the rooms our bots invite them to: home, admin, their own mail, the patient room they opened.

Woken by the admission callback rather than by `on_new_event`: for the latter Synapse loads a room's whole state at
every message of every room. An invitation whose joining was cut short (Synapse killed in between) is found again by
a sweep after the start and every few minutes. An invitation repeated by the bot wakes us as well.
"""

from __future__ import annotations

import logging

from synapse.module_api import EventBase, LoggingTransaction, ModuleApi, StateMap

from colloque.identity import UserId
from colloque.policy.admission import Allowed, Standing, joins_at_once
from colloque.rooms.mark import ROOM_MARK
from colloque.synapse.accounts import Accounts
from colloque.synapse.judge import Judge
from colloque.synapse.settings import Settings

SWEEP_S = 300.0
FIRST_SWEEP_S = 1.0
SWEEP_MAX = 500
"""Invitations taken up in one sweep."""
WAITS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between looks at an invitation: it is decided just before it stands, and joining may be rate-limited."""

_PENDING = """
    SELECT m.sender, m.user_id, m.room_id
    FROM local_current_membership AS l JOIN room_memberships AS m ON m.event_id = l.event_id
    WHERE l.membership = 'invite' AND ({bots} m.sender LIKE ? ESCAPE '!')
    ORDER BY m.event_stream_ordering DESC LIMIT ?
"""
"""The one look below the module API's own functions; a test on the real server pins the tables' shape."""

logger = logging.getLogger(__name__)


class AutoJoin:
    """Takes up the invitations of our bots."""

    def __init__(self, api: ModuleApi, settings: Settings, accounts: Accounts, judge: Judge) -> None:
        self._api = api
        self._judge = judge
        self._settings = settings
        self._accounts = accounts
        self._busy: set[tuple[str, str]] = set()
        if api.should_run_background_tasks():
            api.delayed_background_call(FIRST_SWEEP_S * 1000, self._sweep, desc="colloque_invitations")
            api.looping_background_call(self._sweep, SWEEP_S * 1000, desc="colloque_invitations")

    def expect(self, inviter: str, invitee: str, room: str) -> None:
        """One of our bots was allowed to invite: join the person as soon as the invitation stands."""
        if (invitee, room) not in self._busy:
            self._busy.add((invitee, room))
            self._api.run_as_background_process("colloque_join", self._take_up, inviter, invitee, room)

    async def _take_up(self, inviter: str, invitee: str, room: str) -> None:
        try:
            for wait in WAITS_S:
                await self._api.sleep(wait)
                try:
                    if await self._join(inviter, invitee, room):
                        return
                except Exception as error:  # noqa: BLE001  whatever Synapse raises is tried again, then swept up
                    logger.warning("colloque.join_failed error=%s", type(error).__name__)
        finally:
            self._busy.discard((invitee, room))

    async def _join(self, inviter: str, invitee: str, room: str) -> bool:
        """True when there is nothing more to do."""
        member = ("m.room.member", invitee)
        state = await self._api.get_room_state(room, [(ROOM_MARK, ""), member])
        membership = state[member].content.get("membership") if member in state else None
        if membership != "invite" or state[member].sender != inviter:
            return membership in {"join", "ban"}
        if await self._is_wanted(inviter, invitee, room, state) and await self._is_active(invitee):
            await self._api.update_room_membership(invitee, invitee, room, "join")
        return True

    async def _is_wanted(self, inviter: str, invitee: str, room: str, state: StateMap[EventBase]) -> bool:
        """The admission rule once more: the world may have changed since the invitation."""
        marked = self._accounts.room(state)
        return (
            self._accounts.standing(inviter) is Standing.SERVICE
            and self._accounts.is_mine(invitee)
            and self._accounts.standing(invitee) is not Standing.SERVICE
            and joins_at_once(marked.kind, marked.owner, UserId(invitee))
            and isinstance(await self._judge.invite(inviter, invitee, room, state), Allowed)
            and isinstance(await self._judge.join(invitee, marked, room, state), Allowed)
        )

    async def _is_active(self, user: str) -> bool:
        info = await self._api.get_userinfo_by_id(user)
        return info is not None and not (info.is_deactivated or info.suspended or info.locked)

    async def _sweep(self) -> None:
        for inviter, invitee, room in await self._api.run_db_interaction("colloque_invitations", self._pending):
            self.expect(inviter, invitee, room)

    def _pending(self, txn: LoggingTransaction) -> list[tuple[str, str, str]]:
        bots = sorted(self._settings.bots)
        prefix = self._settings.ghost_prefix
        for special in "!%_":
            prefix = prefix.replace(special, "!" + special)
        txn.execute(
            _PENDING.format(bots="m.sender = ? OR " * len(bots)),
            [*bots, f"@{prefix}%:{self._api.server_name}", SWEEP_MAX],
        )
        return [(str(sender), str(user), str(room)) for sender, user, room in txn]
