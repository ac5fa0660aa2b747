"""One account's enrolment by the e-CPS phone, over one side's real store, as after any number of restarts."""

from __future__ import annotations

from datetime import timedelta

import aiohttp

from colloque.attestation import Attestation
from colloque.directory.lookup import AgeRules
from colloque.identity import EventId
from colloque.psc.http_provider import Provider
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.proving.attesting import Attesting, Validity
from colloque_annuaire.proving.ciba import CibaEnrolment
from colloque_annuaire.store.ciba import Questions, Stage
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.proofs import Proofs
from tests.servers.annuaire import rpps
from tests.servers.psc import Psc
from tests.servers.sides import Sides

EVENT = EventId("$ask")


class Names:
    async def set_display_name(self, user: str, name: str) -> None:
        pass


class Chat:
    """On side A."""

    def __init__(self, sides: Sides, psc: Psc, http: aiohttp.ClientSession) -> None:
        self.sides, self.side, self.psc, self.http = sides, sides.a, psc, http
        self.user = self.side.user(1)

    @property
    def attesting(self) -> Attesting:
        side = self.side
        publication = Publication(
            people=side.people,
            names=Names(),
            clock=side.clock,
            path=side.folder / "snapshot",
            key=b"k" * 32,
            directory=side.directory,
        )
        return Attesting(
            people=side.people,
            proofs=Proofs(side.db),
            directory=side.directory,
            publication=publication,
            journal=side.journal,
            clock=side.clock,
            ages=AgeRules(),
            validity=Validity(timedelta(days=365), timedelta(days=90)),
            barred=Endings(side.db).barred,
        )

    @property
    def flow(self) -> CibaEnrolment:
        side = self.side
        return CibaEnrolment(
            provider=Provider(self.http, self.psc.config, side.clock, timeout_s=2.0, budget_s=0.5),
            questions=self.questions,
            attesting=self.attesting,
            people=side.people,
            directory=side.directory,
            home=side.rooms,  # type: ignore[arg-type]
            homes=side.rooms,  # type: ignore[arg-type]
            incidents=side.incidents,
            journal=side.journal,
            clock=side.clock,
            ages=AgeRules(),
            per_day=3,
        )

    @property
    def questions(self) -> Questions:
        return Questions(self.side.db)

    async def ask(self, n: int = 1, event: str = EVENT) -> str:
        return await self.flow.ask(self.user, rpps(n), EventId(event))

    async def look(self, seconds: float = 1.0) -> list[str]:
        """One turn, a while later; all that was told so far."""
        self.sides.clock.advance(seconds=seconds)
        await self.flow.run_once()
        return self.side.rooms.told(self.user)

    async def stage(self, event: str = EVENT) -> Stage | None:
        found = await self.questions.get(EventId(event))
        return found.stage if found is not None else None

    async def held(self) -> Attestation | None:
        return await self.side.people.attestation_of(self.user)

    async def restart(self) -> None:
        await self.side.stop()
        await self.side.start()
        await self.flow.settle()
