"""The kinds of people beyond the professional who proves themselves, and what people say of each other, wired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.matrix.home import Incoming
from colloque.rights import Rights
from colloque.sockets import Verb
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.naming import Naming
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.finding.desk import Desk
from colloque_annuaire.kinds.assistants import Assistants
from colloque_annuaire.kinds.assistants_told import AssistantsTold
from colloque_annuaire.kinds.blocks import Blocking
from colloque_annuaire.kinds.staff import Around as StaffAround
from colloque_annuaire.kinds.staff import Staff
from colloque_annuaire.life.life import Life
from colloque_annuaire.proving.proving import Proving
from colloque_annuaire.store.asking import Asking
from colloque_annuaire.store.assistants import AssistantRows
from colloque_annuaire.store.blocks import Blocks
from colloque_annuaire.store.people import People
from colloque_annuaire.store.staff import StaffRows
from colloque_annuaire.store.vouching import Vouches
from colloque_annuaire.vouching.introducing import Introducing
from colloque_annuaire.vouching.vouching import Around as VouchingAround
from colloque_annuaire.vouching.vouching import Vouching

Round = Callable[[], Awaitable[object]]

SOON_S = 5.0
TIDY_S = 60.0


@dataclass(frozen=True, slots=True)
class Kinds:
    """All of it."""

    blocking: Blocking
    vouching: Vouching
    introducing: Introducing
    staff: Staff
    assistants: Assistants
    told: AssistantsTold
    confirming: Confirming
    proving: Proving
    desk: Desk

    @property
    def commands(self) -> Mapping[str, Handler]:
        """Handlers by command name."""
        return {**self.blocking.table, **self.introducing.table, **self.staff.table, **self.assistants.table}

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """What the `colloque` command may ask."""
        return self.staff.verbs

    @property
    def rounds(self) -> Mapping[str, tuple[float, Round]]:
        """By task name: how often, in seconds, and what."""
        return {
            "vouching": (SOON_S, self.vouching.run_once),
            "assistants": (TIDY_S, self.told.run_once),
            "kinds": (TIDY_S, self.tidy),
        }

    async def answers(self, message: Incoming, reply: Reply) -> bool:
        """A text that is no command, in a home room: True when something had been asked that it settles."""
        for asked in (self.proving.answers, self.confirming.answers, self.desk.contacting.answers):
            if await asked(message, reply):
                return True
        return False

    async def settle(self) -> None:
        """At start: what a crash left open."""
        self.confirming.serve(self.commands)
        await self.blocking.settle()
        await self.vouching.settle()
        await self.staff.settle()
        await self.assistants.settle()

    async def tidy(self) -> None:
        """Forget what is over."""
        await self.confirming.tidy()
        await self.vouching.tidy()


def open_kinds(
    *,
    config: Config,
    parts: Parts,
    people: People,
    blocks: Blocks,
    directory: Directory,
    publication: Publication,
    book: AttestationBook,
    homes: Homes,
    proving: Proving,
    desk: Desk,
    life: Life,
    rights: Rights,
) -> Kinds:
    """On the service's parts. From now on whoever can't receive a code is vouched for."""
    confirming = Confirming(asking=Asking(parts.db), results=desk.results, book=book, clock=parts.clock)
    naming = Naming(
        config=config, directory=directory, results=desk.results, people=people, book=book, clock=parts.clock
    )
    blocking = Blocking(
        blocks=blocks,
        naming=naming,
        publication=publication,
        book=book,
        journal=parts.journal,
        clock=parts.clock,
    )
    around = VouchingAround(
        config=config,
        people=people,
        directory=directory,
        attesting=proving.attesting,
        mailer=proving.mailer,
        home=parts.home,
        homes=homes,
        book=book,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
    )
    vouches = Vouches(parts.db)
    vouching = Vouching(around, vouches, confirming)
    introducing = Introducing(
        around,
        vouching=vouching,
        vouches=vouches,
        confirming=confirming,
        coming_in=life.coming_in,
        results=desk.results,
    )
    proving.enrolment.connect(vouching.claim)
    staff = Staff(
        StaffAround(
            people=people,
            coming_in=life.coming_in,
            closing=life.closing,
            publication=publication,
            homes=homes,
            book=book,
            rights=rights,
            incidents=parts.incidents,
            journal=parts.journal,
            clock=parts.clock,
        ),
        StaffRows(parts.db),
    )
    rows = AssistantRows(parts.db)
    assistants = Assistants(
        rows=rows,
        people=people,
        coming_in=life.coming_in,
        closing=life.closing,
        publication=publication,
        book=book,
        confirming=confirming,
        journal=parts.journal,
        clock=parts.clock,
        valid_for=timedelta(days=config.annuaire.supervised_days),
    )
    told = AssistantsTold(rows=rows, people=people, home=parts.home, homes=homes, clock=parts.clock)
    return Kinds(blocking, vouching, introducing, staff, assistants, told, confirming, proving, desk)
