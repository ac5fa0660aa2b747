"""Says once, in each conversation whose correspondent has an account here, that they can be brought in."""

from __future__ import annotations

import contextlib
import logging

from colloque import logs
from colloque.clock import monotonic
from colloque.errors import HomeRefused, NotFound, Temporary
from colloque.identity import digest
from colloque.matrix.home import Home, text
from colloque_mssante.people.neighbours import Neighbours
from colloque_mssante.store.guests import Guests
from colloque_mssante.texts import guests as texts

_LOOK_S = 10.0

logger = logging.getLogger(__name__)


class Hints:
    """One instance a process; `once` is called again and again."""

    def __init__(self, home: Home, guests: Guests, neighbours: Neighbours) -> None:
        self._home = home
        self._guests = guests
        self._neighbours = neighbours
        self._next_at = 0.0

    async def once(self) -> None:
        """One pass, now and then. What fails is tried again at the next."""
        if monotonic() < self._next_at:
            return
        self._next_at = monotonic() + _LOOK_S
        try:
            for room, owner, who in await self._guests.to_hint(self._neighbours.keys()):
                found = self._neighbours.account(who)
                if found is None or found.account.user == owner:
                    continue
                words = texts.hint(found.person.full_name)
                with contextlib.suppress(HomeRefused):  # the room is gone
                    await self._home.send(room, text(words, notice=True), txn=digest(f"{room} hint"))
                await self._guests.hinted(room)
        except (Temporary, NotFound) as error:  # NotFound: the directory was not imported yet
            logs.event(logger, "hint.deferred", code=error.code)
