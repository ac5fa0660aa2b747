"""A room that its people hold is neither deleted nor redacted: a bot of ours says so in a state event of the room
(`@salles` in a patient room, `@mssante` in a mail room).

What Synapse asks nobody about (purging history, deleting single files) is refused by the proxy while any room is held
(deploy/nginx); its own database is for whoever is root: docs/threats.md.
"""

from __future__ import annotations

from synapse.module_api import EventBase, ModuleApi, StateMap

from colloque.clock import Clock, to_millis
from colloque.identity import UserId
from colloque.rooms.mark import HOLD, RoomKind
from colloque.synapse.accounts import Accounts
from colloque.synapse.verdicts import log_failure

KEY = (HOLD, "")


class Holds:
    """One instance a process."""

    def __init__(self, api: ModuleApi, accounts: Accounts, clock: Clock) -> None:
        self._api = api
        self._accounts = accounts
        self._clock = clock

    def stands(self, state: StateMap[EventBase]) -> bool:
        """By a room's state, does a hold of ours stand now?"""
        event = state.get(KEY)
        if event is None or not self._accounts.may_mark(UserId(event.sender), RoomKind.PATIENT):
            return False
        until = event.content.get("until")
        return isinstance(until, int) and to_millis(self._clock.now()) < until

    async def may_shut_down(self, _user: str | None, room_id: str) -> bool:
        """Asked before a room is deleted, by whatever administrator. What can't be read is not deleted."""
        try:
            return not self.stands(await self._api.get_room_state(room_id, [KEY]))
        except Exception as error:  # noqa: BLE001  fail closed
            log_failure("shutdown", error)
            return False
