"""People are asked in time to renew their attestation. One round a call; a crash tells the same thing again, once."""

from __future__ import annotations

import logging

from colloque.clock import Clock, to_millis
from colloque.errors import HomeRefused
from colloque.identity import digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.policy.renewal import Asked, due
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.people import People
from colloque_annuaire.store.renewing import Renewals
from colloque_annuaire.texts import renewing as texts

log = logging.getLogger(__name__)


class Renewing:
    """One instance a service."""

    def __init__(self, *, people: People, renewals: Renewals, home: Home, homes: Homes, clock: Clock) -> None:
        self._people = people
        self._renewals = renewals
        self._home = home
        self._homes = homes
        self._clock = clock

    async def run_once(self) -> None:
        """Everybody for whom it is time. Raises HomeUnavailable: who was not told is told next time."""
        asked = await self._renewals.all()
        _, attestations = await self._people.all_attestations()
        for held in attestations:
            days = due(held, asked.get(held.user), self._clock.now())
            if days is None:
                continue
            ref = digest(f"{held.user} {to_millis(held.valid_until)} {days}")
            try:
                room = await self._homes.ensure(held.user)
                await self._home.send(room, text(texts.renew(held, days)), txn=f"renew-{ref}")
            except HomeRefused as error:
                log_event(log, "renewal.not_told", level=logging.WARNING, code=error.errcode)
            await self._renewals.put(held.user, Asked(held.valid_until, days))
