"""What professionals, and those who work under them, are told in time: an end that comes, a suspension."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from colloque.attestation import Attestation
from colloque.clock import Clock, to_millis
from colloque.errors import HomeRefused
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.assistants import Assistant, AssistantRows
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import assistants as texts

log = logging.getLogger(__name__)

ASKED = (14, 1)
"""How many days before the end the professional is asked."""


class AssistantsTold:
    """One instance a service. Each call of `run_once` is one round."""

    def __init__(self, *, rows: AssistantRows, people: People, home: Home, homes: Homes, clock: Clock) -> None:
        self._rows = rows
        self._people = people
        self._home = home
        self._homes = homes
        self._clock = clock

    async def run_once(self) -> None:
        """Whoever is to be told something today. Raises HomeUnavailable: who was not told is told next time."""
        now = self._clock.now()
        for each in await self._rows.all():
            held = await self._people.attestation_of(each.user) if each.user is not None else None
            sponsor = await self._people.holder_of(each.under)
            if held is None or sponsor is None or not held.is_valid(now):
                continue
            theirs = await self._people.attestation_of(sponsor)
            if theirs is not None and not theirs.is_valid(now):
                await self._tell_suspended(each, held.user, theirs)
            else:
                await self._ask_in_time(each, held, sponsor, now)

    async def _tell_suspended(self, each: Assistant, user: UserId, sponsor: Attestation) -> None:
        """The professional's own attestation has ended: both are told, once for each end."""
        if await self._rows.suspended(each) == sponsor.valid_until:
            return
        ref = digest(f"{each.event} {to_millis(sponsor.valid_until)}")
        await self._say(user, texts.suspended(sponsor.person), f"assistant-alone-{ref}")
        await self._say(sponsor.user, texts.suspended_with_you(each), f"assistant-with-{ref}")
        await self._rows.suspend(each, sponsor.valid_until)

    async def _ask_in_time(self, each: Assistant, held: Attestation, sponsor: UserId, now: datetime) -> None:
        """Whether somebody goes on. Of two that are due, the nearer."""
        days = min((d for d in ASKED if held.valid_until - now <= timedelta(days=d)), default=None)
        last = each.asked_days if each.asked_until == held.valid_until else None
        if days is None or (last is not None and last <= days):
            return
        ref = digest(f"{each.event} {to_millis(held.valid_until)} {days}")
        await self._say(sponsor, texts.ends_soon(each, held.valid_until), f"assistant-{ref}")
        await self._rows.asked(each, held.valid_until, days)

    async def _say(self, user: UserId, said: str, txn: str) -> None:
        try:
            await self._home.send(await self._homes.ensure(user), text(said), txn=txn)
        except HomeRefused as error:
            log_event(log, "assistant.not_told", level=logging.WARNING, code=error.errcode)
