"""The page `/entrer` over HTTP on a real database, with mails and accounts written down: a fixture, `web`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pytest

from colloque.config_entry import EntryConfig
from colloque.directory.lookup import AgeRules
from colloque.files import free_port
from colloque.identity import MssanteAddress, UserId
from colloque.psc.http_provider import Provider
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.entry import Entry, PscLogin
from colloque_annuaire.entering.entry_codes import EntryCodes
from colloque_annuaire.entering.http_entry import EntryPages
from colloque_annuaire.proving.attesting import Attesting, Validity
from colloque_annuaire.proving.flow import Rules
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry import Links, Passes
from colloque_annuaire.store.entry_sessions import Visits
from colloque_annuaire.store.proofs import Proofs
from tests.servers.annuaire import doctor, rpps
from tests.servers.psc import Psc
from tests.servers.sides import Side, Sides

RULES = Rules(timedelta(minutes=15), 3, 5, AgeRules())


@dataclass
class Around:
    """Mails, accounts and names, written down."""

    mails: list[tuple[str, str]] = field(default_factory=list)
    accounts: dict[UserId, str] = field(default_factory=dict)

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        self.mails.append((str(to), text))

    async def exists(self, user: UserId) -> bool:
        return user in self.accounts

    async def create(self, user: UserId, name: str) -> None:
        self.accounts[user] = name

    async def set_display_name(self, user: UserId, name: str) -> None:
        pass

    def code(self) -> str:
        found = re.search(r"Votre code : (\d{6})", self.mails[-1][1])
        assert found is not None
        return found[1]


@dataclass
class Web:
    """A browser's session on the page of `side`."""

    side: Side
    around: Around
    url: str
    http: aiohttp.ClientSession
    passes: Passes
    links: Links
    visits: Visits
    entry: Entry
    token: str = ""

    async def get(self, path: str = "/entrer") -> tuple[int, str]:
        async with self.http.get(self.url + path) as answer:
            return answer.status, self._keep(await answer.text())

    async def post(self, path: str, **form: str) -> tuple[int, str]:
        async with self.http.post(self.url + path, data={"token": self.token, **form}) as answer:
            return answer.status, self._keep(await answer.text())

    def _keep(self, html: str) -> str:
        if found := re.search(r'name="token" value="([^"]+)"', html):
            self.token = found[1]
        return html


def shown(html: str) -> tuple[UserId, str]:
    user, password = re.findall(r'<p class="key[^"]*">([^<]+)</p>', html)
    return UserId(user), password


async def open_web(stack: AsyncExitStack, side: Side, psc: Psc | None = None, port: int | None = None) -> Web:
    """The page of `side`; `psc` must send browsers back to `port`."""
    around = Around()
    for n, person in enumerate(side.directory.people, 1):
        side.directory.people[n - 1] = doctor(n, f"NOM{n}", "Anne", mail=[f"p{n}@medecin.mssante.test"])
        assert person.rpps == rpps(n)
    attesting = Attesting(
        people=side.people,
        proofs=Proofs(side.db),
        directory=side.directory,
        publication=Publication(
            people=side.people, names=around, clock=side.clock, path=side.folder / "snapshot", key=b"k" * 32
        ),
        journal=side.journal,
        clock=side.clock,
        ages=AgeRules(),
        validity=Validity(timedelta(days=365), timedelta(days=90)),
        barred=Endings(side.db).barred,
    )
    attesting.connect(side.accounts)
    port = port or free_port()
    http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
    config = EntryConfig(f"http://127.0.0.1:{port}", port)
    passes, links, visits = Passes(side.db), Links(side.db), Visits(side.db)
    login = None
    if psc is not None:
        provider = Provider(http, psc.config, side.clock, timeout_s=5.0, budget_s=1.0)
        login = PscLogin(provider, psc.config.issuer, f"{config.url}/entrer/retour")
    entry = Entry(
        visits=visits,
        people=side.people,
        directory=side.directory,
        attesting=attesting,
        accounts=Accounts(db=side.db, people=side.people, server=around, journal=side.journal, server_name=side.server),
        passes=passes,
        links=links,
        codes=EntryCodes(
            visits=visits,
            people=side.people,
            mailer=around,
            journal=side.journal,
            clock=side.clock,
            rules=RULES,
            secret=b"s" * 32,
            server_name=side.server,
        ),
        home=side.rooms,  # type: ignore[arg-type]
        homes=side.rooms,  # type: ignore[arg-type]
        incidents=side.incidents,
        journal=side.journal,
        clock=side.clock,
        ages=AgeRules(),
        psc=login,
    )
    pages = EntryPages(
        entry=entry,
        config=config,
        rules=RULES,
        directory=side.directory,
        secret=b"s" * 32,
        psc_origins=(psc.origin,) if psc is not None else (),
        test=False,
    )
    await pages.serve(stack)
    made = Web(side, around, config.url, http, passes, links, visits, entry)
    await made.get()
    return made


@pytest.fixture
async def web(sides: Sides) -> AsyncIterator[Web]:
    async with AsyncExitStack() as stack:
        yield await open_web(stack, sides.a)
