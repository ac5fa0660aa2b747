"""Where every way of proving an identity ends: who the directory says it is, under which exercise, on one server only.

A proof is kept before anything follows from it, and settled with the attestation: whatever a crash interrupts goes on
when the same proof is taken again, when the person answers, or at the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from colloque.attestation import Attestation, Kind, Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Directory
from colloque.errors import ColloqueError, Temporary
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.policy.federation import Entry
from colloque.policy.professions import Trade
from colloque.professional import Professional
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.federation.accounts import Elsewhere
from colloque_annuaire.rules.enrol import No, exercises_of, judge_profession, settled
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proof, Proofs
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import presence as texts_presence
from colloque_annuaire.texts import proof as texts_proof

log = logging.getLogger(__name__)

ANSWER_WITHIN = timedelta(hours=1)
"""How long a proof waits for what the person must still say."""
ACT = "person.attest"


class Others(Protocol):
    """The other servers (`federation_accounts.Accounts`)."""

    async def elsewhere(self, rpps: Rpps, only: Collection[str] | None = None) -> Elsewhere:
        """Where the professional has an account, and who did not answer. Never raises."""
        ...

    async def move_here(self, user: UserId, peer: Entry) -> None:
        """Have the account there closed. Raises Temporary, Refused, BadInput."""
        ...


@dataclass(frozen=True, slots=True)
class Validity:
    """How long an attestation holds, by how it was proved."""

    usual: timedelta
    vouched: timedelta

    def of(self, method: Method) -> timedelta:
        """The one that counts."""
        return self.vouched if method is Method.VOUCHED else self.usual


class Attesting:
    """One instance a service. One proof at a time: two accounts can't become the same professional."""

    def __init__(
        self,
        *,
        people: People,
        proofs: Proofs,
        directory: Directory,
        publication: Publication,
        journal: Journal,
        clock: Clock,
        ages: AgeRules,
        validity: Validity,
        barred: Callable[[UserId, Rpps], Awaitable[bool]],
    ) -> None:
        """`barred`: whose access was taken away, and not given back: no proof of theirs counts."""
        self._people = people
        self._proofs = proofs
        self._directory = directory
        self._publication = publication
        self._journal = journal
        self._clock = clock
        self._ages = ages
        self._validity = validity
        self._barred = barred
        self._others: Others | None = None
        self._lock = asyncio.Lock()

    async def is_barred(self, user: UserId, rpps: Rpps) -> bool:
        """Whether no proof of theirs counts: asked before anybody is troubled with one."""
        return await self._barred(user, rpps)

    async def elsewhere(self, rpps: Rpps) -> list[str]:
        """The organisations on whose servers that professional has an account; asked before one is made here."""
        if self._others is None:
            return []
        return [peer.organisation for peer in (await self._others.elsewhere(rpps)).holders]

    def connect(self, others: Others) -> None:
        """From now on other servers are asked."""
        self._others = others

    async def take(self, proof: Proof, code: EventId | None = None) -> str:
        """Settle a proof, or ask what is missing. Returns the answer to show. `code`: the one-time code it used up.

        Raises Temporary: nothing is lost, the same proof may be taken again.
        """
        async with self._lock:
            done = await self._people.attested_by_event(proof.ref)
            if done is not None:
                await self._publish(proof.user)
                return texts.attested(done)
            kept = await self._proofs.by_ref(proof.ref)
            if kept is None:
                await self._proofs.put(proof, self._clock.now(), code)
            return await self._settle(kept or proof)

    async def known(self, ref: EventId) -> bool:
        """Whether that proof was taken already, settled or not."""
        return await self._people.attested_by_event(ref) is not None or await self._proofs.by_ref(ref) is not None

    async def withdraw(self, ref: EventId) -> bool:
        """What that proof rests on counts no more. False when it has become an attestation already."""
        async with self._lock:
            if await self._people.attested_by_event(ref) is not None:
                return False
            await self._proofs.drop_ref(ref)
            return True

    async def choose(self, user: UserId, n: int) -> str | None:
        """The person says under which exercise: the n-th that was listed. None when nothing was asked."""
        async with self._lock:
            proof = await self._proofs.of(user, self._clock.now() - ANSWER_WITHIN)
            person = self._directory.by_rpps(proof.rpps) if proof is not None else None
            if proof is None or person is None:
                return None
            offered = exercises_of(person)
            if not 1 <= n <= len(offered):
                return texts_proof.which_exercise(person, offered)
            chosen = replace(proof, trade=offered[n - 1])
            await self._proofs.narrow(chosen)
            return await self._settle(chosen)

    async def move(self, user: UserId) -> str | None:
        """The person wants the account on the other server closed. None when nothing was asked."""
        async with self._lock:
            proof = await self._proofs.of(user, self._clock.now() - ANSWER_WITHIN)
            if proof is None:
                return None
            moving = replace(proof, moving=True)
            await self._proofs.narrow(moving)
            return await self._settle(moving)

    async def _settle(self, proof: Proof) -> str:
        now = self._clock.now()
        fresh = self._directory.freshness()
        if fresh.age(now, self._ages) is Age.STALE:
            return texts_presence.stale(fresh.made_at)
        person = self._directory.by_rpps(proof.rpps)
        held = await self._people.attestation_of(proof.user)
        problem = await self._problem(proof, person, held)
        if problem is not None or person is None:
            self._journal.note("person.proof_refused", actor=proof.user, reason=(problem or No.UNKNOWN).value)
            await self._proofs.drop(proof.user)
            return texts.refusal(problem or No.UNKNOWN, person=person)
        offered = exercises_of(person)
        trade = settled(offered, proof.trade, _exercise(held))
        if trade is None:
            return texts_proof.which_exercise(person, offered)
        return await self._alone(proof, person, trade if len(offered) > 1 else None, now)

    async def _problem(self, proof: Proof, person: Professional | None, held: Attestation | None) -> No | None:
        if await self._barred(proof.user, proof.rpps):
            return No.BARRED
        if held is not None and held.rpps != proof.rpps:
            return No.OTHER_RPPS
        if held is not None and held.kind is not Kind.PROFESSIONAL:
            return No.OTHER_KIND
        if await self._people.holder_of(proof.rpps) not in {None, proof.user}:
            return No.TAKEN
        return No.UNKNOWN if person is None else judge_profession(person)

    async def _alone(self, proof: Proof, person: Professional, trade: Trade | None, now: datetime) -> str:
        """One professional, one account in the whole federation: the others are asked before anybody is attested."""
        others = self._others
        found = await others.elsewhere(proof.rpps) if others is not None else Elsewhere((), ())
        if found.holders and not proof.moving:
            return texts_proof.elsewhere([peer.organisation for peer in found.holders])
        attestation = await self._attest(proof, person, trade, now)
        said, silent = [texts.attested(attestation)], {peer.server for peer in found.silent}
        if others is not None:
            told, away = await _move_all(others, proof.user, found.holders)
            said, silent = said + told, silent | away
        await self._proofs.ask_later(proof.user, sorted(silent), moving=proof.moving)
        return "\n".join(said)

    async def _attest(self, proof: Proof, person: Professional, trade: Trade | None, now: datetime) -> Attestation:
        attestation = Attestation(
            user=proof.user,
            rpps=proof.rpps,
            name=person.display_name,
            method=proof.method,
            issued_at=now,
            valid_until=now + self._validity.of(proof.method),
            professions=(trade.code,) if trade else (),
            category=trade.category if trade else "",
        )
        act = self._journal.begin(ACT, actor=proof.user, ref=digest(proof.ref), rpps=proof.rpps.value)
        await self._people.attest(attestation, proof.ref)
        await self._publish(proof.user)
        self._journal.end(act, "attested", method=attestation.method.value)
        return attestation

    async def _publish(self, user: UserId) -> None:
        await self._publication.snapshot()
        await self._publication.name(user)

    async def settle(self) -> None:
        """At start: publish what the tables say, and end the journal's open acts by them."""
        await self._publication.snapshot()
        await self._publication.names()
        _, attestations = await self._people.all_attestations()
        attested = {a.user for a in attestations}
        for intent in self._journal.open_intents():
            if intent.kind == ACT:
                self._journal.end(intent.act, "attested" if intent.actor in attested else "not_done")
        log_event(log, "attesting.settled", attestations=len(attested))

    async def tidy(self) -> None:
        """Forget proofs that nobody settled."""
        await self._proofs.forget_old(self._clock.now() - ANSWER_WITHIN)


def _exercise(held: Attestation | None) -> Trade | None:
    return Trade(held.professions[0], held.category) if held is not None and held.professions else None


async def _move_all(others: Others, user: UserId, holders: Sequence[Entry]) -> tuple[list[str], set[str]]:
    """Have the accounts there closed: what to tell the person, and the servers that must be asked again.

    Until these answer the person has two accounts, and knows.
    """
    said: list[str] = []
    away: set[str] = set()
    for peer in holders:
        try:
            await others.move_here(user, peer)
        except Temporary:
            away.add(peer.server)
            said.append(texts_proof.move_waits(peer.organisation))
        except ColloqueError as error:
            log_event(log, "proof.move_refused", level=logging.WARNING, code=error.code)
            said.append(texts_proof.move_refused(peer.organisation))
        else:
            said.append(texts_proof.moved(peer.organisation))
    return said, away
