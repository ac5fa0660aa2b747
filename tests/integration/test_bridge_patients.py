"""A patient's room says that the patient reads, names nobody and holds nobody else; mails may allow no answer."""

from __future__ import annotations

import asyncio
import json
import secrets

from colloque.book import read_secret
from colloque.errors import HomeRefused
from colloque.identity import MxcUri
from colloque.matrix.api import CLIENT, MatrixApi, path
from colloque.matrix.home import Incoming
from colloque_mssante.people.patient_rooms import picture
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as words
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import House
from tests.servers.bridge_writing import gathering, heard, notice, tap
from tests.waiting import until


async def from_patient(house: House) -> tuple[str, Incoming]:
    tag = secrets.token_hex(4)
    to = house.cast.author.address.value
    message_id = f"<{tag}@patient.mssante.test>"
    await asyncio.to_thread(house.patient.write, to, "Mes résultats", f"question {tag}", message_id=message_id)
    return tag, await house.mail(f"question {tag}")


async def test_a_patients_room_says_who_reads_and_names_nobody(house: House) -> None:
    _, shown = await from_patient(house)
    assert shown.body.split("\n")[1] == texts.FROM_PATIENT
    assert await house.author.home.state(shown.room, "m.room.name") == {"name": texts.patient_room(1)}
    avatar = await house.author.home.state(shown.room, "m.room.avatar")
    assert avatar is not None
    assert await house.author.api.download(MxcUri(avatar["url"])) == picture()
    token = read_secret(house.config.annuaire.admin_token).decode()
    number = house.patient.address.partition("@")[0]
    for kind in ("state", "members"):
        where = path("/_synapse/admin/v1", "rooms", shown.room, kind)
        assert number not in json.dumps(await asyncio.to_thread(house.server.call, "GET", where, token=token))
    assert number not in shown.sender
    assert number not in house.bridge.log.read_text()
    _, again = await from_patient(house)
    assert again.room == shown.room


async def test_nobody_else_enters_a_patients_room(house: House) -> None:
    _, shown = await from_patient(house)
    third = house.cast.colleague
    house.attest(house.cast.author, third)
    bot = MatrixApi(
        house.session,
        house.server.url,
        read_secret(house.config.mssante.as_token).decode(),
        user=house.config.bot("mssante"),
    )

    async def invited() -> bool:
        try:
            await bot.call("POST", path(CLIENT, "rooms", shown.room, "invite"), {"user_id": third.account})
        except HomeRefused:
            return False  # the module has not read the attestation yet
        return True

    await until(invited, "a third member")

    async def gone() -> bool:
        return (await house.author.home.members(shown.room)).get(third.account) == "leave"

    await until(gone, "the third member out")
    house.attest(house.cast.author)


async def test_the_professional_may_have_the_last_word(house: House) -> None:
    async with gathering(house, 3600.0):
        tag, shown = await from_patient(house)
        before = heard(house)
        await house.author.say(shown.room, f"réponse {tag}", reply_to=shown.event)
        waiting = await notice(house, shown.room, "✉️ Partira à", holding=words.PATIENT_READS, since=before)
        asked = await house.author.ask(shown.room, "!sans-réponse", "the answer")
        assert asked.body == words.LAST_DONE
        await notice(house, shown.room, "✉️ Partira à", holding=words.PATIENT_LAST, since=before)
        await tap(house, shown.room, waiting.event, words.SEND_NOW)

        async def arrived() -> bool:
            return any(f"réponse {tag}" in text_of(mail) for mail in await asyncio.to_thread(house.patient.inbox))

        await until(arrived, "the mail in the patient's mailbox")
        [mail] = [m for m in await asyncio.to_thread(house.patient.inbox) if f"réponse {tag}" in text_of(m)]
        assert mail["X-MSS-MES"] == "FIN"
        assert (await house.author.ask(shown.room, "!sans-réponse", "a refusal")).body == words.LAST_HOW
        # A colleague's mail is never marked so.
        await house.write("Avis", f"confrère {tag}")
        other = await house.mail(f"confrère {tag}")
        before = heard(house)
        await house.author.say(other.room, f"avis {tag}", reply_to=other.event)
        waiting = await notice(house, other.room, "✉️ Partira à", since=before)
        assert (await house.author.ask(other.room, "!sans-réponse", "a refusal")).body == words.LAST_HOW
        await tap(house, other.room, waiting.event, words.CANCEL)
        await notice(house, other.room, words.CANCELLED, since=before)
