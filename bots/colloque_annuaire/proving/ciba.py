"""Enrolment by the e-CPS phone, asked for in the chat: a question with two digits, polled until somebody answered.

Everything is written down before it happens, so that a restart goes on polling the same question. One answer can be
lost: Pro Santé Connect gives it once, and a kill in the instant before it is kept ends the question; the person is
told that it is no longer valid, and asks again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import timedelta

from colloque.attestation import Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Directory
from colloque.errors import ColloqueError, HomeRefused, Refused, Temporary
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.psc import claims
from colloque.psc.authorize import Pending
from colloque.psc.http_provider import Provider
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.proving.attesting import ANSWER_WITHIN, Attesting
from colloque_annuaire.rules.enrol import Ask, No, may_send_code
from colloque_annuaire.store.ciba import Question, Questions, Stage
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proof
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import presence as texts_presence
from colloque_annuaire.texts import psc as texts_psc

log = logging.getLogger(__name__)

POLL_S = 1.0
"""Between two calls of `run_once`; each question has its own interval besides."""
SLOWEST_S = 60.0
LATE = timedelta(minutes=2)
"""How long after its end a question is still polled while Pro Santé Connect is away: an approval may wait there."""
KEEP = timedelta(days=2)
ACT = "person.ciba"
INCIDENT = "psc.trouble"
_AT_ONCE = 8


class CibaEnrolment:
    """One instance a service."""

    def __init__(
        self,
        *,
        provider: Provider,
        questions: Questions,
        attesting: Attesting,
        people: People,
        directory: Directory,
        home: Home,
        homes: Homes,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        ages: AgeRules,
        per_day: int,
    ) -> None:
        """`per_day`: proofs that may be asked for in 24 h, codes counted too, by one account and about one number."""
        self._provider = provider
        self._questions = questions
        self._attesting = attesting
        self._people = people
        self._directory = directory
        self._home = home
        self._homes = homes
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._ages = ages
        self._per_day = per_day
        self._lock = asyncio.Lock()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, user: UserId, rpps: Rpps, event: EventId) -> str:
        """Put the question on the professional's phone. Returns the answer to show; safe to repeat by `event`.

        What comes of it is told in the person's home room.
        """
        async with self._lock:
            question = await self._questions.get(event)
            if question is None:
                if (said := await self._hindrance(user, rpps)) is not None:
                    return said
                binding = f"{secrets.randbelow(100):02d}"
                question = await self._questions.add(event, user, rpps, binding, self._clock.now())
            if question.stage is Stage.STARTING:
                return await self._start(question)
            if question.stage is Stage.OPEN:
                return texts_psc.asked(question.binding, _life(question.expires_at - question.made_at), question.rpps)
            return texts_psc.ENDED

    async def _hindrance(self, user: UserId, rpps: Rpps) -> str | None:
        """Why nobody is asked: the rules for a code, but for the mailbox. None when somebody is."""
        now = self._clock.now()
        fresh = self._directory.freshness()
        if fresh.age(now, self._ages) is Age.STALE:
            return texts_presence.stale(fresh.made_at)
        since = now - timedelta(days=1)
        codes = await self._people.codes_since(since, user=user, rpps=rpps)
        asked = await self._questions.asked_since(since, user=user, rpps=rpps)
        by_user, by_rpps = codes[0] + asked[0], codes[1] + asked[1]
        person = self._directory.by_rpps(rpps)
        ask = Ask(
            user=user,
            rpps=rpps,
            person=person,
            held=await self._people.attestation_of(user),
            holder=await self._people.holder_of(rpps),
            codes_of_user=by_user,
            codes_of_rpps=by_rpps,
            choice=None,
            barred=await self._attesting.is_barred(user, rpps),
        )
        verdict = may_send_code(ask, per_day=self._per_day, now=now)
        if not isinstance(verdict, No) or verdict in {No.NO_MAILBOX, No.CHOOSE}:
            if max(by_user, by_rpps) < self._per_day:
                return None
            verdict = No.TOO_MANY
        self._journal.note("person.ciba_refused", actor=user, reason=verdict.value)
        return texts_psc.TOO_MANY if verdict is No.TOO_MANY else texts.refusal(verdict, person=person)

    async def _start(self, question: Question) -> str:
        act = self._journal.begin(ACT, actor=question.user, ref=digest(question.event), rpps=question.rpps.value)
        try:
            pending = await self._provider.start(question.rpps, question.binding)
        except Refused as no:
            # Counts: who tries numbers is stopped at the same number of tries.
            await self._questions.done(question.event)
            self._journal.end(act, "refused", reason=no.reason)
            return texts_psc.refused(no.reason)
        except Temporary:
            await self._questions.drop(question.event)
            self._journal.end(act, "unavailable")
            return texts_psc.UNAVAILABLE
        except ColloqueError as error:
            await self._questions.drop(question.event)
            await self._trouble(error)
            self._journal.end(act, "failed", code=error.code)
            return texts_psc.OUT_OF_ORDER
        now = self._clock.now()
        await self._questions.opened(question.event, pending, now + timedelta(seconds=pending.interval_s))
        self._journal.end(act, "asked")
        await self._incidents.close(INCIDENT)
        return texts_psc.asked(question.binding, _life(pending.expires_at - now), question.rpps)

    async def settle(self) -> None:
        """At start: end the journal's open acts by what the table says. A question not yet asked is asked again when
        its message is handled again."""
        for intent in self._journal.open_intents():
            if intent.kind == ACT:
                self._journal.end(intent.act, "interrupted")

    async def run_once(self) -> None:
        """Do what is due: poll, settle what was approved, tell. What one question meets delays no other."""
        due = await self._questions.due(self._clock.now())
        # Each to its end, whatever happens to another: an answer is given once.
        for met in await asyncio.gather(*map(self._advance, due), return_exceptions=True):
            if met is not None:
                raise met

    async def forget_old(self) -> None:
        """Drop what no count needs any more."""
        await self._questions.forget_old(self._clock.now() - KEEP)

    async def _advance(self, question: Question) -> None:
        async with self._slots:
            try:
                if question.stage is Stage.OPEN and not await self._poll(question):
                    return
                kept = await self._questions.get(question.event)
                if kept is not None and kept.stage is not Stage.DONE:
                    await self._end(kept)
            except ColloqueError as error:
                await self._later(question, error)

    async def _poll(self, question: Question) -> bool:
        """True when it is over."""
        try:
            told = await self._provider.poll(question.pending)
        except Refused as no:
            return await self._refuse(question, no.reason)
        except Temporary:
            if self._clock.now() > question.expires_at + LATE:
                return await self._refuse(question, claims.No.EXPIRED)
            raise
        except ColloqueError as error:
            await self._trouble(error)
            return await self._refuse(question, claims.No.FAILED)
        if isinstance(told, Pending):
            next_at = self._clock.now() + timedelta(seconds=told.interval_s)
            await self._questions.later(question.event, next_at, told.interval_s)
            return False
        return await self._questions.answered(question.event, Stage.PROVED)

    async def _refuse(self, question: Question, reason: str) -> bool:
        self._journal.note("person.ciba_refused", actor=question.user, ref=digest(question.event), reason=reason)
        return await self._questions.answered(question.event, Stage.REFUSED, reason)

    async def _end(self, question: Question) -> None:
        """Attest or not, and tell. Raises what may work later."""
        if question.stage is Stage.REFUSED:
            said = texts_psc.refused(question.reason)
        elif self._clock.now() > question.expires_at + ANSWER_WITHIN and not await self._attesting.known(
            question.event
        ):
            # Could not be settled for so long that nobody expects it any more.
            said = texts_psc.refused(claims.No.GONE)
        else:
            said = await self._attesting.take(Proof(question.user, question.rpps, Method.CIBA, question.event))
        try:
            room = await self._homes.ensure(question.user)
            await self._home.send(room, text(said), txn=f"ciba-{digest(question.event)}")
        except HomeRefused as error:
            log_event(log, "ciba.not_told", level=logging.WARNING, code=error.errcode)
        await self._questions.done(question.event)

    async def _later(self, question: Question, error: ColloqueError) -> None:
        log_event(log, "ciba.later", level=logging.WARNING, code=error.code)
        asked = error.retry_after_s or 0.0 if isinstance(error, Temporary) else 0.0
        wait = min(max(question.interval_s * 2, POLL_S, asked), SLOWEST_S)
        await self._questions.later(question.event, self._clock.now() + timedelta(seconds=wait), question.interval_s)

    async def _trouble(self, error: ColloqueError) -> None:
        log_event(log, "ciba.trouble", level=logging.ERROR, code=error.code)
        await self._incidents.open(INCIDENT, texts_psc.TROUBLE)


def _life(life: timedelta) -> timedelta:
    """In whole minutes where there is at least one: nobody reads "119 secondes"."""
    minute = timedelta(minutes=1)
    return max(round(life / minute), 1) * minute if life >= minute else life
