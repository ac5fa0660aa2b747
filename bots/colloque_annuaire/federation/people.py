"""People across servers: theirs admitted here, ours presented there. Everything in here is safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from colloque.attestation import Attestation, Kind, Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Directory
from colloque.errors import NotFound, Refused, Tampered
from colloque.federation.ed25519 import verify
from colloque.federation.keeper import Keeper
from colloque.identity import UserId, server_of
from colloque.logs import event as log_event
from colloque.policy.exchange import Signer
from colloque.policy.jws import Jws
from colloque.policy.passport import (
    LIFE,
    TYPE,
    Known,
    No,
    Passport,
    admit,
    open_passport,
    sign_passport,
)
from colloque.professional import Professional
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import codes_of
from colloque_annuaire.store.federation import Abroad, Remote
from colloque_annuaire.store.federation_own import OwnAbroad
from colloque_annuaire.store.people import People

log = logging.getLogger(__name__)

NOT_ATTESTED = "not_attested"
"""What a server answers of an account that is not attested, or that it does not have: the same."""
NOT_KNOWN = "not_known"
"""What a server answers of somebody whom it never admitted, or ended for reasons of its own: the same."""
REVOKED, ENDED = "revoked", "ended"
"""Why somebody is dropped, when their own server wants it so, or has not asked for more in time."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A passport that holds, of somebody whom our directory knows."""

    passport: Passport
    text: str
    person: Professional


class Crossing:
    """One instance a service."""

    def __init__(
        self,
        *,
        us: Signer,
        keeper: Keeper,
        abroad: Abroad,
        own: OwnAbroad,
        people: People,
        directory: Directory,
        ages: AgeRules,
        journal: Journal,
        clock: Clock,
        publish: Callable[[], Awaitable[None]],
        test: bool,
    ) -> None:
        """`publish` tells every deciding process what the tables say; `test` admits fictive numbers."""
        self._us = us
        self._keeper = keeper
        self._abroad = abroad
        self._own = own
        self._people = people
        self._directory = directory
        self._ages = ages
        self._journal = journal
        self._clock = clock
        self._publish = publish
        self._test = test
        self._admitting = asyncio.Lock()
        self._exchanges: Counter[str] = Counter()

    # theirs

    @contextmanager
    def exchange(self, server: str) -> Iterator[None]:
        """While a passport of that server may be under way: a revocation that overtakes it is remembered."""
        self._exchanges[server] += 1
        try:
            yield
        finally:
            self._exchanges[server] -= 1

    async def check(self, text: str, server: str, *, moving: bool = False) -> Checked:
        """A passport that `server` signed, against our own directory. `moving`: another account may hold the number.

        Raises Tampered, Refused (reason: a `passport.No`, or `method_unknown`).
        """
        passport = self._open(text, server)
        now = self._clock.now()
        if passport.method not in frozenset(Method):
            raise Refused("method_unknown")
        known = Known(
            person=self._directory.by_rpps(passport.rpps),
            stale=self._stale(now),
            holder=None if moving else await self._abroad.holder(passport.rpps, now),
            revoked_at=await self._abroad.revoked_at(passport.user),
        )
        return Checked(passport, text, admit(passport, known, now))

    def _open(self, text: str, server: str) -> Passport:
        return open_passport(text, server=server, key_of=self._keeper.key_of, verify=verify, test=self._test)

    def _stale(self, now: datetime) -> bool:
        try:
            return self._directory.freshness().age(now, self._ages) is Age.STALE
        except NotFound:
            return True

    async def take(self, checked: Checked) -> tuple[Attestation, bool]:
        """Admit somebody, under the name that our directory gives them; whether they are new here.

        Raises Refused when another account was quicker.
        """
        passport = checked.passport
        professions, category = codes_of(checked.person)
        attestation = Attestation(
            user=passport.user,
            rpps=passport.rpps,
            name=checked.person.display_name,
            method=Method(passport.method),
            issued_at=passport.issued_at,
            valid_until=passport.valid_until,
            professions=professions,
            category=category,
            frozen=passport.frozen,
        )
        kid = Jws.read(checked.text, TYPE).kid
        async with self._admitting:
            if await self._abroad.holder(passport.rpps, self._clock.now()) not in {None, passport.user}:
                raise Refused(No.TAKEN)
            before = await self._abroad.remote(passport.user)
            if await self._abroad.admit(Remote(attestation, kid, checked.text)):
                if before is None:
                    self._journal.note("remote.admit", actor=passport.user, rpps=passport.rpps.value)
                await self._publish()
        return attestation, before is None

    async def receive(self, text: object, server: str, *, of: UserId) -> Attestation:
        """`check` and `take`; of what a server sent about that account, whatever it is."""
        if not isinstance(text, str):
            raise Tampered("no attestation was sent")
        checked = await self.check(text, server)
        if checked.passport.user != of:
            raise Tampered("another account's attestation was sent")
        return (await self.take(checked))[0]

    async def readmit(self, text: str, server: str) -> None:
        """`check` and `take` of somebody whom we knew, until their own server or the calendar ended it.

        Nobody new comes in this way, and nobody whom we ended ourselves. Raises also Refused (`not_known`).
        """
        user = self._open(text, server).user
        if await self._abroad.remote(user) is None and await self._abroad.dropped(user) not in {REVOKED, ENDED}:
            raise Refused(NOT_KNOWN)
        await self.take(await self.check(text, server))

    async def drop(self, users: Iterable[UserId], why: str, *, leave: bool, revoked_at: datetime | None = None) -> None:
        """Admit these no longer; with `leave`, they must also leave our rooms.

        A revocation (`revoked_at`) is remembered also of whoever could be under way to us: for the first time, or back.
        """
        known = [
            user
            for user in users
            if await self._abroad.remote(user) is not None
            or (revoked_at is not None and (self._exchanges[server_of(user)] or await self._abroad.dropped(user)))
        ]
        if not known:
            return
        if await self._abroad.drop(known, self._clock.now(), why, leave=leave, revoked_at=revoked_at):
            for user in known:
                self._journal.note("remote.drop", actor=user, reason=why)
            log_event(log, "federation.dropped", count=len(known), reason=why)
        # Also when nothing was dropped: the publication before may have been cut short.
        await self._publish()

    # ours

    async def attested(self, user: UserId) -> Attestation | None:
        """One of ours, as far as other servers are concerned: a professional, valid now."""
        held = await self._people.attestation_of(user)
        fit = held is not None and held.kind is Kind.PROFESSIONAL and held.is_valid(self._clock.now())
        return held if fit else None

    async def present(self, user: UserId, server: str) -> str:
        """A passport of ours for that server, which will hear of a revocation. Raises Refused (`not_attested`).

        Whoever is frozen is presented only where they are known already.
        """
        held = await self.attested(user)
        now = self._clock.now()
        if held is None or (held.frozen and not await self._own.was_given(user, server)):
            raise Refused(NOT_ATTESTED)
        person = self._directory.by_rpps(held.rpps)
        # Missing from our directory for a while (see `policy.presence`): under the name it gave them last.
        name = person.full_name if person is not None else held.person
        activities = person.activities if person is not None else ()
        passport = Passport(
            user=user,
            rpps=held.rpps,
            name=name,
            professions=tuple(dict.fromkeys(a.profession_code for a in activities)),
            method=held.method.value,
            kind=held.kind.value,
            issued_at=now,
            valid_until=min(held.valid_until, now + LIFE),
            frozen=held.frozen,
        )
        await self._own.give(user, server, passport.valid_until)
        return sign_passport(self._us, passport)
