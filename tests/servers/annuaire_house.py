"""The annuaire service as a process, on a real Synapse with our module and a sample directory, and people in it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML
from yarl import URL

from colloque.book import read_secret
from colloque.config import Config
from colloque.config_load import load
from colloque.files import free_port
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque.sockets import Server
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from colloque_demo.pki import make_pki
from tests.servers.process import Process
from tests.waiting import until

RESULT = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


@dataclass
class House:
    """A Synapse, the annuaire service, and a socket where the bridge would be: codes are read there."""

    layout: Layout
    config: Config
    server: Homeserver
    cast: Cast
    service: Process
    session: aiohttp.ClientSession
    mails: list[dict[str, Any]]

    async def well(self) -> None:
        url = f"http://127.0.0.1:{self.config.annuaire.http.port}/health"

        async def answers() -> bool:
            assert self.service.running is not None
            assert self.service.running.poll() is None, self.service.log.read_text()[-3000:]
            try:
                async with self.session.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(answers, "the annuaire service is well")

    async def kill(self) -> None:
        self.service.kill()
        self.service.start()
        await self.well()


@dataclass
class Member:
    """Somebody at their client, in their home room."""

    client: Clinician
    home: RoomId

    @classmethod
    async def enter(cls, house: House, undo: AsyncExitStack, person: Person) -> Member:
        folder = house.layout.client(person.account)
        client = await Clinician.login(house.session, house.server.url, person, folder)
        undo.push_async_callback(client.close)

        return cls(client, await room_of(client, RoomKind.HOME))

    @property
    def person(self) -> Person:
        return self.client.person

    async def ask(self, line: str) -> str:
        return (await self.client.ask(self.home, line, line)).body

    async def enrol(self, house: House) -> None:
        before = len(house.mails)
        await self.ask(f"!inscription {self.person.rpps}")
        assert len(house.mails) == before + 1
        found = CODE.search(house.mails[-1]["text"])
        assert found is not None
        assert "vérifiée" in await self.ask(f"!code {found[0]}")

    async def find(self, person: Person) -> tuple[int, str]:
        """The number and the block of somebody in the answer to a search by name."""
        answer = await self.ask(f"!chercher {person.professional.family_name} {person.professional.given_name}")
        block = next(b for b in answer.split("\n\n") if person.professional.full_name in b)
        return int(RESULT.findall(block)[0][0]), block


def as_in_production(path: Path) -> Config:
    """The configuration, with the page by which people come in, and without administrators: they are made."""
    yaml = YAML()
    raw = yaml.load(path)
    raw["admin"]["users"] = []
    raw["annuaire"]["entry"] = {"url": "https://colloque.test", "port": free_port()}
    with path.open("w", encoding="utf-8") as out:
        yaml.dump(raw, out)
    return load(path)


async def follow(house: House, said: str) -> str:
    """The one-time password behind the link that somebody was given, as their browser gets it."""
    found = re.search(r"https://colloque\.test(/entrer/lien\?l=\S+)", said)
    assert found is not None, said
    assert house.config.annuaire.entry is not None
    base = f"http://127.0.0.1:{house.config.annuaire.entry.port}"
    async with house.session.get(URL(base + found[1], encoded=True)) as answer:
        html = await answer.text()
        assert answer.status == 200, html
        cookies = "; ".join(f"{name}={kept.value}" for name, kept in answer.cookies.items())
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', html))
    async with house.session.post(f"{base}/entrer/lien", data=form, headers={"Cookie": cookies}) as answer:
        html = await answer.text()
        assert answer.status == 200, html
    key = re.search(r'class="key">([^<]+)<', html)
    assert key is not None, html
    return key[1]


async def room_of(client: Clinician, kind: RoomKind) -> RoomId:
    """The room of that kind that somebody was joined to; waits for it."""

    async def joined() -> RoomId | None:
        for room in await client.joined_rooms():
            mark = await client.state_or_none(room, ROOM_MARK)
            if mark is not None and mark["content"]["kind"] == kind:
                return room
        return None

    return await until(joined, f"a room: {kind}")


@pytest.fixture(name="house", scope="module")
async def a_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    layout = Layout(tmp_path_factory.mktemp("finding") / "house")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        book = await stack.prepare(layout)
        ports = settings.Ports.choose()
        settings.make_secrets(layout)
        pki = make_pki(layout.mail / "pki")
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        settings.write_config(layout, ports, server.url, pki.ca)
        config = as_in_production(layout.config)
        await asyncio.to_thread(stack._configure, server, layout, ports, config)
        await asyncio.to_thread(server.start)
        undo.callback(server.stop)
        await asyncio.to_thread(stack._register, server, layout, book.cast)
        session = await undo.enter_async_context(aiohttp.ClientSession())
        for name in ("salles", "mssante"):
            token = read_secret(getattr(config, name).as_token).decode()
            body = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
            await MatrixApi(session, server.url, token).call("POST", path(CLIENT, "register"), body)
        mails: list[dict[str, Any]] = []

        async def send(**mail: Any) -> dict[str, Any]:
            mails.append(mail)
            return {}

        bridge = Server(config.socket("mssante"), config.sockets.uids, {"annuaire": {"send": send}})
        await bridge.start()
        undo.push_async_callback(bridge.stop)
        command = [sys.executable, "-m", "colloque_annuaire", "--config", str(layout.config)]
        service = Process(command, layout.logs / "annuaire.log")
        service.start()
        undo.callback(service.stop)
        made = House(layout, config, server, book.cast, service, session, mails)
        await made.well()
        yield made
