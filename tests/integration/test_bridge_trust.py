"""Who reads and who sends through the bridge, and what nobody else learns."""

from __future__ import annotations

import asyncio
import json
import secrets
from email.message import EmailMessage

from colloque.book import read_secret
from colloque.matrix.api import path
from colloque.matrix.crosssign import Identity, Seeds
from colloque.matrix.home import text
from colloque_demo import settings
from colloque_mssante.texts import mails as texts
from tests.clients.mailbox import text_of
from tests.conftest import JsFactory
from tests.servers.bridge_house import House
from tests.servers.front import Front
from tests.waiting import until


async def test_a_new_signed_device_reads_the_next_mail_and_an_unsigned_one_is_told(house: House) -> None:
    person = house.cast.colleague
    seeds = Seeds(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
    identity = Identity(person.account, seeds)
    house.attest(house.cast.author, person)
    async with house.device(person, identity) as first:
        await house.write("Un", "Pour le premier appareil", to=person)
        shown = await first.wait_for("Pour le premier appareil")
        async with house.device(person, identity) as second, house.device(person, None) as unsigned:
            await house.write("Deux", "Pour les deux appareils", to=person)
            assert (await second.wait_for("Pour les deux appareils")).device_signed
            await first.wait_for("Pour les deux appareils")
            before = len(await house.inbox(house.cast.correspondent))
            said = await unsigned.home.send(shown.room, text("Oui", reply_to=shown.event), txn=secrets.token_hex(8))
            told = await unsigned.wait_for("cet appareil n'est pas encore validé")
            assert told.reply_to == said
            assert not unsigned.saw("Pour les deux appareils")
            assert len(await house.inbox(house.cast.correspondent)) == before
    house.attest(house.cast.author)


async def test_an_independent_client_trusts_ghost_and_bot(house: House, js: JsFactory) -> None:
    person = house.cast.clinicians[0]
    client = await js(house.server.url, person.account, person.password)
    house.attest(house.cast.author, person)
    asked = await house.write("Tiers", "Lisible par un autre logiciel", to=person)
    shown = await client.expect(lambda r: r["event"] == "message" and "Lisible par" in (r["body"] or ""))
    assert shown["from"].startswith(f"@{settings.GHOSTS}")
    assert (shown["encrypted"], shown["shield"]) == (True, "NONE")
    await client.call("send", room=shown["room"], text="Sans réponse à rien")
    told = await client.message(shown["room"], house.config.bot("mssante"), "Rien n'est parti")
    assert told["shield"] == "NONE"
    await client.call("reply", room=shown["room"], event=shown["id"], text="Écrit d'un autre logiciel")

    async def received() -> list[EmailMessage]:
        return await house.answers_to(asked)

    [answer] = await until(received, "the answer in the mailbox")
    assert text_of(answer).strip() == "Écrit d'un autre logiciel"
    assert await client.call("unreadable") == []
    house.attest(house.cast.author)


async def test_the_first_words_of_a_new_correspondent_wait_until_clients_know_them(house: House, js: JsFactory) -> None:
    person = house.cast.clinicians[1]
    async with Front(house.server.url) as front:
        client = await js(front.url, person.account, person.password)
        house.attest(house.cast.author, person)
        front.late["/keys/query"] = 0.5
        await house.write("Premier", "Les premiers mots", to=person)
        shown = await client.expect(lambda r: r["event"] == "message" and "Les premiers mots" in (r["body"] or ""))
        assert shown["shield"] == "NONE"
        assert not [report for report in client.reports if report["event"] == "utd"]
        await client.stop()
    house.attest(house.cast.author)


async def test_who_is_no_longer_attested_sends_nothing(house: House) -> None:
    asked = await house.write("Fin", "Avant la fin")
    shown = await house.mail("Avant la fin")
    house.attest()
    reply = await house.author.say(shown.room, "Trop tard", reply_to=shown.event)
    assert (await house.author.answer(reply, "a reply without attestation")).body == texts.NOT_ATTESTED
    await house.write("Fin", "Pendant ce temps")
    house.attest(house.cast.author)
    await house.mail("Pendant ce temps")
    assert not await house.answers_to(asked)


async def test_metrics_tell_counts_by_state(house: House) -> None:
    async def told() -> bool:
        async with house.session.get(f"http://127.0.0.1:{house.config.mssante.http.port}/metrics") as answer:
            page = await answer.text()
        assert house.cast.author.address.value not in page
        # The author's, and the services' own.
        return 'colloque_mailboxes{state="ok"} 2.0' in page and "colloque_outbox_mails{" in page

    await until(told, "the metrics")


async def test_nothing_personal_in_logs_and_public_state(house: House) -> None:
    patient, before = "DUPONT-CANARI", len(house.bridge.log.read_text())
    await house.write(f"CR {patient} Marie 12/03/1950", f"Patiente {patient}, née le 12/03/1950")
    shown = await house.mail(patient)
    token = read_secret(house.config.annuaire.admin_token).decode()
    where = path("/_synapse/admin/v1", "rooms", shown.room, "state")
    public = json.dumps(await asyncio.to_thread(house.server.call, "GET", where, token=token), ensure_ascii=False)
    assert "fr.colloque.room" in public
    assert patient not in public
    assert house.cast.correspondent.address.value not in public
    assert patient not in shown.body.splitlines()[0]
    logs = house.bridge.log.read_text()
    for word in (patient, house.cast.correspondent.address.value, house.cast.author.address.value, shown.room):
        assert word not in logs
    assert "Traceback" not in logs[before:]
