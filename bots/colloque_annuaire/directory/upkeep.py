"""Keeping the directory and what was concluded from it up to date, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from colloque.bot import Reply
from colloque.bot_service import Parts
from colloque.commands import Call
from colloque.config import Config
from colloque.directory.fhir import Fhir
from colloque.directory.questions import TableDirectory
from colloque.matrix.home import Incoming
from colloque.policy.presence import Grace, State
from colloque.service import Service
from colloque.sockets import Verb
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.directory.freshness import Gauges, Watch
from colloque_annuaire.directory.importing import IMPORT_S, Importing, Where
from colloque_annuaire.directory.presence import Bars, Ends, Verification
from colloque_annuaire.store.people import People
from colloque_annuaire.store.presence import Presences, Stage
from colloque_annuaire.texts import presence as texts

LOOK_S = 5.0
"""Between two looks at which directory is in use."""


class Upkeep:
    """The directory's age, who is still in it, and imports."""

    slow: Mapping[str, float] = {"import": IMPORT_S}
    """Verbs that take longer than others."""

    def __init__(
        self,
        *,
        config: Config,
        parts: Parts,
        directory: TableDirectory,
        people: People,
        publication: Publication,
        homes: Homes,
        gauges: Gauges,
        end: Ends,
        bar_of: Bars,
    ) -> None:
        own = config.annuaire
        fhir = Fhir(parts.session, own.fhir, parts.clock, test=config.test) if own.fhir is not None else None
        self._gauges = gauges
        self._presences = Presences(parts.db)
        self.watch = Watch(
            directory=directory, incidents=parts.incidents, clock=parts.clock, ages=own.ages, gauges=gauges
        )
        self.verification = Verification(
            people=people,
            presences=self._presences,
            directory=directory,
            publication=publication,
            journal=parts.journal,
            incidents=parts.incidents,
            home=parts.home,
            homes=homes,
            clock=parts.clock,
            ages=own.ages,
            grace=Grace(own.freeze_days, own.grace_days),
            end=end,
            bar_of=bar_of,
            ask=partial(fhir.word, fresh=True) if fhir is not None else None,
        )
        self.importing = Importing(
            where=Where(own.directory, own.directory_cache, config.test),
            directory=directory,
            journal=parts.journal,
            incidents=parts.incidents,
        )

    @property
    def verbs(self) -> dict[str, Verb]:
        """What the `colloque` command may ask."""
        return {"import": self.importing.ask, "import_progress": self.importing.progress}

    async def settle(self) -> None:
        """At start: what a crash left open, and a first look at the directory's age."""
        await self.importing.settle()
        await self.verification.settle()
        await self.watch.look()

    def check(self, service: Service) -> None:
        """Add what health must know."""
        service.check("directory", self.watch.problem)
        service.check("whitelist", self.watch.whitelist_problem)

    async def look(self) -> None:
        """The directory's age, and everybody in it when it is new. Raises Temporary."""
        await self.watch.look()
        await self._count()
        await self.verification.run_once()
        await self._count()

    async def _count(self) -> None:
        kept = [k.presence.state for k in (await self._presences.all()).values()]
        for state in (State.DOUBTED, State.MISSING, State.GONE):
            self._gauges.presence.labels(state.value).set(kept.count(state))
        self._gauges.held.set(await self._held())

    async def _held(self) -> bool:
        found = await self._presences.verified()
        return found is not None and found[1] is Stage.HELD

    async def told(self) -> str:
        """What `!etat` says of all this; empty while there is no directory."""
        if self.watch.fresh is None or self.watch.age is None:
            return texts.NO_DIRECTORY
        kept = (await self._presences.all()).values()
        return texts.state(
            self.watch.fresh.made_at,
            self.watch.age,
            whitelist_until=self.watch.whitelist_until,
            missing=sum(k.presence.state is State.MISSING for k in kept),
            held=await self._held(),
        )

    async def confirm(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!annuaire confirmer` in the admin room."""
        held = await self.verification.confirm(message.sender)
        await reply(texts.CONFIRMED if held else texts.NOTHING_HELD)
