"""People who work under a named professional: invited, renewed and ended by them, and by nobody else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from colloque.attestation import Attestation, Kind, Method
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock, to_millis
from colloque.commands import Call, digits
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, Incoming, text
from colloque.policy.admission import rights_of
from colloque.policy.ending import End
from colloque.store.journal import Journal
from colloque_annuaire import texts_assistants as texts
from colloque_annuaire.coming_in import ComingIn
from colloque_annuaire.ending import Closing
from colloque_annuaire.homes import Homes
from colloque_annuaire.publish import Publication
from colloque_annuaire.store import People
from colloque_annuaire.store_assistants import Assistant, AssistantRows

log = logging.getLogger(__name__)

MOST = 10
"""People who may work under one professional at a time."""
LINK_LIFE = timedelta(hours=48)
ASKED = (14, 1)
"""How many days before the end the professional is asked."""
_LONGEST = 40
_ACT = "person.sponsor"


class Assistants:
    """One method a command."""

    def __init__(
        self,
        *,
        rows: AssistantRows,
        people: People,
        coming_in: ComingIn,
        closing: Closing,
        publication: Publication,
        book: AttestationBook,
        home: Home,
        homes: Homes,
        journal: Journal,
        clock: Clock,
        valid_for: timedelta,
    ) -> None:
        self._rows = rows
        self._people = people
        self._coming_in = coming_in
        self._closing = closing
        self._publication = publication
        self._book = book
        self._home = home
        self._homes = homes
        self._journal = journal
        self._clock = clock
        self._valid_for = valid_for

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {
            "assistants": self.list,
            "assistant inviter": self.invite,
            "assistant acces": self.access,
            "assistant prolonger": self.renew,
            "assistant terminer": self.end,
        }

    async def list(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!assistants`."""
        held = self._sponsor(message.sender)
        found = await self._rows.of(held.rpps) if held is not None else []
        known = [(each, await self._held(each)) for each in found]
        await reply(texts.listing(known, self._clock.now()) if known else texts.NOBODY)

    async def invite(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!assistant inviter Prénom Nom, secrétaire`."""
        sponsor = self._sponsor(message.sender)
        if sponsor is None:
            await reply(texts.NOT_A_SPONSOR)
            return
        known = await self._rows.by_event(message.event)
        if known is None:
            who, _, role = call.rest.partition(",")
            given_name, _, family_name = " ".join(who.split()).partition(" ")
            if not family_name or max(map(len, (given_name, family_name, role.strip()))) > _LONGEST:
                await reply(texts.WHO)
                return
            if await self._count(sponsor) >= MOST:
                await reply(texts.TOO_MANY)
                return
            wanted = " ".join(role.split()) or texts.ROLE
            known = await self._rows.add(message.event, sponsor.rpps, given_name, family_name, wanted)
        user = await self._make(known, sponsor)
        await reply(await self._with_link(user, known, fresh=True))

    async def access(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!assistant acces N`."""
        chosen = await self._chosen(call, message, reply)
        if chosen is not None:
            held = await self._held(chosen)
            if held is None or not held.is_valid(self._clock.now()):
                await reply(texts.ended(chosen))
            else:
                await reply(await self._with_link(held.user, chosen, fresh=False))

    async def renew(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!assistant prolonger N`."""
        chosen, sponsor = await self._chosen(call, message, reply), self._sponsor(message.sender)
        if chosen is None or chosen.user is None or sponsor is None:
            return
        if await self._closing.is_barred(chosen.user):
            await reply(texts.barred(chosen))
        else:
            held = await self._attest(chosen, chosen.user, sponsor, EventId(f"{message.event} {chosen.n}"))
            await reply(texts.renewed(chosen, held.valid_until))

    async def end(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!assistant terminer N`."""
        chosen = await self._chosen(call, message, reply)
        if chosen is not None and chosen.user is not None:
            await self._closing.end(chosen.user, End.SPONSOR)
            await reply(texts.over(chosen))

    async def run_once(self) -> None:
        """Professionals are asked in time whether somebody goes on. Raises HomeUnavailable."""
        now = self._clock.now()
        for each in await self._rows.all():
            held = await self._held(each)
            if held is None or not held.is_valid(now):
                continue
            left = held.valid_until - now
            days = min((d for d in ASKED if left <= timedelta(days=d)), default=None)
            last = each.asked_days if each.asked_until == held.valid_until else None
            if days is None or (last is not None and last <= days):
                continue
            await self._ask(each, held, days)
            await self._rows.asked(each, held.valid_until, days)

    async def settle(self) -> None:
        """At start: end the journal's open acts; an interrupted command is heard again."""
        for intent in self._journal.open_intents():
            if intent.kind == _ACT:
                self._journal.end(intent.act, "interrupted")

    def _sponsor(self, user: UserId) -> Attestation | None:
        """Whoever may answer for others: who may open a patient room."""
        held = self._book.of(user, self._clock.now())
        fit = held is not None and held.kind is Kind.PROFESSIONAL and not held.frozen
        return held if fit and held is not None and rights_of(held.professions, held.category).opens else None

    async def _count(self, sponsor: Attestation) -> int:
        now = self._clock.now()
        held = [await self._held(each) for each in await self._rows.of(sponsor.rpps)]
        return sum(each is not None and each.is_valid(now) for each in held)

    async def _held(self, assistant: Assistant) -> Attestation | None:
        return await self._people.attestation_of(assistant.user) if assistant.user is not None else None

    async def _chosen(self, call: Call, message: Incoming, reply: Reply) -> Assistant | None:
        """The one whose number was typed; told when there is none."""
        sponsor, typed = self._sponsor(message.sender), digits(" ".join(call.words)) or ""
        if sponsor is None:
            await reply(texts.NOT_A_SPONSOR)
            return None
        number = int(typed[:6]) if typed else 0
        found = next((each for each in await self._rows.of(sponsor.rpps) if each.n == number), None)
        if found is None or found.user is None:
            await reply(texts.WHICH)
            return None
        return found

    async def _make(self, assistant: Assistant, sponsor: Attestation) -> UserId:
        """Account and attestation; whatever was done before stays."""
        name = texts.name(assistant, sponsor)
        user = await self._coming_in.accounts.of(
            f"assistant {assistant.event}", assistant.given_name, assistant.family_name, name
        )
        await self._rows.made(assistant.event, user)
        if await self._people.attested_by_event(assistant.event) is None:
            await self._attest(assistant, user, sponsor, assistant.event)
        else:
            await self._publish(user)  # The command is heard again: a crash may have cut this short.
        return user

    async def _attest(self, assistant: Assistant, user: UserId, sponsor: Attestation, by: EventId) -> Attestation:
        now = self._clock.now()
        held = Attestation(
            user=user,
            rpps=sponsor.rpps,
            name=texts.name(assistant, sponsor),
            method=Method.SPONSORED,
            issued_at=now,
            valid_until=now + self._valid_for,
            kind=Kind.SUPERVISED,
            under=sponsor.rpps,
        )
        act = self._journal.begin(_ACT, actor=sponsor.user, ref=digest(user), rpps=sponsor.rpps.value)
        await self._people.attest(held, by)
        await self._publish(user)
        self._journal.end(act, "sponsored")
        return held

    async def _publish(self, user: UserId) -> None:
        await self._publication.snapshot()
        await self._publication.name(user)

    async def _with_link(self, user: UserId, assistant: Assistant, *, fresh: bool) -> str:
        try:
            link = await self._coming_in.link(user, LINK_LIFE)
        except Refused:
            return texts.without_page(assistant, user)
        return texts.invited(assistant, user, link, fresh=fresh)

    async def _ask(self, assistant: Assistant, held: Attestation, days: int) -> None:
        sponsor = await self._people.holder_of(assistant.under)
        if sponsor is None:
            return
        ref = digest(f"{assistant.event} {to_millis(held.valid_until)} {days}")
        try:
            room = await self._homes.ensure(sponsor)
            await self._home.send(room, text(texts.ends_soon(assistant, held.valid_until)), txn=f"assistant-{ref}")
        except HomeRefused as error:
            log_event(log, "assistant.not_told", level=logging.WARNING, code=error.errcode)
