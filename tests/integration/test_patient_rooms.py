"""A patient room with the service as a process, a real Synapse and its module: opened by taps, held, copied, erased."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote

import pytest

from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming, RoomSpec, edit, reaction, text
from colloque.rooms.keeping import Proof
from colloque.rooms.mark import HOLD, RoomKind, RoomMark, home_key
from colloque_demo.clinician import Clinician
from colloque_salles import texts_archive
from tests.pdfa import faults, text_of
from tests.servers.bridge import a_house
from tests.servers.bridge_house import House
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

    async def archives(self) -> list[EmailMessage]:
        """The archives in the author's mailbox."""
        mails = await self.house.inbox(self.house.cast.author)
        return [mail for mail in mails if "à classer" in str(mail["Subject"])]

    async def erased(self, about: Incoming) -> dict[str, Any]:
        """The receipt of the room that this message speaks of, once its referent has read that it is erased."""
        words = about.body.partition("« ")[2].partition(" »")[0]
        said = await self.says(self.author, f"« {words} » est effacé. Reçu", room=self.home)
        serial = int(said.body.partition("n° ")[2].partition(",")[0])
        file = self.house.config.salles.receipts / f"receipt-{serial:06d}.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    async def lives(self, room: RoomId) -> bool:
        """The author is in it still."""
        return room in await self.author.joined_rooms()

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
        command = [sys.executable, "-m", "colloque_salles", "--config", str(house.layout.config)]
        salles = Process(command, house.layout.logs / "salles.log")
        salles.start()
        house.bridge.start()
        await house.well()
        homes = []
        for person in people:
            mark = RoomMark(RoomKind.HOME, home_key(person.account), owner=person.account)
            bots = (house.config.bot("salles"), house.config.bot("mssante"))
            homes.append(await house._room(RoomSpec("Colloque", mark, invite=(person.account, *bots))))
        (folder / "colleague").mkdir()
        colleague = await Clinician.login(house.session, house.server.url, people[1], folder / "colleague")
        try:
            yield Ward(house, salles, house.author, colleague, *homes)
        finally:
            await colleague.close()
            salles.stop()
            house.bridge.stop()


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


async def test_an_opposition_closes_the_room_which_is_archived_then_erased_on_a_tap(ward: Ward) -> None:
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.colleague.heard)
    data = secrets.token_bytes(3000)
    share = await ward.author.home.upload_encrypted(data, "photo de plaie.jpg", "image/jpeg")
    await ward.author.send(room, share)
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
    sent = await ward.says(ward.author, "partent vers", room=ward.home)
    (mail,) = await until(ward.archives, "the archive in the mailbox")
    files = {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}
    assert files.pop("photo de plaie.jpg") == data
    (pdf,) = files.values()
    assert isinstance(pdf, bytes)
    assert faults(pdf) == []
    assert hashlib.sha256(data).hexdigest() in text_of(pdf)
    assert "opposition" in text_of(pdf)
    assert await ward.lives(room)
    await ward.tap(ward.author, sent, "✅")
    receipt = await ward.erased(sent)
    with pytest.raises(HomeRefused):
        await ward.colleague.home.download(copy.content)
    for mxc in (picture["url"], share["file"]["url"]):
        with pytest.raises(HomeRefused):
            await ward.author.api.download(MxcUri(mxc))
    assert receipt["archived"] == Proof.FILED
    assert "plaie" not in "".join(h.body for _, h in ward.author.heard if isinstance(h, Incoming) and h.room != room)


async def test_a_referent_who_says_nothing_has_the_time_to(ward: Ward) -> None:
    """The operator's delivery report, a reminder, and days that are seconds here: then the room may be erased."""
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.author.heard)
    await ward.colleague.say(room, "vu ce matin")
    await ward.author.say(room, "!patient terminer")
    sent = await ward.says(ward.author, "partent vers", room=ward.home, since=since)
    await ward.says(ward.author, "sont-ils classés", room=ward.home, since=since)
    assert await ward.lives(room)
    assert (await ward.erased(sent))["archived"] == Proof.DELIVERED
    bridge = sqlite3.connect(ward.house.config.mssante.database.removeprefix("sqlite:"))
    with closing(bridge):
        rows = bridge.execute("SELECT raw, state FROM outbox WHERE caller = 'salles'").fetchall()
    assert rows
    assert all(raw is None for raw, _ in rows), "the bridge keeps none of the words"


async def test_nothing_leaves_where_nothing_is_to_be_kept(ward: Ward) -> None:
    mails = len(await ward.archives())
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    since = len(ward.author.heard)
    await ward.author.say(room, "pardon, mauvais salon")
    await ward.author.say(room, "!patient terminer")
    announced = await ward.says(ward.author, "ne rien garder", room=ward.home, since=since)
    await ward.tap(ward.author, announced, "🚫")
    why = await ward.says(ward.author, "pourquoi ne rien garder", room=ward.home, since=since)
    await ward.tap(ward.author, why, "3️⃣")
    assert (await ward.erased(announced))["archived"] == Proof.MISTAKE
    assert len(await ward.archives()) == mails


async def test_a_colleague_comes_in_later_once_what_the_patient_knows_is_noted(ward: Ward) -> None:
    cast = ward.house.cast
    third = cast.clinicians[0]
    room = await ward.opened(f"!patient ouvrir 1 jour {cast.colleague.professional.family_name}")
    ward.house.attest(cast.author, cast.colleague, third, professions=("10",))
    since = len(ward.author.heard)
    await ward.colleague.say(room, f"!patient inviter {third.professional.family_name}")
    asked = await ward.says(ward.author, "au-delà de l'équipe", room=room, since=since)
    assert third.account not in await ward.author.members(room)
    await ward.tap(ward.author, asked, "🤝")
    said = await ward.says(ward.author, "est invité dans ce salon", room=room, since=since)
    assert "consentement recueilli" in said.body
    assert (await ward.author.members(room))[third.account] == "invite"
