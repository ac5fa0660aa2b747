"""`!garant`: by the account, a word for somebody who has one; by the number, an account for somebody who has none.

Whoever has neither mailbox nor card can't come in by themselves. A verified colleague has an account made for them, is
the first to vouch, and hands the link over; a second colleague vouches for that account as for any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.errors import Refused
from colloque.identity import EventId, Rpps, UserId
from colloque.matrix.home import Incoming
from colloque.policy.vouching import CLAIM_LIFE, WITHIN, may_vouch
from colloque_annuaire.entering.coming_in import ComingIn
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.rules.results import says_yes, today, whom
from colloque_annuaire.store.results import Results
from colloque_annuaire.store.vouching import INTRODUCED, Stage, Vouches
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import vouching as texts_vouching
from colloque_annuaire.vouching.vouching import Around, Vouching

LINK_LIFE = timedelta(hours=48)


class Introducing:
    """One instance a service."""

    def __init__(
        self,
        around: Around,
        *,
        vouching: Vouching,
        vouches: Vouches,
        confirming: Confirming,
        coming_in: ComingIn,
        results: Results,
    ) -> None:
        self._at = around
        self._vouching = vouching
        self._vouches = vouches
        self._confirming = confirming
        self._coming_in = coming_in
        self._results = results

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"garant": self.vouch}

    async def vouch(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!garant @account | RPPS | RESULT [oui]`."""
        yes = bool(call.words) and says_yes(call.words[-1])
        named = whom(" ".join(call.words[:-1] if yes else call.words), test=self._at.config.test)
        if isinstance(named, int):
            listed = await self._results.get(message.sender, today(self._at.clock.now()), named)
            named = listed.number if listed is not None else None
        if isinstance(named, Rpps):
            await reply(await self._introduce(named, message, yes=yes))
        else:
            await self._vouching.vouch(call, message, reply)

    async def _introduce(self, rpps: Rpps, message: Incoming, *, yes: bool) -> str:
        now, voucher = self._at.clock.now(), message.sender
        held, person = self._at.book.of(voucher, now), self._at.directory.by_rpps(rpps)
        if held is None or person is None:
            return texts.refusal(No.UNKNOWN)
        if await self._at.people.holder_of(rpps) is not None:
            return texts_vouching.HAS_ACCOUNT
        known = await self._vouches.introduced(rpps, now - CLAIM_LIFE)
        known = await self._vouching.standing(known) if known is not None else None
        if known is not None and known.stage is Stage.REPLACED:
            known = None  # An account that nobody else must be given.
        ref = known.ref if known is not None else EventId(INTRODUCED + message.event)
        given = await self._vouches.of(ref)
        mine = any(each.voucher == voucher for each in given)
        if given and not mine:
            return texts_vouching.ASK_FOR_THE_ACCOUNT
        lately = await self._vouches.given_since(voucher, now - WITHIN, but=ref)
        if (no := may_vouch(held, (UserId(""), rpps), lately)) is not None:
            self._at.journal.note("person.vouch_refused", actor=voucher, reason=no.value)
            return texts_vouching.may_not(no)
        if not mine and (hindrance := await self._vouching.hindrance(UserId(""), rpps, voucher)) is not None:
            return hindrance
        if not yes:
            await self._confirming.ask(voucher, f"garant {rpps}")
            return texts_vouching.confirm_introduction(person)
        # Nameless until it is verified: nobody must take it for the person's before. And of this claim alone: whoever
        # proves themselves otherwise, or is introduced again, gets an account in which nobody else can have a session.
        user = await self._coming_in.accounts.of(
            f"claim {ref}", person.given_name, person.family_name, texts_vouching.UNVERIFIED
        )
        await self._at.people.saw_account(user)
        await self._vouching.claim(user, rpps, ref)
        said = await self._vouching.word(user, message)
        try:
            link = await self._coming_in.link(user, LINK_LIFE)
        except Refused:
            return f"{said}\n{texts_vouching.without_page(user)}"
        return f"{said}\n{texts_vouching.hand_over(user, link)}"
