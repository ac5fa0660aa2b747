"""Two colleagues' conversation from `!contacter` to its receipt: @annuaire, @salles and the helper as processes."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ruamel.yaml import YAML
from yarl import URL

from colloque.book import read_secret
from colloque.cli.main import main
from colloque.clock import SystemClock, monotonic
from colloque.config_load import load
from colloque.identity import RoomId
from colloque.rooms.leftovers import EXPECTED, EXPECTED_PURGED
from colloque_salles.erasing.receipts import PUBLIC_NAME
from tests.clients.jsclient import JsClient
from tests.files_read import contents
from tests.servers.annuaire_house import House, Member, a_house  # noqa: F401 - a fixture
from tests.servers.leftovers_place import with_helper
from tests.servers.nginx import PROGRAM, proxy
from tests.servers.process import Process
from tests.waiting import until

KEEP_S, ROUND_S = 20, 2
HAS_NGINX = PROGRAM.exists()
KEPT = f"au bout de {KEEP_S} secondes"
LINK = re.compile(r"https://matrix\.to/#/(\S+)")
REASON = f"motif{secrets.token_hex(4)}"


@dataclass
class Place:
    """The two, each with one more session in matrix-js-sdk, and @salles."""

    house: House
    one: Member
    two: Member
    phones: tuple[JsClient, JsClient]

    async def talk(self) -> tuple[str, RoomId]:
        """What `!contacter` answers, and the room."""
        n, _ = await self.one.find(self.two.person)
        answer = await self.one.ask(f"!contacter {n} oui")
        found = LINK.search(answer)
        assert found is not None, answer
        return answer, RoomId(found[1])

    async def event(self, room: RoomId, event: str) -> dict[str, Any] | None:
        """As one of the two is given it; None when the server has it no more."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/event/{quote(event)}"
        try:
            return dict(await self.phones[1].call("api", method="GET", path=path))
        except Exception as error:
            if getattr(error, "status", None) in {403, 404}:
                return None
            raise

    def scan(self, *needles: str) -> set[str]:
        """Tables of Synapse's database that hold one of these."""
        found = set()
        with closing(sqlite3.connect(self.house.server.folder / "homeserver.db", timeout=10)) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                rows = db.execute(f'SELECT * FROM "{table}"').fetchall()
                if any(needle in str(value) for row in rows for value in row for needle in needles):
                    found.add(str(table))
        return found

    def receipts(self) -> list[Path]:
        return sorted(self.house.config.salles.receipts.glob("receipt-*.json"))

    def receipt(self, kind: str) -> list[dict[str, Any]]:
        every = [json.loads(path.read_text(encoding="utf-8")) for path in self.receipts()]
        return [each for each in every if each.get("kind") == kind]


@pytest.fixture(scope="module")
async def place(house: House) -> AsyncIterator[Place]:
    yaml = YAML()
    with_helper(house.layout, house.server)
    raw = yaml.load(house.layout.config)
    raw["salles"]["direct"] = {"keep_s": KEEP_S, "round_s": ROUND_S}
    raw["salles"]["lifetime"] |= {"notice_s": 4, "hold_s": 3600}
    with house.layout.config.open("w", encoding="utf-8") as out:
        yaml.dump(raw, out)
    house.config = load(house.layout.config)
    await house.kill()
    async with AsyncExitStack() as undo:
        for module, log in (("colloque_salles.cleaner", "cleaner"), ("colloque_salles", "salles")):
            command = [sys.executable, "-m", module, "--config", str(house.layout.config)]
            process = Process(command, house.layout.logs / f"{log}.log")
            process.start()
            undo.callback(process.stop)
        one = await Member.enter(house, undo, house.cast.author)
        two = await Member.enter(house, undo, house.cast.colleague)
        await one.enrol(house)
        await two.enrol(house)
        phones = []
        for member in (one, two):
            phone = JsClient()
            undo.push_async_callback(phone.stop)
            phones.append(await phone.start(house.server.url, member.person.account, member.person.password))
        yield Place(house, one, two, (phones[0], phones[1]))


