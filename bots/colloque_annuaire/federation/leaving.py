"""People of other servers who are admitted no more leave the rooms of this one.

Who must leave is kept until nobody finds them in a room any more: an outage or a crash only delays it.
"""

from __future__ import annotations

import logging
from typing import Protocol

from colloque.clock import to_millis
from colloque.config import Config
from colloque.errors import Refused, Temporary
from colloque.identity import UserId
from colloque.logs import event as log_event
from colloque.sockets import Client
from colloque.store.journal import Journal
from colloque_annuaire.rules.pace import Pace
from colloque_annuaire.store.federation import Abroad

log = logging.getLogger(__name__)

AGAIN_S = (2.0, 30.0)
"""First and longest pause before somebody is tried again whom some room would not let go."""


class Rooms(Protocol):
    """What takes an account of another server out of our rooms."""

    async def evict(self, user: UserId, reason: str) -> int:
        """Out of every room of this server where that can be done; in how many they still are. Raises Temporary."""
        ...


class Told(Protocol):
    """What tells those who have a conversation of two with them (`partners.Partners`)."""

    async def tell(self, user: UserId, ref: str) -> None:
        """Once for each `ref`. Raises HomeUnavailable."""
        ...


class SallesRooms:
    """Patient rooms, which `@salles` made; over its socket. Nobody of another server is in any room but these and
    direct ones, and in a direct room nobody may take anybody out: its two members have the same power, and whoever
    is admitted no more can neither send nor receive anything there.
    """

    def __init__(self, config: Config) -> None:
        self._client = Client(config.socket("salles"), "annuaire")

    async def evict(self, user: UserId, reason: str) -> int:
        """See `Rooms`."""
        answer = await self._client.call("evict", user=user, reason=reason)
        return int(answer["left"])


class Leaving:
    """One round a call."""

    def __init__(self, *, abroad: Abroad, rooms: Rooms, partners: Told, journal: Journal) -> None:
        self._abroad = abroad
        self._rooms = rooms
        self._partners = partners
        self._journal = journal
        self._pace = Pace(*AGAIN_S)

    async def run_once(self) -> None:
        """Everybody who must leave."""
        for leaver in await self._abroad.leaving():
            user, reason = leaver.user, leaver.reason
            if not self._pace.ready(user):
                continue
            try:
                left = await self._rooms.evict(user, reason)
            except (Temporary, Refused) as error:
                log_event(log, "leaving.deferred", code=error.code)
                return  # All others wait for the same.
            if left:
                self._pace.failed(user)
                continue
            await self._partners.tell(user, f"{reason} {to_millis(leaver.since)}")
            self._journal.note("remote.left", actor=user, reason=reason)
            await self._abroad.left(user)
            self._pace.worked(user)
