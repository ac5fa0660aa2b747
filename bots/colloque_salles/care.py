"""Patient rooms from their opening to their end: what is at work, what hears, what answers."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from colloque import texts
from colloque.bot import Handler, Reply
from colloque.errors import HomeRefused
from colloque.logs import reference
from colloque.matrix.home import Heard, Home, Incoming, text
from colloque.patience import patiently
from colloque_salles.archive.archiving import Archiving
from colloque_salles.archive.copying import Copying
from colloque_salles.archive.filing import Filing
from colloque_salles.archive.identifying import Identifying
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.living.consent import Consent
from colloque_salles.living.evicting import Evicting
from colloque_salles.living.expire import Sweep
from colloque_salles.living.leading import Leading
from colloque_salles.living.membership import Membership
from colloque_salles.living.prolonging import Prolonging
from colloque_salles.living.returning import Returning
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.opening.inviting import Inviting
from colloque_salles.opening.joining import Joining
from colloque_salles.opening.offering import Offering
from colloque_salles.opening.opening import Opening

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Care:
    """One instance a service."""

    home: Home
    table: Mapping[str, Handler]
    membership: Membership
    sweep: Sweep
    evicting: Evicting
    opening: Opening
    leading: Leading
    returning: Returning
    offering: Offering
    joining: Joining
    prolonging: Prolonging
    consent: Consent
    inviting: Inviting
    identifying: Identifying
    copying: Copying
    archiving: Archiving
    filing: Filing
    standing_in: StandingIn
    companions: Companions

    async def settle(self) -> None:
        """At start: what a crash left open."""
        await self.sweep.settle()
        await self.evicting.settle()
        await self.opening.settle()
        await self.leading.settle()

    @property
    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What is looked at again and again, by name."""
        return {
            "returning": self.returning.run_once,
            "doors": self.offering.once,
            "joining": self.joining.once,
            "copies": self.copying.once,
            "taps": self.filing.once,
        }

    async def tapped(self, heard: Heard) -> None:
        """A reaction in a home room. Waits for the homeserver, however long; whatever else fails is told."""
        for each in (self.offering.hear, self.joining.hear, self.filing.hear):
            try:
                await patiently(partial(each, heard), for_s=math.inf)
            except HomeRefused:  # they left their home room: nobody is left to be told
                continue
            except Exception:
                ref = reference()
                log.exception("tap.failed reference=%s", ref)
                with contextlib.suppress(HomeRefused):
                    told = partial(self.home.send, heard.room, text(texts.failed(ref)), txn=f"failed-{ref}")
                    await patiently(told, for_s=math.inf)

    async def listen(self, message: Incoming, reply: Reply) -> None:
        """What is no command in a patient room."""
        await self.prolonging.tapped(message, reply)
        await self.consent.tapped(message)
        await self.inviting.tapped(message, reply)
        await self.identifying.tapped(message, reply)
