"""Whole servers of a federation: Synapse with our module, the annuaire service, TLS with a CA of their own, one list.

    async with running_federation("chu-a.test", "chu-b.test") as federation: ...

Each server has a loopback address of its own (127.x.y.n), so that its name needs no port; nothing is resolved outside.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from colloque.clock import SystemClock
from colloque.directory.extract import import_files
from colloque.directory.open import open_directory
from colloque.directory.sample import write_sample
from colloque.files import write_private
from colloque.professional import Professional
from colloque_demo.people import choose
from tests.federation import Authority, listing
from tests.servers.ca import Ca
from tests.servers.federation_place import BOTS, Place, World, make_place
from tests.servers.tls import TlsFront


@dataclass
class Federation:
    """All servers, the authority that lists them, and the list's own web server."""

    folder: Path
    ca: Ca
    authority: Authority
    http: aiohttp.ClientSession
    professionals: Iterator[Professional]
    places: dict[str, Place] = field(default_factory=dict)
    text: bytes = b""
    version: int = 0
    fetched: int = 0

    def __getitem__(self, letter: str) -> Place:
        return next(place for name, place in self.places.items() if name.partition(".")[0].endswith(f"-{letter}"))

    def issue(self, *places: Place) -> bytes:
        """A new list of exactly these."""
        self.version += 1
        members = [place.member for place in places]
        self.text = self.authority.sign(listing(*members, version=self.version, now=SystemClock().now()))
        return self.text

    async def spread(self, *places: Place) -> None:
        """A new list, and every server told to fetch it, as an operator in a hurry does."""
        self.issue(*places)
        await asyncio.gather(*(place.ask("federation_refresh") for place in self.places.values()))

    async def serve(self, request: web.Request) -> web.Response:
        self.fetched += 1
        return web.Response(body=self.text)


@asynccontextmanager
async def running_federation(*names: str, lawless: str = "") -> AsyncIterator[Federation]:
    """Started: homeservers, not yet their annuaire services (see `begin`). `lawless`: one that holds to no rule."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clq-fed-", dir="/tmp")))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        professionals = await asyncio.to_thread(_directory, folder)
        made = Federation(folder, Ca(folder), Authority(), http, iter(professionals))
        list_url = await _serve_list(stack, made)
        net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
        addresses = {name: f"{net}.{rank}" for rank, name in enumerate(names, 1)}
        table = folder / "hosts.json"
        write_private(table, json.dumps(addresses))
        world = World(folder, made.ca, made.authority, http, table, list_url)
        for name, address in addresses.items():
            made.places[name] = await make_place(stack, world, name, address, lawless=name == lawless)
        made.issue(*made.places.values())
        await asyncio.gather(*(asyncio.to_thread(place.synapse.start) for place in made.places.values()))
        for place in made.places.values():
            stack.callback(place.synapse.stop)
            for service in BOTS:
                token = place.synapse.register(f"admin-{service}", secrets.token_urlsafe(), admin=True)
                write_private(place.layout.secret(f"{service}.admin_token"), token)
        yield made


async def begin(stack: AsyncExitStack, *places: Place) -> None:
    """Start both services of each, and wait until they are well."""
    for place in places:
        for service in (place.annuaire, place.salles):
            service.start()
            stack.callback(service.stop)
    await asyncio.gather(*(place.well() for place in places))


def _directory(folder: Path) -> list[Professional]:
    """One for all servers; people of it who bear names of their own."""
    clock = SystemClock()
    write_sample(folder / "extraction", 1_000, 7, clock.now())
    import_files([folder / "extraction"], folder / "directory.sqlite", clock)
    directory = open_directory(folder / "directory.sqlite", clock)
    try:
        cast = choose(folder / "extraction", directory)
    finally:
        directory.close()
    return [person.professional for person in (*cast.with_mailbox,)]


async def _serve_list(stack: AsyncExitStack, made: Federation) -> str:
    app = web.Application()
    app.router.add_get("/list.jws", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    certificate = made.ca.issue("list.test", "127.0.0.1")
    front = TlsFront(runner.addresses[0][1], certificate.cert, certificate.key)
    await stack.enter_async_context(front)
    return f"https://127.0.0.1:{front.port}/list.jws"
