"""Codes that the page `/entrer` mails: those of `!inscription`, with the same limits, for people without an account."""

from __future__ import annotations

import secrets
from datetime import timedelta

from colloque.clock import Clock
from colloque.errors import Refused
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.professional import Professional
from colloque.store.journal import Journal
from colloque_annuaire.proving.flow import Mailer, Rules
from colloque_annuaire.rules.enrol import Ask, No, code_for, judge_code, may_send_code
from colloque_annuaire.store.entry_sessions import Visits
from colloque_annuaire.store.people import Code, People
from colloque_annuaire.texts import entry as texts


class EntryCodes:
    """One instance a service. Visits are named by `visit_id` of the browser's cookie."""

    def __init__(
        self,
        *,
        visits: Visits,
        people: People,
        mailer: Mailer,
        journal: Journal,
        clock: Clock,
        rules: Rules,
        secret: bytes,
        server_name: str,
    ) -> None:
        self._visits = visits
        self._people = people
        self._mailer = mailer
        self._journal = journal
        self._clock = clock
        self._rules = rules
        self._secret = secret
        self._server_name = server_name

    async def send(self, visit: str, person: Professional, rpps: Rpps, choice: int | None) -> str:
        """Mail one; the address it went to. Raises Refused (a `No`), Temporary: then another is mailed if asked for."""
        now = self._clock.now()
        who = UserId(f"@entrer.{digest(visit)}:{self._server_name}")  # Nobody's account: the browser's own count.
        by_user, by_rpps = await self._people.codes_since(now - timedelta(days=1), user=who, rpps=rpps)
        ask = Ask(
            user=who,
            rpps=rpps,
            person=person,
            # What the person is here, or was, is theirs to know: asked once the code has come back.
            held=None,
            holder=None,
            codes_of_user=by_user,
            codes_of_rpps=by_rpps,
            choice=choice,
        )
        verdict = may_send_code(ask, per_day=self._rules.per_day, now=now)
        if isinstance(verdict, No):
            self._journal.note("person.code_refused", actor=who, reason=verdict.value)
            raise Refused(verdict)
        event = EventId(f"$entry-{secrets.token_hex(16)}")
        code = Code(event, who, rpps, verdict.address, now + self._rules.code_life, 0, "open")
        act = self._journal.begin("person.code", actor=who, ref=digest(event), rpps=rpps.value)
        await self._people.add_code(code, now)
        await self._visits.mailed(visit, event, now)
        await self._mailer.send(
            key=f"code-{digest(event)}",
            to=code.address,
            subject=texts.CODE_SUBJECT,
            text=texts.code_mail(self._right(code), person=person, life=self._rules.code_life),
        )
        self._journal.end(act, "queued")
        return str(code.address)

    async def check(self, visit: str, typed: str) -> Rpps:
        """Whose right code it is; used up only with what follows from it. Raises Refused (a `No`)."""
        now = self._clock.now()
        event = (await self._visits.of(visit, now)).code
        code = await self._people.code_asked_by(event) if event is not None else None
        if code is None:
            raise Refused(No.NO_CODE)
        problem = judge_code(
            typed=typed, right=self._right(code), state=code.state, expires_at=code.expires_at, now=now
        )
        if problem is None:
            return code.rpps
        self._journal.note("person.code_wrong", actor=code.user, reason=problem.value)
        if problem is No.WRONG and not await self._people.count_try(code.event, self._rules.tries):
            problem = No.DEAD
        raise Refused(problem)

    def _right(self, code: Code) -> str:
        return code_for(self._secret, code.event, code.rpps, code.address)
