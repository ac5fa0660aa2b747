"""Servers that did not answer at an enrolment are asked later whether they have the same professional."""

from __future__ import annotations

import logging

from colloque.clock import Clock
from colloque.errors import ColloqueError, HomeRefused, Temporary
from colloque.identity import digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.policy.federation import Entry
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.proving.attesting import Others
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proofs, Unasked
from colloque_annuaire.texts import proof as texts

log = logging.getLogger(__name__)


class SecondAccounts:
    """Told before it is settled: a crash in between tells the same thing again under the same transaction."""

    def __init__(
        self,
        *,
        people: People,
        proofs: Proofs,
        others: Others,
        publication: Publication,
        home: Home,
        homes: Homes,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._people = people
        self._proofs = proofs
        self._others = others
        self._publication = publication
        self._home = home
        self._homes = homes
        self._incidents = incidents
        self._journal = journal
        self._clock = clock

    async def run_once(self) -> None:
        """Ask all that is still to be asked; who does not answer stays. Raises HomeUnavailable."""
        for question in await self._proofs.unasked():
            held = await self._people.attestation_of(question.user)
            if held is None or not held.is_valid(self._clock.now()):
                await self._proofs.asked(question)
                continue
            found = await self._others.elsewhere(held.rpps, only=[question.server])
            if found.silent:
                continue
            if not found.holders:
                # They have nobody, or are no longer of the federation.
                await self._proofs.asked(question)
            elif question.moving:
                await self._move(question, found.holders[0])
            else:
                await self._freeze(question, found.holders[0])

    async def _move(self, question: Unasked, peer: Entry) -> None:
        try:
            await self._others.move_here(question.user, peer)
        except Temporary:
            return
        except ColloqueError as error:
            log_event(log, "proof.move_refused", level=logging.WARNING, code=error.code)
            await self._tell(question, texts.move_refused(peer.organisation))
        else:
            await self._tell(question, texts.moved(peer.organisation))
        await self._proofs.asked(question)

    async def _freeze(self, question: Unasked, peer: Entry) -> None:
        key = f"account.twice.{digest(question.user)}"
        await self._incidents.open(key, texts.twice_admin(peer.organisation))
        await self._incidents.close(key)
        await self._tell(question, texts.twice(peer.organisation))
        act = self._journal.begin("person.freeze", actor=question.user, ref=digest(f"{question.user} {peer.server}"))
        await self._proofs.asked(question, freeze=True)
        await self._publication.snapshot()
        self._journal.end(act, "second_account")

    async def settle(self) -> None:
        """At start: end the journal's open acts; what was not done is asked again."""
        for intent in self._journal.open_intents():
            if intent.kind == "person.freeze":
                self._journal.end(intent.act, "interrupted")

    async def _tell(self, question: Unasked, said: str) -> None:
        try:
            room = await self._homes.ensure(question.user)
            await self._home.send(room, text(said), txn=f"twice-{digest(f'{question.user} {question.server}')}")
        except HomeRefused as error:
            log_event(log, "proof.not_told", level=logging.WARNING, code=error.errcode)
