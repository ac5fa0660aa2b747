"""The ways in which people prove who they are, wired: what `app` needs to know of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from colloque.book import read_secret
from colloque.bot import Reply
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.identity import EventId, Rpps, UserId
from colloque.mailer import BridgeMailer
from colloque.matrix.home import Incoming, without_quote
from colloque.psc.http_provider import Provider
from colloque.sockets import Client
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.proving.attesting import Attesting, Others, Validity
from colloque_annuaire.proving.ciba import CibaEnrolment
from colloque_annuaire.proving.flow import Enrolment, Rules
from colloque_annuaire.proving.second_accounts import SecondAccounts
from colloque_annuaire.store.ciba import Questions
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proofs


@dataclass(frozen=True, slots=True)
class Proving:
    """Everything that leads to an attestation."""

    attesting: Attesting
    enrolment: Enrolment
    mailer: BridgeMailer
    rules: Rules
    """The limits of codes."""
    ciba: CibaEnrolment | None
    """None where Pro Santé Connect is not asked from the chat."""

    async def settle(self) -> None:
        """At start: what a crash left open."""
        await self.attesting.settle()
        await self.enrolment.settle()
        if self.ciba is not None:
            await self.ciba.settle()

    async def ask(self, user: UserId, rpps: Rpps, event: EventId, choice: int | None, *, by_mail: bool) -> str:
        """`!inscription`: on the phone where that can be done, unless a code by mail is wanted. The answer to show."""
        if self.ciba is None or by_mail:
            return await self.enrolment.ask(user, rpps, event, choice)
        return await self.ciba.ask(user, rpps, event)

    async def answers(self, message: Incoming, reply: Reply) -> bool:
        """A text that is no command: True when it was the number of an exercise that was asked for."""
        typed = without_quote(message.body).strip()
        if not (typed.isascii() and typed.isdecimal() and len(typed) <= 2):
            return False
        said = await self.attesting.choose(message.sender, int(typed))
        if said is None:
            return False
        await reply(said)
        return True

    async def tidy(self) -> None:
        """Forget what nobody settled."""
        await self.attesting.tidy()
        if self.ciba is not None:
            await self.ciba.forget_old()


def open_proving(
    *, config: Config, parts: Parts, people: People, directory: Directory, publication: Publication, homes: Homes
) -> Proving:
    """All of them, on the service's parts."""
    own = config.annuaire
    attesting = Attesting(
        people=people,
        proofs=Proofs(parts.db),
        directory=directory,
        publication=publication,
        journal=parts.journal,
        clock=parts.clock,
        ages=own.ages,
        validity=Validity(timedelta(days=own.attestation_days), timedelta(days=own.vouched_days)),
        barred=Endings(parts.db).barred,
    )
    mailer = BridgeMailer(Client(config.socket("mssante"), "annuaire"))
    rules = Rules(
        code_life=timedelta(seconds=own.code_s), tries=own.code_tries, per_day=own.codes_per_day, ages=own.ages
    )
    enrolment = Enrolment(
        people=people,
        directory=directory,
        mailer=mailer,
        attesting=attesting,
        journal=parts.journal,
        clock=parts.clock,
        rules=rules,
        secret=read_secret(config.secrets.identity),
    )
    ciba = None
    if own.psc is not None and own.psc.ciba is not None:
        ciba = CibaEnrolment(
            provider=Provider(parts.session, own.psc, parts.clock, test=config.test),
            questions=Questions(parts.db),
            attesting=attesting,
            people=people,
            directory=directory,
            home=parts.home,
            homes=homes,
            incidents=parts.incidents,
            journal=parts.journal,
            clock=parts.clock,
            ages=own.ages,
            per_day=own.codes_per_day,
        )
    return Proving(attesting, enrolment, mailer, rules, ciba)


async def ask_others(
    proving: Proving, others: Others, *, parts: Parts, people: People, publication: Publication, homes: Homes
) -> Callable[[], Awaitable[None]]:
    """From now on other servers are asked whether they have the same person; the round that asks again."""
    proving.attesting.connect(others)
    second = SecondAccounts(
        people=people,
        proofs=Proofs(parts.db),
        others=others,
        publication=publication,
        home=parts.home,
        homes=homes,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
    )
    await second.settle()
    return second.run_once
