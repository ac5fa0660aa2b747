"""The annuaire service as a process, on a real Synapse with our module and a sample directory: search, ask, contact."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from colloque import texts as common
from colloque.audit import verify_lines
from colloque.book import read_secret
from colloque.config import Config
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.home import Incoming
from colloque.sockets import Server
from colloque_annuaire import texts_finding
from colloque_demo import settings, stack
from colloque_demo.clinician import Clinician
from colloque_demo.homeserver import Homeserver
from colloque_demo.layout import Layout
from colloque_demo.people import Cast, Person
from colloque_demo.pki import make_pki
from tests.servers.process import Process
from tests.waiting import until

RESULT = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)
LINK = re.compile(r"https://matrix\.to/#/(\S+)")
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

        async def joined() -> list[RoomId]:
            return await client.joined_rooms()

        [home] = await until(joined, "a home room")
        return cls(client, home)

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


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    layout = Layout(tmp_path_factory.mktemp("finding") / "house")
    layout.open()
    async with AsyncExitStack() as undo:
        undo.callback(layout.close)
        book = await stack.prepare(layout)
        ports = settings.Ports.choose()
        settings.make_secrets(layout)
        pki = make_pki(layout.mail / "pki")
        server = Homeserver(layout.synapse, settings.SERVER_NAME, ports.synapse)
        config = settings.write_config(layout, ports, server.url, pki.ca)
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


@pytest.fixture(scope="module")
async def members(house: House) -> AsyncIterator[tuple[Member, Member]]:
    """Two verified people; the first was told, before, that searching is for those who are."""
    async with AsyncExitStack() as undo:
        one = await Member.enter(house, undo, house.cast.author)
        two = await Member.enter(house, undo, house.cast.colleague)
        for line in ("!chercher cardiologue", "!suite", "!qui 1", "!contacter 1"):
            assert await one.ask(line) == common.NOT_ATTESTED
        await one.enrol(house)
        await two.enrol(house)
        yield one, two


async def test_two_colleagues_find_each_other_and_talk(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    assert "!chercher" in await one.ask("!aide")
    n, block = await one.find(two.person)
    assert "✅ sur Colloque" in block
    answer = await one.ask(f"!contacter {n}")
    if answer.startswith("Est-ce bien"):
        answer = (await one.client.ask(one.home, "oui", "oui")).body
    assert answer.startswith("Conversation chiffrée ouverte")
    assert two.person.professional.full_name in answer
    found = LINK.search(answer)
    assert found is not None
    room = RoomId(found[1])

    # The other is told in their own room whose the invitation is, accepts, and they talk; @annuaire is out of it.
    _, told = await two.client.hear(lambda m: room in m.body, "who wants to talk")
    assert told.room == two.home
    assert one.person.professional.full_name in told.body.split("\n")[1]
    await two.client.home.join(room)
    members_now = await one.client.members(room)
    assert members_now == {
        one.person.account: "join",
        two.person.account: "join",
        house.config.bot("annuaire"): "leave",
    }
    said = await one.client.say(room, "Bonjour")
    _, heard = await two.client.hear(lambda m: m.event == said, "a greeting")
    assert (heard.body, heard.encrypted, heard.device_signed) == ("Bonjour", True, True)
    await two.client.say(room, "!aide")

    # Whoever asks again, whatever died meanwhile, is led to the same room.
    await house.kill()
    again = await one.ask(f"!contacter {n} oui")
    assert again.startswith("Cette conversation existe déjà")
    assert room in again
    back, _ = await two.find(one.person)
    assert room in await two.ask(f"!contacter {back} oui")
    assert not [h for _, h in one.client.heard if isinstance(h, Incoming) and h.room == room and _is_bot(house, h)]
    assert await two.ask(f"!contacter {n + 90} oui") == texts_finding.no_result(n + 90)


def _is_bot(house: House, heard: Incoming) -> bool:
    return heard.sender in house.config.bots


async def test_a_mailbox_is_named_and_nothing_else_promised(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    n, block = await one.find(house.cast.correspondent)
    assert "✉️ par MSSanté" in block
    answer = await one.ask(f"!contacter {n} oui")
    assert f"{house.cast.correspondent.address} (personnelle" in answer
    assert house.cast.correspondent.professional.full_name in answer


async def test_numbers_go_on_after_a_kill(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    seen: list[int] = []
    for line in ("!chercher infirmier", "!suite", "! Suite", "kill", "!chercher infirmière", "!suite"):
        if line == "kill":
            await house.kill()
            continue
        answer = await one.ask(line)
        found = [int(n) for n, _ in RESULT.findall(answer)]
        assert len(found) == 5, answer
        seen += found
    assert len(set(seen)) == len(seen)
    await house.kill()
    assert await one.ask("!suite") == texts_finding.NO_SEARCH


async def test_a_homonym_is_asked_about_before_anything_is_done(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    rows = sqlite3.connect(house.config.annuaire.directory).execute(
        "SELECT family, given FROM people GROUP BY family, given HAVING COUNT(*) > 1 ORDER BY COUNT(*), family LIMIT 1"
    )
    family, given = rows.fetchone()
    answer = await one.ask(f"!chercher {family} {given}")
    n = next(int(n) for n, name in RESULT.findall(answer) if family in name and given in name)
    question = await one.ask(f"!contacter {n}")
    assert question.startswith("Est-ce bien cette personne ?")
    assert "répondez oui" in question
    done = (await one.client.ask(one.home, "Oui", "oui")).body
    assert re.search("MSSanté|Conversation", done.split("\n")[0])
    assert f"{n}. " in done


async def test_who_somebody_is(house: House, members: tuple[Member, Member]) -> None:
    one, two = members
    for line in (f"!qui {two.person.account}", f"!qui {two.person.rpps}", f"!qui {two.person.address}"):
        answer = await one.ask(line)
        assert answer.startswith("✅ Identité vérifiée")
        assert str(two.person.address) in answer
        assert f"Compte : {two.person.account}" in answer
        assert "Source : Annuaire Santé du" in answer
    outsider = house.cast.outsider
    assert await one.ask(f"!qui {outsider.account}") == texts_finding.NOT_VERIFIED
    assert (await one.ask(f"!qui {outsider.rpps}")).startswith("Pas de compte Colloque vérifié")


async def test_what_was_typed_is_nowhere(house: House, members: tuple[Member, Member]) -> None:
    one, _ = members
    assert (await one.ask("!chercher Wqzyxpatient Mxqw")).startswith("Personne ne correspond")
    folders = (house.config.annuaire.state_dir, house.layout.logs)
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 3
    assert not [file.name for file in files if b"wqzyxpatient" in file.read_bytes().lower()]
    journal = (house.config.annuaire.state_dir / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert verify_lines(journal).ok
    kinds = {json.loads(line)["kind"] for line in journal}
    assert {"person.contact", "room.direct"} <= kinds
