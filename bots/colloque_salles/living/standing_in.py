"""Who stands in for an absent referent (`!absence`, which the bridge's bot takes): known here from its socket."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from colloque.clock import Clock, from_millis
from colloque.errors import Temporary
from colloque.identity import UserId
from colloque.logs import event as log_event
from colloque.rooms.patient_room import PatientRoom
from colloque.sockets import Client

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody's absence. `until` is exclusive."""

    by: UserId
    until: datetime


class StandingIn:
    """One instance a service; `once` is called again and again."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._away: dict[UserId, Away] | None = None
        self._asked_in_vain = False

    async def once(self) -> None:
        """Ask again. While the bridge is away (whose own health tells that) what was known last still counts."""
        try:
            await self.refresh()
            self._asked_in_vain = False
        except Temporary as error:
            if not self._asked_in_vain:
                log_event(log, "absences.unknown", code=error.code)
            self._asked_in_vain = True

    async def refresh(self) -> None:
        """Ask again. Raises Temporary."""
        answer = await self._client.call("away")
        self._away = {UserId(user): Away(UserId(by), from_millis(until)) for user, by, until in answer["away"]}

    def of(self, user: UserId) -> Away | None:
        """Somebody's absence now. Raises Temporary while the bridge has told nothing yet."""
        if self._away is None:
            raise Temporary("who is away is not known yet")
        found = self._away.get(user)
        return found if found is not None and found.until > self._clock.now() else None

    def leads(self, room: PatientRoom, user: UserId) -> bool:
        """Whether somebody may act as a room's referent: they are, or stand in for them and are in the room too."""
        if user == room.opener:
            return True
        found = self.of(room.opener) if self._away is not None else None
        return found is not None and found.by == user and user in room.members
