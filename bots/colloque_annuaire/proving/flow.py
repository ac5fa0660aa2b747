"""Enrolment by a code that goes to the person's MSSanté mailbox: ask, mail, check. Every step can be run again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from colloque.attestation import Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Directory
from colloque.identity import EventId, MssanteAddress, Rpps, UserId, digest
from colloque.store.journal import Journal
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.rules.enrol import Ask, No, code_for, judge_code, may_send_code
from colloque_annuaire.store.people import Code, People
from colloque_annuaire.store.proofs import Proof
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import presence as texts_presence

Claim = Callable[[UserId, Rpps, EventId], Awaitable[str]]
"""Asks for colleagues who vouch (`vouching.Vouching.claim`): by account, number and event; the answer to show."""


class Mailer(Protocol):
    """The bridge's outbox, as this service sees it."""

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        """Durably queued on return; the same `key` is never queued twice. Raises Temporary, Refused."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The configured limits."""

    code_life: timedelta
    tries: int
    per_day: int
    ages: AgeRules
    """When the directory is too old to admit anybody on its word."""


class Enrolment:
    """One instance a service. One enrolment at a time: two accounts can't become the same professional."""

    def __init__(
        self,
        *,
        people: People,
        directory: Directory,
        mailer: Mailer,
        attesting: Attesting,
        journal: Journal,
        clock: Clock,
        rules: Rules,
        secret: bytes,
    ) -> None:
        self._people = people
        self._directory = directory
        self._mailer = mailer
        self._attesting = attesting
        self._journal = journal
        self._clock = clock
        self._rules = rules
        self._secret = secret
        self._claim: Claim | None = None
        self._lock = asyncio.Lock()

    def connect(self, claim: Claim) -> None:
        """From now on colleagues may vouch for whoever can't receive a code."""
        self._claim = claim

    async def claim(self, user: UserId, rpps: Rpps, event: EventId) -> str:
        """`!inscription RPPS garants`: ask for colleagues who vouch. Returns the answer to show."""
        return texts.refusal(No.NO_MAILBOX) if self._claim is None else await self._claim(user, rpps, event)

    async def ask(self, user: UserId, rpps: Rpps, event: EventId, choice: int | None) -> str:
        """`!inscription`: mail a code to the directory's mailbox. Returns the answer to show."""
        async with self._lock:
            return await self._ask(user, rpps, event, choice)

    async def answer(self, user: UserId, typed: str, event: EventId) -> str:
        """`!code`: attest when the digits are right. Returns the answer to show."""
        async with self._lock:
            return await self._answer(user, typed, event)

    async def _ask(self, user: UserId, rpps: Rpps, event: EventId, choice: int | None) -> str:
        done = await self._people.code_asked_by(event)
        if done is not None:
            await self._mail(done)
            return texts.code_sent(done.address, self._rules.code_life)
        now = self._clock.now()
        if (too_old := self._too_old()) is not None:
            return too_old
        by_user, by_rpps = await self._people.codes_since(now - timedelta(days=1), user=user, rpps=rpps)
        person = self._directory.by_rpps(rpps)
        verdict = may_send_code(
            Ask(
                user=user,
                rpps=rpps,
                person=person,
                held=await self._people.attestation_of(user),
                holder=await self._people.holder_of(rpps),
                codes_of_user=by_user,
                codes_of_rpps=by_rpps,
                choice=choice,
                barred=await self._attesting.is_barred(user, rpps),
            ),
            per_day=self._rules.per_day,
            now=now,
        )
        if isinstance(verdict, No):
            self._journal.note("person.code_refused", actor=user, reason=verdict.value)
            if verdict is No.NO_MAILBOX:
                return await self.claim(user, rpps, event)
            return texts.refusal(verdict, person=person)
        code = Code(event, user, rpps, verdict.address, now + self._rules.code_life, 0, "open")
        act = self._journal.begin("person.code", actor=user, ref=digest(event), rpps=rpps.value)
        await self._people.add_code(code, now)
        await self._mail(code)
        self._journal.end(act, "queued")
        return texts.code_sent(code.address, self._rules.code_life)

    def _too_old(self) -> str | None:
        """The answer while the directory is stale: nobody is admitted on its word. None when it is not."""
        fresh = self._directory.freshness()
        if fresh.age(self._clock.now(), self._rules.ages) is not Age.STALE:
            return None
        return texts_presence.stale(fresh.made_at)

    async def _mail(self, code: Code) -> None:
        person = self._directory.by_rpps(code.rpps)
        digits = code_for(self._secret, code.event, code.rpps, code.address)
        await self._mailer.send(
            key=f"code-{digest(code.event)}",
            to=code.address,
            subject=texts.CODE_SUBJECT,
            text=texts.code_mail(digits, user=code.user, person=person, life=self._rules.code_life),
        )

    async def _answer(self, user: UserId, typed: str, event: EventId) -> str:
        code = await self._people.newest_code(user)
        if code is None:
            return texts.refusal(No.NO_CODE)
        proof = Proof(user, code.rpps, Method.MAILBOX_CODE, event)
        if await self._attesting.known(event):
            return await self._attesting.take(proof)
        now = self._clock.now()
        if (too_old := self._too_old()) is not None:
            return too_old
        right = code_for(self._secret, code.event, code.rpps, code.address)
        problem = judge_code(typed=typed, right=right, state=code.state, expires_at=code.expires_at, now=now)
        if problem is None:
            return await self._attesting.take(proof, code.event)
        left = await self._people.count_try(code.event, self._rules.tries) if problem is No.WRONG else None
        self._journal.note("person.code_wrong", actor=user, reason=problem.value)
        return texts.refusal(problem, person=self._directory.by_rpps(code.rpps), tries_left=left)

    async def settle(self) -> None:
        """At start: end the journal's open acts."""
        for intent in self._journal.open_intents():
            if intent.kind == "person.code":
                # The code's row, if written, is mailed again when its command is answered again.
                self._journal.end(intent.act, "interrupted")
