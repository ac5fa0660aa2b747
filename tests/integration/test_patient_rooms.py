"""A patient room with the service as a process, a real Synapse and its module: opened by taps, held, copied, erased."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, RoomSpec, edit, reaction, text
from colloque.rooms.leftovers import EXPECTED
from colloque.rooms.mark import HOLD, RoomKind, RoomMark, home_key
from colloque_demo.clinician import Clinician
from colloque_salles import texts_archive
from tests.pdfa import faults, text_of
from tests.servers.bridge import a_house
from tests.servers.bridge_house import House
from tests.servers.leftovers_place import with_helper
from tests.servers.process import Process
from tests.waiting import until


@dataclass
class Ward:
    """Two colleagues, their home rooms, and the service."""

    house: House
    salles: Process
    author: Clinician
    colleague: Clinician
    home: RoomId
    other_home: RoomId

    @property
    def bot(self) -> UserId:
        return self.house.config.bot("salles")

    async def says(self, who: Clinician, words: str, *, room: RoomId | None = None, since: int = 0) -> Incoming:
        """The first message of @salles that holds these words."""
        _, found = await who.hear(
            lambda m: m.sender == self.bot and words in m.body and room in {None, m.room}, words, since=since
        )
        return found

    async def tap(self, who: Clinician, on: Incoming, key: str) -> EventId:
        return await who.home.send(on.room, reaction(on.event, key), txn=secrets.token_hex(8), type_="m.reaction")

    async def opened(self, line: str) -> RoomId:
        """A room that the author opened by words, and the colleague entered."""
        said = await self.author.ask(self.home, line, line)
        room = link_in(said.body)
        await self.colleague.membership(room, "invite", "the invitation")
        await self.colleague.call("POST", path(CLIENT, "join", room), {})
        await self.author.membership(room, "join", "their own join")
        return room


def link_in(said: str) -> RoomId:
    found = re.search(r"matrix\.to/#/(\S+)", said)
    assert found is not None, said
    return RoomId(unquote(found[1]))


@pytest.fixture(scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    async with a_house(folder) as house:
        people = (house.cast.author, house.cast.colleague)
        house.attest(*people, professions=("10",))
        with_helper(house.layout, house.server)
        command = [sys.executable, "-m", "colloque_salles", "--config", str(house.layout.config)]
        salles = Process(command, house.layout.logs / "salles.log")
        helper = [sys.executable, "-m", "colloque_salles.cleaner", "--config", str(house.layout.config)]
        cleaner = Process(helper, house.layout.logs / "cleaner.log")
        cleaner.start()
        salles.start()
        homes = []
        for person in people:
            mark = RoomMark(RoomKind.HOME, home_key(person.account), owner=person.account)
            spec = RoomSpec("Colloque", mark, invite=(person.account, house.config.bot("salles")))
            homes.append(await house._room(spec))
        (folder / "colleague").mkdir()
        colleague = await Clinician.login(house.session, house.server.url, people[1], folder / "colleague")
        try:
            yield Ward(house, salles, house.author, colleague, *homes)
        finally:
            await colleague.close()
            salles.stop()
            cleaner.stop()


async def test_three_taps_open_a_room(ward: Ward) -> None:
    door = await ward.says(ward.author, "touchez 🩺", room=ward.home)
    await ward.tap(ward.author, door, "🩺")
    offer = await ward.says(ward.author, "avec qui", room=ward.home)
    assert f"1️⃣ {ward.house.cast.colleague.professional.display_name}" in offer.body
    await ward.tap(ward.author, offer, "1️⃣")
    await ward.tap(ward.author, offer, "✅")
    said = await ward.says(ward.author, "ouvert avec", room=ward.home)
    room = link_in(said.body)
    await ward.colleague.membership(room, "invite", "the invitation")
    avatar = await ward.author.home.state(room, "m.room.avatar")
    assert avatar is not None
    assert (await ward.author.api.download(MxcUri(avatar["url"]))).startswith(b"\x89PNG")
    first = await ward.says(ward.author, "appelez le 15", room=room)
    await ward.tap(ward.author, first, "🤝")
    noted = await ward.says(ward.author, "consentement recueilli", room=room)
    assert ward.house.cast.author.professional.full_name.split()[-1] in noted.body


async def test_a_copy_holds_what_was_said_in_the_end(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    tag = secrets.token_hex(4)
    wrong = await ward.author.say(room, f"faux {tag}")
    await ward.author.send(room, edit(wrong, text(f"juste {tag}")))
    gone = await ward.colleague.say(room, f"retire {tag}")
    await ward.colleague.call("PUT", path(CLIENT, "rooms", room, "redact", gone, tag), {})
    data = secrets.token_bytes(2000)
    await ward.colleague.send(
        room, await ward.colleague.home.upload_encrypted(data, f"cr {tag}.bin", "application/octet-stream")
    )
    await ward.author.hear(lambda m: m.content.get("filename") == f"cr {tag}.bin", "the file")
    asked = await ward.colleague.say(room, "!patient copie")
    answered = await ward.colleague.answer(asked, "the copy")
    assert answered.body == texts_archive.COPYING
    _, shared = await ward.colleague.hear(lambda m: m.room == ward.other_home and m.msgtype == "m.file", "the PDF")
    pdf = await ward.colleague.home.download(shared.content)
    assert faults(pdf) == []
    printed = text_of(pdf)
    assert f"juste{tag}" in printed
    assert f"faux{tag}" not in printed
    assert f"retire{tag}" not in printed
    assert "messageretiréparsonauteur" in printed
    assert hashlib.sha256(data).hexdigest() in printed
    assert ward.house.cast.author.rpps.value in printed
    assert "illisibles0" in printed


async def test_a_held_room_is_neither_ended_nor_emptied(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    event = await ward.author.say(room, "à garder")
    await ward.colleague.say(room, "!patient suspendre-effacement expertise")
    await ward.says(ward.author, "a suspendu l'effacement", room=room)
    assert await ward.author.home.state(room, HOLD) is not None
    with pytest.raises(HomeRefused):
        await ward.author.call("PUT", path(CLIENT, "rooms", room, "redact", event, "r1"), {})
    said = await ward.author.ask(room, "!patient terminer", "the end")
    assert "ne peut pas être terminé" in said.body
    ward.salles.kill()
    ward.salles.start()
    await ward.author.ask(room, "!patient reprendre-effacement", "the hold's end")
    await ward.says(ward.author, "a pris fin", room=room)

    async def free() -> bool:
        try:
            await ward.author.call("PUT", path(CLIENT, "rooms", room, "redact", event, "r2"), {})
        except HomeRefused:
            return False
        return True

    await until(free, "what may be withdrawn again")


async def test_an_opposition_closes_the_room(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.colleague.heard)
    await ward.colleague.ask(room, "!patient copie", "the copy's answer")
    _, copy = await ward.colleague.hear(
        lambda m: m.room == ward.other_home and m.msgtype == "m.file", "the copy", since=since
    )
    picture = await ward.author.home.state(room, "m.room.avatar")
    assert picture is not None
    await ward.colleague.say(room, "!patient opposition")
    await ward.says(ward.author, "opposition du patient", room=room)
    await ward.says(ward.author, "Salon fermé", room=room)
    with pytest.raises(HomeRefused):
        await ward.author.say(room, "encore")
    erased = await ward.says(ward.author, "est effacé. Reçu", room=ward.home)
    assert "n° 1" in erased.body
    receipt = json.loads((ward.house.layout.receipts / "receipt-000001.json").read_text())
    assert {left["why"] for left in receipt["residue"]} <= {*EXPECTED.values()}
    assert "server_identifiers" not in receipt["out_of_reach"]
    with pytest.raises(HomeRefused):
        await ward.colleague.home.download(copy.content)
    with pytest.raises(HomeRefused):
        await ward.author.api.download(MxcUri(picture["url"]))
