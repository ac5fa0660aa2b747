"""One whole server with the page `/entrer`, and a local Pro Santé Connect: fixtures `entry_place` and `browser`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from colloque.config_load import load
from colloque.files import free_port
from colloque.identity import UserId
from colloque.professional import Professional
from tests.servers.federation import Federation, begin, running_federation
from tests.servers.federation_place import Place
from tests.servers.psc import Psc, person

SERVER = "chu-a.test"
PHONE = {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class EntryPlace:
    """The server, the page's address, Pro Santé Connect, and professionals whom it knows."""

    federation: Federation
    place: Place
    psc: Psc
    url: str
    people: list[Professional]

    async def login(self, user: UserId, password: str) -> tuple[int, dict[str, Any]]:
        body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password}
        async with self.federation.http.post(f"{self.place.synapse.url}/_matrix/client/v3/login", json=body) as answer:
            return answer.status, await answer.json()


@pytest.fixture(scope="module")
async def entry_place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EntryPlace]:
    folder = tmp_path_factory.mktemp("psc")
    async with running_federation(SERVER) as federation, AsyncExitStack() as stack:
        place = federation.places[SERVER]
        people = [next(federation.professionals) for _ in range(4)]
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        known = []
        for each in people[:3]:
            assert each.rpps is not None
            known.append(person(each.rpps, each.given_name, each.family_name))
        psc = await stack.enter_async_context(Psc(folder, people=known, redirects=[f"{url}/entrer/retour"]))
        raw = json.loads(place.layout.config.read_text(encoding="utf-8"))
        raw["mode"] = "test"
        raw["annuaire"]["entry"] = {"url": url, "port": port}
        raw["annuaire"]["psc"] = {k: str(v) for k, v in asdict(psc.config).items() if v is not None}
        place.layout.config.write_text(json.dumps(raw), encoding="utf-8")
        place.config = load(place.layout.config)
        await begin(stack, place)
        yield EntryPlace(federation, place, psc, url, people)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, with a profile that is thrown away."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        await chromium.close()