async def test_a_conversation_from_its_opening_to_its_receipt(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = place.phones
    answer, room = await place.talk()
    promise = f"s'y effacent {KEPT}"
    assert promise in answer
    _, invited = await place.two.client.hear(lambda m: room in m.body, "who wants to talk")
    assert promise in invited.body
    await second.call("join", room=room)
    assert (await place.two.ask("!echanges")).count(room) == 1

    # What is old goes, what is young stays, and each can be read by the other.
    old = [(await first.call("send", room=room, text=f"vieux {n}"))["id"] for n in range(3)]
    await second.message(room, first.user, "vieux 2")
    old.append((await second.send_file(room, "cr.pdf", "application/pdf", b"%PDF" + secrets.token_bytes(900)))["id"])
    assert "event_json" in place.scan(*old)
    young, said = "", 0
    end = monotonic() + 120
    while any([await place.event(room, event) for event in old]):
        assert monotonic() < end, "old messages stay"
        said += 1
        young = (await first.call("send", room=room, text=f"jeune {said}"))["id"]
        await asyncio.sleep(1)
    held = await place.two.ask(f"!echanges suspendre-effacement 1 {REASON}")
    assert "est suspendu jusqu'au" in held
    assert REASON not in held
    _, told = await place.one.client.hear(lambda m: "a suspendu l'effacement" in m.body, "the hold")
    assert REASON not in told.body
    assert await place.event(room, young) is not None
    await second.message(room, first.user, f"jeune {said}")

    async def accounted() -> bool:
        return sum(each["before"]["events"] for each in place.receipt("direct_messages")) >= len(old)

    await until(accounted, "the receipts of old messages, of one round or two")
    receipt = place.receipt("direct_messages")[0]
    assert "messages_gone" in receipt["proven"]
    assert place.scan(*old) <= set(EXPECTED_PURGED)

    if HAS_NGINX:
        await the_proxy_refuses(place, room, tmp_path)

    # While it is held nothing goes, however old.
    passed = SystemClock().now().timestamp() + KEEP_S + 4 * ROUND_S

    async def old_enough() -> bool:
        return SystemClock().now().timestamp() > passed

    await until(old_enough, "the time that messages live")
    assert await place.event(room, young) is not None
    assert "effacement suspendu jusqu'au" in await place.one.ask("!echanges")
    refused = await place.one.ask("!echanges reprendre-effacement 1")
    assert "l'autre personne" in refused
    assert "reprend" in await place.two.ask("!echanges reprendre-effacement 1")

    # Nobody writes any more: it goes whole.
    for member in (place.one, place.two):
        _, gone = await member.client.hear(lambda m: "est effacée ; !contacter" in m.body, "the end", timeout_s=90)
        assert gone.room == member.home
        assert room not in await member.client.joined_rooms()
    assert await place.event(room, young) is None
    assert place.scan(room, young, *old) <= set(EXPECTED)
    assert [each["after"] for each in place.receipt("direct")] == [{"events": 0, "files": 0, "members": 0}]
    files = list(map(str, place.receipts()))
    key = str(place.house.config.salles.receipts / PUBLIC_NAME)
    assert main(["receipt", "verify", *files, "--key", key]) == 0
    printed = capsys.readouterr().out
    assert "of a conversation of two people, which nobody has to archive" in printed
    assert "the old messages of a conversation of two people that goes on" in printed
    assert "these messages are gone from the homeserver" in printed

    # Nothing of ours names it, nor why it was held.
    config = place.house.config
    folders = (place.house.layout.logs, config.annuaire.state_dir, config.salles.state_dir, config.salles.receipts)
    kept = [(file, data) for folder in folders for file, data in contents(folder)]
    assert len(kept) > 4
    for file, data in kept:
        assert REASON.encode() not in data, file
    for section in (place.house.config.annuaire, place.house.config.salles):

        async def forgotten(url: str = section.database) -> bool:
            with closing(sqlite3.connect(url.removeprefix("sqlite:"), timeout=10)) as db:
                return not any(room in line for line in db.iterdump())

        await until(forgotten, "our own rows")
    _, again = await place.talk()
    assert again != room


async def test_a_room_that_people_made_ends_too(place: Place) -> None:
    first, second = place.phones
    room = (await first.call("createRoom", invite=[second.user], name="Réunion"))["room"]
    for member in (place.one, place.two):
        _, told = await member.client.hear(lambda m: "s'effacent" in m.body and KEPT in m.body, "how long")
        assert told.room == member.home
    await second.call("join", room=room)
    event = (await first.call("send", room=room, text="à bientôt"))["id"]
    await second.message(room, first.user, "à bientôt")
    held = place.receipt("group")

    async def gone() -> bool:
        return len(place.receipt("group")) > len(held)

    await until(gone, "the group's receipt", within=120)
    assert place.scan(room, event) <= set(EXPECTED)
    assert room not in await place.one.client.joined_rooms()


async def the_proxy_refuses(place: Place, room: RoomId, folder: Path) -> None:
    """What an administrator asks for through the proxy that we ship, while a conversation is held."""
    config, synapse = place.house.config, URL(place.house.server.url).port
    assert synapse is not None
    token = {"Authorization": f"Bearer {read_secret(config.salles.admin_token).decode()}"}
    admin = "/_synapse/admin"
    async with proxy(folder, synapse=synapse, salles=config.salles.http.port) as url:
        for method, where, status in (
            ("DELETE", f"{admin}/v2/rooms/{quote(room)}", 403),
            ("DELETE", f"{admin}/v1/rooms/{quote(room, safe='')}", 403),
            ("POST", f"{admin}/v1/purge_history/{quote(room)}", 403),
            ("GET", f"{admin}/v1/rooms/{quote(room)}", 200),
        ):
            there = URL(url + where, encoded=True)
            async with place.house.session.request(method, there, headers=token, json={}) as answer:
                assert answer.status == status, where
