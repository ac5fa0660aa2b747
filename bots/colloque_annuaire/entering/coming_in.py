"""Accounts, one-time passwords and the page that gives them, wired: what `app` needs to know of them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from colloque.book import read_secret
from colloque.bot_service import Parts
from colloque.clock import Clock
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.errors import Refused
from colloque.identity import UserId
from colloque.psc.http_provider import Provider
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.entering.entry import Entry, PscLogin
from colloque_annuaire.entering.entry_codes import EntryCodes
from colloque_annuaire.entering.http_entry import EntryPages
from colloque_annuaire.proving.proving import Proving
from colloque_annuaire.store.entry import Links, Passes
from colloque_annuaire.store.entry_sessions import Visits
from colloque_annuaire.store.people import People

NO_PAGE = "entry.off"
"""Reason: links and passwords lead nowhere, for no page is configured (`annuaire.entry`)."""


@dataclass(frozen=True, slots=True)
class ComingIn:
    """What others make accounts and links with."""

    accounts: Accounts
    links: Links
    passes: Passes
    visits: Visits
    clock: Clock
    url: str
    """Of the page; empty when there is none."""

    async def link(self, user: UserId, life: timedelta) -> str:
        """A link that gives one password for that account, once. Raises Refused (`entry.off`)."""
        if not self.url:
            raise Refused(NO_PAGE)
        return f"{self.url}/entrer/lien?l={await self.links.make(user, self.clock.now(), life)}"

    async def tidy(self) -> None:
        """Forget browsers that came no further."""
        await self.visits.forget_old(self.clock.now())


def open_accounts(config: Config, parts: Parts, people: People, passes: Passes) -> ComingIn:
    """On the service's parts."""
    accounts = Accounts(
        db=parts.db,
        people=people,
        server=parts.admin,
        journal=parts.journal,
        server_name=config.homeserver.server_name,
    )
    own = config.annuaire.entry
    url = own.url.rstrip("/") if own is not None else ""
    return ComingIn(accounts, Links(parts.db), passes, Visits(parts.db), parts.clock, url)


async def open_entry(
    stack: AsyncExitStack,
    *,
    config: Config,
    parts: Parts,
    people: People,
    directory: Directory,
    proving: Proving,
    coming_in: ComingIn,
    homes: Homes,
) -> None:
    """Serve the page, when there is one, until `stack` is closed. Raises Temporary when its address is taken."""
    own = config.annuaire
    if own.entry is None:
        return
    secret = read_secret(config.secrets.identity)
    psc: PscLogin | None = None
    forms_lead: tuple[str, ...] = ()
    if own.psc is not None:
        provider = Provider(parts.session, own.psc, parts.clock, test=config.test)
        psc = PscLogin(provider, own.psc.issuer, f"{coming_in.url}/entrer/retour")
        # The login page is on another host than the rest: a login may pass by both.
        forms_lead = tuple(_origin(url) for url in (own.psc.authorization, own.psc.issuer))
    entry = Entry(
        visits=coming_in.visits,
        people=people,
        directory=directory,
        attesting=proving.attesting,
        accounts=coming_in.accounts,
        passes=coming_in.passes,
        links=coming_in.links,
        codes=EntryCodes(
            visits=coming_in.visits,
            people=people,
            mailer=proving.mailer,
            journal=parts.journal,
            clock=parts.clock,
            rules=proving.rules,
            secret=secret,
            server_name=config.homeserver.server_name,
        ),
        home=parts.home,
        homes=homes,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
        ages=own.ages,
        psc=psc,
    )
    pages = EntryPages(
        entry=entry,
        config=own.entry,
        rules=proving.rules,
        directory=directory,
        secret=secret,
        psc_origins=forms_lead,
        test=config.test,
    )
    await pages.serve(stack)


def _origin(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))
