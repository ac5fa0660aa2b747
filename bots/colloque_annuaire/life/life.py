"""What happens to accounts over the years, wired: renewals, opposed cards, sessions, ends. What `app` needs of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from colloque.book import AttestationBook
from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.questions import TableDirectory
from colloque.matrix.crosssign import master_key
from colloque.rights import Rights
from colloque.sockets import Verb
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.partners import Partners
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.coming_in import ComingIn, open_accounts
from colloque_annuaire.entering.logins import Logins
from colloque_annuaire.federation.leaving import SallesRooms
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.life.opposed_cards import OpposedCards
from colloque_annuaire.life.renewing import Renewing
from colloque_annuaire.life.revoking import Revoking
from colloque_annuaire.life.sessions import Sessions
from colloque_annuaire.life.unused import Unused
from colloque_annuaire.proving.flow import Mailer
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry import Passes
from colloque_annuaire.store.people import People
from colloque_annuaire.store.renewing import Renewals
from colloque_annuaire.store.sessions import KnownSessions

Round = Callable[[], Awaitable[object]]

SOON_S = 1.0
LOOK_S = 5.0
TIDY_S = 60.0
RENEW_S = 3600.0
UNUSED_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Life:
    """All of it."""

    closing: Closing
    sessions: Sessions
    logins: Logins
    coming_in: ComingIn
    partners: Partners
    commands: Mapping[str, Handler]
    verbs: Mapping[str, Verb]
    """What the `colloque` command may ask."""
    rounds: Mapping[str, tuple[float, Round]]
    """By task name: how often, in seconds, and what."""

    async def settle(self) -> None:
        """At start: what a crash left open."""
        await self.sessions.settle()
        await self.closing.settle()
        await self.coming_in.accounts.settle()


def open_life(
    *,
    config: Config,
    parts: Parts,
    people: People,
    directory: TableDirectory,
    publication: Publication,
    homes: Homes,
    mailer: Mailer,
    book: AttestationBook,
    rights: Rights,
) -> Life:
    """On the service's parts."""
    endings, passes = Endings(parts.db), Passes(parts.db)
    partners = Partners(endings=endings, book=book, home=parts.home, homes=homes)
    closing = Closing(
        people=people,
        endings=endings,
        directory=directory,
        publication=publication,
        server=parts.admin,
        rooms=SallesRooms(config),
        partners=partners,
        home=parts.home,
        homes=homes,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
    )
    sessions = Sessions(
        known=KnownSessions(parts.db),
        server=parts.admin,
        masters=partial(master_key, parts.home.api),
        home=parts.home,
        homes=homes,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
        proved=passes.used_since,
    )
    cards = OpposedCards(
        db=parts.db,
        people=people,
        directory=directory,
        publication=publication,
        home=parts.home,
        homes=homes,
        journal=parts.journal,
        clock=parts.clock,
    )
    renewing = Renewing(people=people, renewals=Renewals(parts.db), home=parts.home, homes=homes, clock=parts.clock)
    unused = Unused(
        people=people,
        endings=endings,
        closing=closing,
        directory=directory,
        server=parts.admin,
        mailer=mailer,
        home=parts.home,
        homes=homes,
        clock=parts.clock,
        limit=timedelta(days=config.annuaire.inactive_days),
        administers=rights.administers,
    )
    coming_in = open_accounts(config, parts, people, passes)
    revoking = Revoking(closing=closing, people=people, homes=homes, journal=parts.journal)
    return Life(
        closing=closing,
        sessions=sessions,
        logins=Logins(
            passes=passes,
            people=people,
            endings=endings,
            directory=directory,
            journal=parts.journal,
            clock=parts.clock,
        ),
        coming_in=coming_in,
        partners=partners,
        commands={**sessions.table, **revoking.table},
        verbs=revoking.verbs,
        rounds={
            "endings": (SOON_S, closing.run_once),
            "sessions": (SOON_S, sessions.run_once),
            "cards": (LOOK_S, cards.run_once),
            "renewals": (RENEW_S, renewing.run_once),
            "unused": (UNUSED_S, unused.run_once),
            "visits": (TIDY_S, coming_in.tidy),
        },
    )
