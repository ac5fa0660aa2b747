"""`!contacter N`, and the "oui" that may follow: opens a room with somebody found, or says how to write to them."""

from __future__ import annotations

from datetime import datetime, timedelta

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.bot import Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.directory.lookup import AgeRules, Directory
from colloque.errors import NotFound, Refused
from colloque.identity import Adeli, EventId, Rpps, digest
from colloque.matrix.home import Incoming, without_quote
from colloque.policy.admission import Reason
from colloque.professional import Professional
from colloque.store.journal import Journal
from colloque.texts import NOT_ATTESTED
from colloque_annuaire.finding.direct import Direct
from colloque_annuaire.rules.results import Listed, Reach, Unopened, reach_of, result_and_yes, says_yes, today
from colloque_annuaire.store.results import Question, Results
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import contact as said
from colloque_annuaire.texts import finding as texts_finding

ANSWER_WITHIN = timedelta(minutes=10)
"""How long a "oui" counts as the answer to the question above it."""


class Contacting:
    """Nothing is done about somebody who has a homonym before the asker has confirmed."""

    def __init__(
        self,
        *,
        directory: Directory,
        ages: AgeRules,
        results: Results,
        direct: Direct,
        book: AttestationBook,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ages = ages
        self._results = results
        self._direct = direct
        self._book = book
        self._journal = journal
        self._clock = clock

    async def contact(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!contacter N [oui]`."""
        n, yes = result_and_yes(call.words)
        if n is None:
            await reply(said.WHICH_RESULT)
            return
        await self._results.drop_question(message.sender)
        await reply(await self._answer(n, message, confirmed=yes))

    async def answers(self, message: Incoming, reply: Reply) -> bool:
        """A text that is no command: True when it was the yes that we waited for."""
        now, user = self._clock.now(), message.sender
        if not says_yes(without_quote(message.body)) or self._book.of(user, now) is None:
            return False
        asked = await self._results.question(user)
        if asked is None or asked.day != today(now) or now - asked.at > ANSWER_WITHIN:
            return False
        await reply(await self._answer(asked.n, message, confirmed=True))
        return True

    async def _answer(self, n: int, message: Incoming, *, confirmed: bool) -> str:
        now, user = self._clock.now(), message.sender
        listed = await self._results.get(user, today(now), n)
        if listed is None:
            return texts_finding.no_result(n)
        try:
            fresh = self._directory.freshness()
            person = self._person(listed)
        except NotFound:
            return texts.DIRECTORY_EMPTY
        if person is None:
            return said.gone(fresh.made_at, fresh.age(now, self._ages))
        asker = self._book.of(user, now)
        if asker is None:
            return NOT_ATTESTED
        if asker.rpps == person.rpps:
            return said.MYSELF
        if listed.homonyms and not confirmed:
            await self._results.ask(user, Question(today(now), n, now))
            return said.confirm(n, person, listed.homonyms)
        return await self._write_to(n, person, asker, message.event, now)

    async def _write_to(self, n: int, person: Professional, asker: Attestation, event: EventId, now: datetime) -> str:
        other = self._book.of_rpps(person.rpps, now) if person.rpps is not None else None
        reach = reach_of(person, other)
        if other is not None:
            if (refused := self._refused(n, person, asker, other)) is not None:
                return refused
            return await self._open(n, person, asker, other, event)
        self._journal.note("person.contact", actor=asker.user, ref=digest(person.number.national), outcome=reach.value)
        return said.by_mail(n, person) if reach is Reach.MSSANTE else said.unreachable(n, person)

    def _refused(self, n: int, person: Professional, asker: Attestation, other: Attestation) -> str | None:
        """The answer when one of the two blocks the other. Whoever is blocked reads no more than that."""
        if self._book.refuses(other.user, asker.user):
            self._journal.note("person.contact", actor=asker.user, outcome=Reason.NOT_AVAILABLE.value)
            return said.not_available(n, person)
        return said.blocked_by_asker(other.user) if self._book.refuses(asker.user, other.user) else None

    async def _open(self, n: int, person: Professional, asker: Attestation, other: Attestation, event: EventId) -> str:
        number = digest(person.number.national)
        try:
            opened = await self._direct.open(asker, other, event)
        except Refused as error:
            self._journal.note("person.contact", actor=asker.user, ref=number, outcome=error.reason)
            return said.unopened(Unopened(error.reason))
        outcome = "opened" if opened.fresh else "existing"
        self._journal.note("person.contact", actor=asker.user, ref=number, outcome=outcome)
        link = said.link_to(opened.room)
        if opened.members.get(asker.user) == "invite":
            return said.to_accept(n, person, link)
        joined = opened.members.get(other.user) == "join"
        return said.opened(n, person, link, fresh=opened.fresh, joined=joined, keep=self._direct.keep)

    def _person(self, listed: Listed) -> Professional | None:
        match listed.number:
            case Rpps() as rpps:
                return self._directory.by_rpps(rpps)
            case Adeli() as adeli:
                return self._directory.by_adeli(adeli)
