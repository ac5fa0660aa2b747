"""Two verified colleagues vouch for somebody who can't receive a code. Every step can be run again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from colloque.attestation import Kind, Method
from colloque.book import AttestationBook
from colloque.bot import Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.config import Config
from colloque.directory.lookup import Age, Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound, Refused, Temporary
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, text
from colloque.policy.vouching import CLAIM_LIFE, NEEDED, WITHIN, may_vouch
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.proving.flow import Mailer
from colloque_annuaire.rules.enrol import Ask, No, may_prove_again, may_send_code
from colloque_annuaire.rules.results import mentioned, says_yes, whom
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proof
from colloque_annuaire.store.vouching import Claim, Stage, Vouch, Vouches
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import presence as texts_presence
from colloque_annuaire.texts import vouching as said
from colloque_annuaire.vouching.withdrawing import Withdrawing

CLAIM, VOUCH = "person.claim", "person.vouch"
KEEP = timedelta(days=400)
"""How long words are kept on which no attestation rests."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Around:
    """What vouching stands on."""

    config: Config
    people: People
    directory: Directory
    attesting: Attesting
    mailer: Mailer
    home: Home
    homes: Homes
    book: AttestationBook
    incidents: Incidents
    journal: Journal
    clock: Clock


class Vouching:
    """One instance a service; one claim or word at a time."""

    def __init__(self, around: Around, vouches: Vouches, confirming: Confirming) -> None:
        self._at = around
        self._vouches = vouches
        self._confirming = confirming
        self._withdrawing = Withdrawing(
            vouches=vouches, attesting=around.attesting, journal=around.journal, say=self._say
        )
        self._lock = asyncio.Lock()

    async def claim(self, user: UserId, rpps: Rpps, event: EventId) -> str:
        """`!inscription RPPS garants`, and whenever no code can be sent. Returns the answer to show.

        Raises Temporary: asked again, it goes on where it was.
        """
        async with self._lock:
            now = self._at.clock.now()
            kept = await self._vouches.claim_by(event) or await self._vouches.claim_of(user, now - CLAIM_LIFE)
            kept = await self._withdrawing.standing(kept) if kept is not None else None
            over = kept is not None and kept.stage in {Stage.DONE, Stage.REPLACED} and kept.ref != event
            if kept is None or kept.rpps != rpps or over:
                if (hindrance := await self.hindrance(user, rpps, user)) is not None:
                    return hindrance
                kept = Claim(event, user, rpps, now, Stage.NOTICE)
                act = self._at.journal.begin(CLAIM, actor=user, ref=digest(event), rpps=rpps.value)
                await self._vouches.put(kept)
                self._at.journal.end(act, "kept")
            if kept.stage in {Stage.READY, Stage.ASKED, Stage.TELL, Stage.DONE}:
                return await self._at.attesting.take(_proof(kept))
            await self._notify(kept)
            person = self._at.directory.by_rpps(rpps)
            missing = NEEDED - len(await self._vouches.of(kept.ref))
            return said.claimed(user, missing=missing, mailbox=bool(person and person.personal_mailboxes))

    async def hindrance(self, user: UserId, rpps: Rpps, actor: UserId) -> str | None:
        """Why nobody may vouch: the rules for a code, but for the mailbox. None when somebody may.

        `user`: the account, empty when there is none yet. `actor`: who asks.
        """
        now = self._at.clock.now()
        if self._stale(now):
            return texts_presence.stale(self._at.directory.freshness().made_at)
        person = self._at.directory.by_rpps(rpps)
        held = await self._at.people.attestation_of(user)
        ask = Ask(
            user=user,
            rpps=rpps,
            person=person,
            held=held,
            holder=await self._at.people.holder_of(rpps),
            codes_of_user=0,
            codes_of_rpps=0,
            choice=None,
            barred=await self._at.attesting.is_barred(user, rpps),
        )
        verdict = may_send_code(ask, per_day=1, now=now)
        if held is not None and held.kind is not Kind.PROFESSIONAL:
            verdict = No.OTHER_KIND
        if isinstance(verdict, No) and verdict not in {No.NO_MAILBOX, No.CHOOSE}:
            self._at.journal.note("person.claim_refused", actor=actor, reason=verdict.value)
            return texts.refusal(verdict, person=person)
        lately = await self._vouches.claims_since(now - timedelta(days=1), user=user, rpps=rpps)
        return said.TOO_MANY if lately >= self._at.config.annuaire.codes_per_day else None

    async def _notify(self, claim: Claim) -> Claim:
        """Tell every mailbox that the directory lists who says to be them; only then can anybody vouch."""
        if claim.stage is not Stage.NOTICE:
            return claim
        person = self._at.directory.by_rpps(claim.rpps)
        for n, box in enumerate(person.personal_mailboxes if person is not None else ()):
            try:
                await self._at.mailer.send(
                    key=f"claim-{digest(claim.ref)}-{n}",
                    to=box.address,
                    subject=said.CLAIM_SUBJECT,
                    text=said.claim_mail(claim.user, person) if person is not None else "",
                )
            except Refused as error:
                log_event(log, "claim.not_mailed", level=logging.WARNING, code=error.code)
        await self._vouches.go_on(claim, Stage.OPEN)
        return replace(claim, stage=Stage.OPEN)

    async def vouch(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!garant @account [oui]`."""
        named = whom(call.rest, test=self._at.config.test) if "@" in call.rest else None
        user = named if isinstance(named, str) else mentioned(message.content, self._at.config.bots)
        if user is None:
            await reply(said.WHO)
            return
        async with self._lock:
            answer = await self._vouch(UserId(user), message, yes=bool(call.words) and says_yes(call.words[-1]))
        await reply(answer)
        await self.run_once()

    async def word(self, user: UserId, message: Incoming) -> str:
        """The sender vouches for that account, and was asked before. The answer to show."""
        async with self._lock:
            return await self._vouch(user, message, yes=True)

    async def _vouch(self, user: UserId, message: Incoming, *, yes: bool) -> str:
        now, voucher = self._at.clock.now(), message.sender
        claim = await self._vouches.claim_of(user, now - CLAIM_LIFE)
        claim = await self._withdrawing.standing(claim) if claim is not None else None
        if claim is None or claim.stage is Stage.REPLACED:
            return said.NO_CLAIM
        claim = await self._notify(claim)
        given = await self._vouches.of(claim.ref)
        if any(each.voucher == voucher for each in given):
            return said.noted(max(0, NEEDED - len(given)))
        if claim.stage is not Stage.OPEN:
            return said.ALREADY_VERIFIED
        held = self._at.book.of(voucher, now)
        lately = await self._vouches.given_since(voucher, now - WITHIN, but=claim.ref)
        person = self._at.directory.by_rpps(claim.rpps)
        if held is None or person is None:
            return said.NOT_LISTED
        if (no := may_vouch(held, (claim.user, claim.rpps), lately)) is not None:
            self._at.journal.note("person.vouch_refused", actor=voucher, reason=no.value)
            return said.may_not(no)
        if not yes:
            await self._confirming.ask(voucher, f"garant {user}")
            return said.confirm(user, person)
        act = self._at.journal.begin(
            VOUCH, actor=voucher, ref=digest(f"{claim.ref} {voucher}"), rpps=claim.rpps.value, by=held.rpps.value
        )
        await self._vouches.vouch(Vouch(claim.ref, voucher, held.rpps, held.name, now))
        self._at.journal.end(act, "vouched")
        return said.noted(max(0, NEEDED - len(given) - 1))

    async def run_once(self) -> None:
        """Every step that can be done now, for every claim. Never raises Temporary: what waits is tried again."""
        async with self._lock:
            found = [*await self._vouches.under_way(), *await self._withdrawing.doubtful()]
            for claim in {each.ref: each for each in found}.values():
                try:
                    await self._go_on(claim)
                except (Temporary, NotFound, Inconsistent) as error:
                    log_event(log, "vouching.deferred", level=logging.WARNING, code=error.code, step=claim.stage.value)
            await self._report()

    async def standing(self, claim: Claim) -> Claim:
        """Where a claim stands today, without the words of people whose access was taken away. Raises Temporary."""
        async with self._lock:
            return await self._withdrawing.standing(claim)

    async def _go_on(self, claim: Claim) -> None:
        claim = await self._withdrawing.standing(claim)
        match claim.stage:
            case Stage.NOTICE:
                await self._notify(claim)
            case Stage.READY if await self._proved_otherwise(claim):
                await self._vouches.go_on(claim, Stage.DONE)
            case Stage.READY if not self._stale(self._at.clock.now()):
                answer = await self._at.attesting.take(_proof(claim))
                await self._say(claim.user, answer, f"vouched-{digest(claim.ref)}")
                await self._settle(claim, over=not await self._at.attesting.known(claim.ref))
            case Stage.ASKED:
                await self._settle(claim, over=False)
            case Stage.TELL:
                await self._tell(claim)

    async def _proved_otherwise(self, claim: Claim) -> bool:
        """They proved it in a stronger way meanwhile, which a word must not replace."""
        held = await self._at.people.attestation_of(claim.user)
        if held is None or await self._at.people.attested_by_event(claim.ref) is not None:
            return False
        return not may_prove_again(held, self._at.clock.now())

    async def _settle(self, claim: Claim, *, over: bool) -> None:
        """Whether the proof has become an attestation. `over`: it was refused, and the person told why."""
        attested = await self._at.people.attested_by_event(claim.ref) is not None
        step = Stage.DONE if over else Stage.TELL if attested else Stage.ASKED
        if step is claim.stage:
            return
        await self._vouches.go_on(claim, step)
        if step is Stage.TELL:
            await self._tell(replace(claim, stage=step))

    async def _tell(self, claim: Claim) -> None:
        held = await self._at.people.attested_by_event(claim.ref)
        given = await self._vouches.of(claim.ref)
        for each in given if held is not None else ():
            told = said.vouched(held.name, held.valid_until) if held is not None else ""
            await self._say(each.voucher, told, f"vouched-{digest(f'{claim.ref} {each.voucher}')}")
        numbers = {f"by_{n}": each.rpps.value for n, each in enumerate(given, 1)}
        self._at.journal.note("person.vouched", actor=claim.user, ref=digest(claim.ref), **numbers)
        await self._vouches.go_on(claim, Stage.DONE)

    async def _report(self) -> None:
        """Administrators learn of identities that rest on the word of somebody whose access was taken away."""
        for each in await self._vouches.in_doubt(self._at.clock.now()):
            key = f"vouch.{digest(f'{each.ref} {each.voucher}')}"
            await self._at.incidents.open(key, said.IN_DOUBT)
            await self._at.incidents.close(key)
            self._at.journal.note("person.vouch_in_doubt", actor=each.voucher, ref=digest(each.ref))
            await self._vouches.reported(each)

    async def _say(self, user: UserId, body: str, txn: str) -> None:
        try:
            await self._at.home.send(await self._at.homes.ensure(user), text(body), txn=txn)
        except HomeRefused as error:
            log_event(log, "vouching.not_told", level=logging.WARNING, code=error.errcode)

    def _stale(self, now: datetime) -> bool:
        return self._at.directory.freshness().age(now, self._at.config.annuaire.ages) is Age.STALE

    async def settle(self) -> None:
        """At start: what was interrupted is heard again, or goes on with the next round."""
        for intent in self._at.journal.open_intents():
            if intent.kind in {CLAIM, VOUCH}:
                self._at.journal.end(intent.act, "interrupted")

    async def tidy(self) -> None:
        """Forget claims that nobody vouched for, and old words."""
        now = self._at.clock.now()
        await self._vouches.forget_old(now - CLAIM_LIFE, now - KEEP)


def _proof(claim: Claim) -> Proof:
    return Proof(claim.user, claim.rpps, Method.VOUCHED, claim.ref)
