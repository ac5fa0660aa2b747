"""Rooms that began on another server are looked at whole: when we have entered one, and every few minutes.

The callbacks see one event at a time and, while a room's history is fetched, can't tell who is in it today. So this is
the second line: where a room turns out open, unencrypted, unmarked, or with somebody in it who may not be, our
people leave it, and are told. Somebody merely unknown is given a minute: the annuaire service hears of them at once,
and asks their server.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from synapse.module_api import EventBase, LoggingTransaction, ModuleApi, StateMap

from colloque.policy.admission import SHARED, Allowed, Reason, Refused, Verdict, may_join
from colloque.policy.room_request import ENCRYPTION, GUESTS, HISTORY, JOIN_RULES, opens
from colloque.rooms.mark import ROOM_MARK
from colloque.synapse.accounts import Accounts
from colloque.synapse.judge import CREATE, MEMBER
from colloque.synapse.reports import Reports

EVERY_S = 300.0
GRACE_S = 60.0
WAITS_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Between looks at a room that we are entering, and at one where somebody is unknown."""
PAUSE_S = 0.02
"""Between two rooms of a round: the server has other things to do."""

_SHAPE = (CREATE, ROOM_MARK, JOIN_RULES, ENCRYPTION, HISTORY, GUESTS)
_FOREIGN = """
    SELECT DISTINCT l.room_id FROM local_current_membership AS l JOIN rooms AS r ON r.room_id = l.room_id
    WHERE l.membership = 'join' AND r.creator NOT LIKE ? ESCAPE '!'
"""

logger = logging.getLogger(__name__)


class Inspection:
    """One instance a process; looks from the process that runs background tasks, and from the one that joins."""

    def __init__(self, api: ModuleApi, accounts: Accounts, reports: Reports) -> None:
        self._api = api
        self._accounts = accounts
        self._reports = reports
        self._busy: set[str] = set()
        if api.should_run_background_tasks():
            api.delayed_background_call(1000, self._round, desc="colloque_inspection")
            api.looping_background_call(self._round, EVERY_S * 1000, desc="colloque_inspection")

    def entered(self, room: str) -> None:
        """We are joining a room of another server: look at it as soon as it stands."""
        if room not in self._busy:
            self._busy.add(room)
            self._api.run_as_background_process("colloque_inspection", self._follow, room)

    async def _round(self) -> None:
        for room in await self._api.run_db_interaction("colloque_inspection", self._foreign):
            await self._api.sleep(PAUSE_S)
            self.entered(room)

    def _foreign(self, txn: LoggingTransaction) -> list[str]:
        name = self._api.server_name
        for special in "!%_":
            name = name.replace(special, "!" + special)
        txn.execute(_FOREIGN, [f"%:{name}"])
        return [str(room) for (room,) in txn]

    async def _follow(self, room: str) -> None:
        """Look until there is nothing to wait for."""
        waited = 0.0
        try:
            for wait in WAITS_S:
                await self._api.sleep(wait)
                waited += wait
                if await self._look(room, patient=waited < GRACE_S):
                    return
            await self._look(room, patient=False)
        except Exception as error:  # noqa: BLE001  whatever Synapse raises, the next round looks again
            logger.warning("colloque.inspection_failed error=%s", type(error).__name__)
        finally:
            self._busy.discard(room)

    async def _look(self, room: str, *, patient: bool) -> bool:
        """True when there is nothing more to do."""
        state = await self._api.get_room_state(room, [*((type_, "") for type_ in _SHAPE), (MEMBER, None)])
        ours = [user for user in _joined(state) if self._accounts.is_mine(user)]
        create = state.get((CREATE, ""))
        if create is None or not ours:
            return False
        if self._accounts.is_mine(create.sender):
            return True
        for user, verdict in self._faults(state):
            assert isinstance(verdict, Refused)
            self._reports.refused(user or create.sender, ours[0], "share", verdict.reason.value)
            if patient and verdict.reason is Reason.REMOTE_UNKNOWN:
                return False
            if user and self._accounts.is_mine(user):
                await self._leave(user, room)
            else:
                for each in ours:
                    await self._leave(each, room)
                return True
        return True

    def _faults(self, state: StateMap[EventBase]) -> Iterator[tuple[str, Verdict]]:
        """What is wrong: with the room itself (no user), or with somebody in it. The room first, then our own."""
        for key in ((JOIN_RULES, ""), (ENCRYPTION, ""), (HISTORY, ""), (GUESTS, "")):
            content = state[key].content if key in state else {}
            if opens(*key, content):
                yield "", Refused(Reason.ROOM_PUBLIC)
        room = self._accounts.room(state)
        if room.kind not in SHARED:
            yield "", Refused(Reason.ROOM_LOCAL)
        for user in sorted(_joined(state), key=lambda u: not self._accounts.is_mine(u)):
            person = self._accounts.person(user)
            sponsor = self._accounts.sponsor(person)
            verdict = may_join(person, room.kind, sponsored=sponsor is not None and sponsor in _joined(state))
            if not isinstance(verdict, Allowed):
                yield user, verdict

    async def _leave(self, user: str, room: str) -> None:
        await self._api.update_room_membership(user, user, room, "leave")


def _joined(state: StateMap[EventBase]) -> list[str]:
    return [
        key for (type_, key), event in state.items() if type_ == MEMBER and event.content.get("membership") == "join"
    ]
