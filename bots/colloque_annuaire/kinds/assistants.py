"""People who work under a named professional: invited, renewed and ended by them, and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from colloque.attestation import Attestation, Kind, Method
from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call, digits, fold
from colloque.errors import Refused
from colloque.identity import EventId, UserId, digest
from colloque.matrix.home import Incoming
from colloque.policy.admission import rights_of
from colloque.policy.ending import End
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.coming_in import ComingIn
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.store.assistants import Assistant, AssistantRows
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import assistants as texts

MOST = 10
"""People who may work under one professional at a time."""
LINK_LIFE = timedelta(hours=48)
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
        confirming: Confirming,
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
        self._confirming = confirming
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
        """`!assistant inviter Prénom Nom, secrétaire [oui]`."""
        sponsor = self._sponsor(message.sender)
        if sponsor is None:
            await reply(texts.NOT_A_SPONSOR)
            return
        known = await self._rows.by_event(message.event)
        if known is None:
            typed, yes = _without_yes(call)
            who, _, role = typed.partition(",")
            given_name, _, family_name = " ".join(who.split()).partition(" ")
            if not family_name or max(map(len, (given_name, family_name, role.strip()))) > _LONGEST:
                await reply(texts.WHO)
                return
            if await self._count(sponsor) >= MOST:
                await reply(texts.TOO_MANY)
                return
            wanted = " ".join(role.split()) or texts.ROLE
            if not yes:
                await self._confirming.ask(message.sender, f"assistant inviter {given_name} {family_name}, {wanted}")
                await reply(texts.confirm_invitation(given_name, family_name, wanted))
                return
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
        """`!assistant terminer N [oui]`."""
        chosen = await self._chosen(call, message, reply)
        if chosen is None or chosen.user is None:
            return
        if not _without_yes(call)[1]:
            await self._confirming.ask(message.sender, f"assistant terminer {chosen.n}")
            await reply(texts.confirm_end(chosen))
        else:
            await self._closing.end(chosen.user, End.SPONSOR)
            await reply(texts.over(chosen))

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
        sponsor, typed = self._sponsor(message.sender), digits(_without_yes(call)[0]) or ""
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
        await self._people.saw_account(user)
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


def _without_yes(call: Call) -> tuple[str, bool]:
    """What was typed before a last word that is "oui", and whether there is one. (No shorter yes: "O" is a name.)"""
    before, _, last = call.rest.rpartition(" ")
    return (before.rstrip(" ,"), True) if fold(last).strip(" .!") == "oui" else (call.rest, False)
