"""Accounts that nobody uses are closed after a year; their holder is warned a month before, here and by mail."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Protocol

from colloque.attestation import Attestation, Kind
from colloque.clock import Clock, to_millis
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound, Refused
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.admin import Account
from colloque.matrix.home import Home, text
from colloque.policy.ending import NOTICE, End, Use, unused
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.proving.flow import Mailer
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import ending as texts

log = logging.getLogger(__name__)


class Users(Protocol):
    """Every account with its last use (`colloque.matrix.admin.SynapseAdmin`)."""

    def users(self) -> AsyncIterator[Account]:
        """Raises HomeUnavailable, HomeRefused."""
        ...


class Unused:
    """One instance a service. Whoever's account it is, verified or not (any more); never an administrator's or a bot's.

    An attestation holds for a year too: were only verified people looked at, nobody would ever be closed.
    """

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
        administers: Callable[[UserId], bool],
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
        self._administers = administers

    async def run_once(self) -> None:
        """Look at every account. Raises Temporary: who was not told is told next time."""
        now = self._clock.now()
        _, attestations = await self._people.all_attestations()
        held = {a.user: a for a in attestations}
        warned, logins, ended = await self._endings.warned(), await self._endings.logins(), await self._endings.ended()
        async for account in self._server.users():
            user, who = account.user, held.get(account.user)
            if user in ended or self._is_spared(account, who):
                continue
            moments = (account.created, account.last_seen, logins.get(user), who.issued_at if who is not None else None)
            last = max((at for at in moments if at is not None), default=None)
            if last is None:
                continue  # The homeserver knows no time of it: nothing proves that nobody uses it.
            match unused(last, warned.get(user), now, self._limit):
                case Use.WARN:
                    await self._warn(user, who, last)
                    await self._endings.warn(user, now)
                case Use.USED:
                    await self._endings.forget_warning(user)
                case Use.CLOSE:
                    await self._closing.end(user, End.UNUSED)
                    await self._endings.forget_warning(user)

    def _is_spared(self, account: Account, held: Attestation | None) -> bool:
        staff = held is not None and held.kind is Kind.STAFF
        return staff or account.admin or self._administers(account.user) or not self._homes.is_person(account.user)

    async def _warn(self, user: UserId, held: Attestation | None, last: datetime) -> None:
        # By the use that it follows: a warning cut short is the same one when it is tried again.
        ref = digest(f"unused {user} {to_millis(last)}")
        try:
            await self._home.send(
                await self._homes.ensure(user), text(texts.unused_soon(NOTICE.days)), txn=f"unused-{ref}"
            )
        except HomeRefused as error:
            log_event(log, "unused.not_told", level=logging.WARNING, code=error.errcode)
        if held is not None:
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
