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
from colloque_annuaire.accounts import Accounts
from colloque_annuaire.entry import Entry
from colloque_annuaire.homes import Homes
from colloque_annuaire.http_entry import EntryPages
from colloque_annuaire.proving import Proving
from colloque_annuaire.store import People
from colloque_annuaire.store_entry import Links, Passes

NO_PAGE = "entry.off"
"""Reason: links and passwords lead nowhere, for no page is configured (`annuaire.entry`)."""


@dataclass(frozen=True, slots=True)
class ComingIn:
    """What others make accounts and links with."""

    accounts: Accounts
    links: Links
    passes: Passes
    clock: Clock
    url: str
    """Of the page; empty when there is none."""

    async def link(self, user: UserId, life: timedelta) -> str:
        """A link that gives one password for that account, once. Raises Refused (`entry.off`)."""
        if not self.url:
            raise Refused(NO_PAGE)
        return f"{self.url}/entrer/lien?l={await self.links.make(user, self.clock.now(), life)}"


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
    return ComingIn(accounts, Links(parts.db), passes, parts.clock, own.url.rstrip("/") if own is not None else "")


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
    entry = Entry(
        people=people,
        directory=directory,
        attesting=proving.attesting,
        accounts=coming_in.accounts,
        passes=coming_in.passes,
        links=coming_in.links,
        mailer=proving.mailer,
        home=parts.home,
        homes=homes,
        clock=parts.clock,
        rules=proving.rules,
        secret=read_secret(config.secrets.identity),
        server_name=config.homeserver.server_name,
        provider=Provider(parts.session, own.psc, parts.clock, test=config.test) if own.psc is not None else None,
        issuer=own.psc.issuer if own.psc is not None else "",
        redirect_uri=f"{coming_in.url}/entrer/retour",
    )
    pages = EntryPages(
        entry=entry,
        config=own.entry,
        rules=proving.rules,
        directory=directory,
        psc_origin="{0.scheme}://{0.netloc}".format(urlsplit(own.psc.authorization)) if own.psc is not None else "",
        test=config.test,
    )
    await pages.serve(stack)
