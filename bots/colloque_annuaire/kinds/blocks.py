"""`!bloquer` and `!debloquer`: personal blocks, which the homeserver's module enforces from the snapshot."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call
from colloque.identity import UserId, digest
from colloque.matrix.home import Incoming
from colloque.store.journal import Journal
from colloque_annuaire.accounts.naming import Naming
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.rules.unnamed import Unnamed
from colloque_annuaire.store.blocks import Blocks
from colloque_annuaire.texts import blocks as texts

MOST = 500
"""Accounts that one person may block."""
ACT = "person.block"


class Blocking:
    """One instance a service. The journal holds that somebody blocked, never whom."""

    def __init__(
        self,
        *,
        blocks: Blocks,
        naming: Naming,
        publication: Publication,
        book: AttestationBook,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._blocks = blocks
        self._naming = naming
        self._publication = publication
        self._book = book
        self._journal = journal
        self._clock = clock

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"bloquer": self.block, "debloquer": self.unblock}

    async def block(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!bloquer [N | @account | RPPS]`."""
        user = message.sender
        if not call.words:
            shown = [(other, self._name(other)) for other in await self._blocks.of(user)]
            for said in texts.listing(shown) if shown else [texts.NOBODY]:
                await reply(said)
            return
        other = await self._naming.account(call, message)
        if isinstance(other, Unnamed):
            await reply(texts.unnamed(other))
            return
        now = self._clock.now()
        held = self._book.of(user, now)
        sponsor = self._book.of_rpps(held.under, now) if held is not None and held.under is not None else None
        mine = await self._blocks.of(user)
        if other == user:
            await reply(texts.MYSELF)
        elif sponsor is not None and sponsor.user == other:
            await reply(texts.SPONSOR)
        elif other not in mine and len(mine) >= MOST:
            await reply(texts.full(MOST))
        else:
            act = self._journal.begin(ACT, actor=user, ref=digest(message.event))
            await self._blocks.add(user, other, now)
            await self._publication.snapshot()
            self._journal.end(act, "blocked")
            await reply(texts.blocked(other, self._name(other)))

    async def unblock(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!debloquer N | @account | RPPS`: accounts that are gone, too."""
        user = message.sender
        other = await self._naming.named(call, message)
        if other is Unnamed.NOTHING:
            await reply(texts.WHOM_TO_FREE)
        elif isinstance(other, Unnamed) or other not in await self._blocks.of(user):
            await reply(texts.NOT_BLOCKED)
        else:
            act = self._journal.begin(ACT, actor=user, ref=digest(message.event))
            await self._blocks.remove(user, other)
            await self._publication.snapshot()
            self._journal.end(act, "unblocked")
            await reply(texts.unblocked(other, self._name(other)))

    async def settle(self) -> None:
        """At start: an interrupted command is heard again; what it wrote is published with everything else."""
        for intent in self._journal.open_intents():
            if intent.kind == ACT:
                self._journal.end(intent.act, "interrupted")

    def _name(self, user: UserId) -> str:
        self._book.refresh()
        known = self._book.state.by_user.get(user)
        return known.name if known is not None else ""
