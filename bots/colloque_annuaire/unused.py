"""Accounts that nobody uses are closed after a year; their holder is warned a month before, here and by mail."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

from colloque.attestation import Attestation, Kind
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound, Refused
from colloque.identity import digest
from colloque.logs import event as log_event
from colloque.matrix.admin import Account
from colloque.matrix.home import Home, text
from colloque.policy.ending import NOTICE, End, Use, unused
from colloque_annuaire import texts_ending as texts
from colloque_annuaire.ending import Closing
from colloque_annuaire.flow import Mailer
from colloque_annuaire.homes import Homes
from colloque_annuaire.store import People
from colloque_annuaire.store_ending import Endings

log = logging.getLogger(__name__)


class Users(Protocol):
    """Every account with its last use (`colloque.matrix.admin.SynapseAdmin`)."""

    def users(self) -> AsyncIterator[Account]:
        """Raises HomeUnavailable, HomeRefused."""
        ...


class Unused:
    """One instance a service. Only attested professionals, and who works under them; never staff, never a bot."""

    def __init__(
        self,
        *,
        people: People,
        endings: Endings,
        closing: Closing,
        directory: Directory,
        server: Users,
        mailer: Mailer,
        home: Home,
        homes: Homes,
        clock: Clock,
        limit: timedelta,
    ) -> None:
        self._people = people
        self._endings = endings
        self._closing = closing
        self._directory = directory
        self._server = server
        self._mailer = mailer
        self._home = home
        self._homes = homes
        self._clock = clock
        self._limit = limit

    async def run_once(self) -> None:
        """Look at every account. Raises Temporary: who was not told is told next time."""
        now = self._clock.now()
        _, attestations = await self._people.all_attestations()
        held = {a.user: a for a in attestations if a.kind is not Kind.STAFF and a.is_valid(now)}
        warned = await self._endings.warned()
        async for account in self._server.users():
            who = held.get(account.user)
            if who is None or account.admin or not self._homes.is_person(account.user):
                continue
            # Made and never used: from the day it was verified on.
            last = max(account.last_seen or who.issued_at, who.issued_at)
            match unused(last, warned.get(account.user), now, self._limit):
                case Use.WARN:
                    await self._warn(who)
                    await self._endings.warn(account.user, now)
                case Use.USED:
                    await self._endings.forget_warning(account.user)
                case Use.CLOSE:
                    await self._closing.end(account.user, End.UNUSED)
                    await self._endings.forget_warning(account.user)

    async def _warn(self, held: Attestation) -> None:
        ref = digest(f"unused {held.user} {self._clock.now():%Y-%m}")
        try:
            room = await self._homes.ensure(held.user)
            await self._home.send(room, text(texts.unused_soon(NOTICE.days)), txn=f"unused-{ref}")
        except HomeRefused as error:
            log_event(log, "unused.not_told", level=logging.WARNING, code=error.errcode)
        await self._mail(held, ref)

    async def _mail(self, held: Attestation, ref: str) -> None:
        try:
            person = self._directory.by_rpps(held.rpps) if held.kind is Kind.PROFESSIONAL else None
        except (NotFound, Inconsistent):
            person = None
        for box in person.personal_mailboxes[:1] if person is not None else ():
            said = texts.unused_mail(held.user, NOTICE.days)
            try:
                await self._mailer.send(key=f"unused-{ref}", to=box.address, subject=texts.UNUSED_SUBJECT, text=said)
            except Refused as error:
                log_event(log, "unused.not_mailed", level=logging.WARNING, code=error.code)
