"""Whoever has a conversation of two with somebody whose access has ended is told that nobody reads it any more."""

from __future__ import annotations

import logging

from colloque.book import AttestationBook
from colloque.errors import HomeRefused
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.texts import ending as texts

log = logging.getLogger(__name__)


class Partners:
    """Only of this server, and of the conversations that it made: the others' own server tells them."""

    def __init__(self, *, endings: Endings, book: AttestationBook, home: Home, homes: Homes) -> None:
        self._endings = endings
        self._book = book
        self._home = home
        self._homes = homes

    async def tell(self, user: UserId, ref: str) -> None:
        """Once for each `ref`, which stands for the end. Raises HomeUnavailable."""
        self._book.refresh()
        # What has ended is published as ended for a while, name included.
        held = self._book.state.by_user.get(user)
        said = texts.partner_ended(held.person if held is not None else "")
        for partner in await self._endings.partners(user):
            if not self._homes.is_person(partner):
                continue
            try:
                room = await self._homes.ensure(partner)
                await self._home.send(room, text(said), txn=f"partner-{digest(f'{user} {partner} {ref}')}")
            except HomeRefused as error:
                log_event(log, "partner.not_told", level=logging.WARNING, code=error.errcode)
