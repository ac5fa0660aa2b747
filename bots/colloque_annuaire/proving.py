"""The ways in which people prove who they are, wired: what `app` needs to know of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from colloque.book import read_secret
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.identity import MssanteAddress
from colloque.sockets import Client
from colloque_annuaire.attesting import Attesting, Others, Validity
from colloque_annuaire.flow import Enrolment, Rules
from colloque_annuaire.homes import Homes
from colloque_annuaire.publish import Publication
from colloque_annuaire.second_accounts import SecondAccounts
from colloque_annuaire.store import People
from colloque_annuaire.store_ending import Endings
from colloque_annuaire.store_proofs import Proofs


class BridgeMailer:
    """The bridge's outbox, over its socket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        """Queue a mail; idempotent by `key`."""
        await self._client.call("send", key=key, to=to.value, subject=subject, text=text)


@dataclass(frozen=True, slots=True)
class Proving:
    """Everything that leads to an attestation."""

    attesting: Attesting
    enrolment: Enrolment
    mailer: BridgeMailer

    async def settle(self) -> None:
        """At start: what a crash left open."""
        await self.attesting.settle()
        await self.enrolment.settle()


def open_proving(
    *, config: Config, parts: Parts, people: People, directory: Directory, publication: Publication
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
    enrolment = Enrolment(
        people=people,
        directory=directory,
        mailer=mailer,
        attesting=attesting,
        journal=parts.journal,
        clock=parts.clock,
        rules=Rules(
            code_life=timedelta(seconds=own.code_s), tries=own.code_tries, per_day=own.codes_per_day, ages=own.ages
        ),
        secret=read_secret(config.secrets.identity),
    )
    return Proving(attesting, enrolment, mailer)


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
