"""Mails come in, and only what is meant to leaves."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from contextlib import closing
from email.message import EmailMessage

import pytest

from colloque.errors import Refused
from colloque.mail.parse import parse_mail
from colloque.mail.xdm_read import read_xdm
from colloque.matrix.home import Incoming
from colloque.sockets import Client
from colloque_demo import settings
from colloque_mssante.texts import documents as texts_documents
from colloque_mssante.texts import mails as texts
from tests.clients.mailbox import text_of
from tests.clinical import PDF, archive, signed
from tests.servers.bridge_house import House
from tests.waiting import until


async def test_a_mail_comes_in_and_the_reply_goes_out(house: House) -> None:
    asked = await house.write("Avis", "Bonjour, que pensez-vous de ce dossier ?")
    shown = await house.mail("que pensez-vous")
    assert shown.encrypted
    assert shown.device_signed
    assert shown.body.splitlines()[0].startswith(texts.MAIL_TITLE + " · fil ")
    assert "Objet : Avis" in shown.body
    name = await house.author.display_name(shown.sender)
    assert name == house.cast.correspondent.professional.display_name + " · MSSanté"
    assert (await house.author.members(shown.room))[house.author.user] == "join"
    reply = await house.author.say(shown.room, "Avis favorable.", reply_to=shown.event)
    assert await house.sign(reply) in {texts.SENT, texts.DELIVERED}
    [received] = await house.answers_to(asked)
    assert text_of(received).strip() == "Avis favorable."
    own = house.cast.author
    [sender] = received["From"].addresses
    assert sender.addr_spec == own.address.value
    assert sender.display_name.startswith("_".join(own.professional.full_name.split()))
    assert [a.addr_spec for a in received["To"].addresses] == [house.cast.correspondent.address.value]
    assert received["Subject"] == "Re: Avis"
    assert str(received["References"]).split() == [asked]
    assert received["X-MSS-NIL"] == house.config.mssante.nil
    assert reply[1:9] not in str(received["Message-ID"])

    async def delivered() -> bool:
        marks = [h for _, h in house.author.heard if isinstance(h, Incoming) and h.type == "m.reaction"]
        return any(
            m.content["m.relates_to"] == {"rel_type": "m.annotation", "event_id": reply, "key": texts.DELIVERED}
            for m in marks
        )

    await until(delivered, "the delivery report shown as a sign")
    reports = [mail for mail in await house.inbox(own) if mail.get_content_type() == "multipart/report"]
    assert {parse_mail(mail.as_bytes()).from_operator for mail in reports} == {True}, (
        "unknown, it would be the operator's"
    )
    assert len([h for _, h in house.author.heard if isinstance(h, Incoming) and "Delivery" in h.body]) == 0


async def test_the_answer_to_a_reply_names_it(house: House) -> None:
    asked = await house.write("Suite", "Premier message de la suite")
    shown = await house.mail("Premier message de la suite")
    reply = await house.author.say(shown.room, "Et après ?", reply_to=shown.event)
    await house.sign(reply)
    [received] = await house.answers_to(asked)
    await house.write("Re: Suite", "Rien de plus", in_reply_to=str(received["Message-ID"]).strip())
    later = await house.mail("Rien de plus")
    assert later.room == shown.room
    assert later.reply_to == reply


async def test_files_pass_both_ways(house: House) -> None:
    data = secrets.token_bytes(40_000)
    asked = await house.write_file("Document", "Voici le document", "compte-rendu.pdf", data)
    await house.mail("Voici le document")
    shown = await house.heard_file("compte-rendu.pdf")
    assert shown.body == texts.FILE_TITLE
    assert shown.sender.startswith(f"@{settings.GHOSTS}")
    assert await house.author.home.download(shown.content) == data
    content = await house.author.home.upload_encrypted(data[::-1], "réponse.bin", "application/octet-stream")
    reply = await house.author.send(
        shown.room, content | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    )
    await house.sign(reply)
    [received] = await house.answers_to(asked)
    [part] = list(received.iter_attachments())
    assert part.get_filename() == "réponse.bin"
    assert part.get_payload(decode=True) == data[::-1]


async def test_clinical_documents_pass_both_ways(house: House) -> None:
    tag, data, since = secrets.token_hex(4), archive(), len(house.author.heard)
    announced = "XDM/1.0/DDM+CR d'examens biologiques ESSAI-DUPONT Zélie 28/03/1979"
    asked = await house.write_file(announced, f"Voici {tag}", "IHE_XDM.ZIP", data)
    shown = await house.mail(f"Voici {tag}")
    assert "XDM/1.0" not in shown.body
    assert "Objet : CR d'examens biologiques ESSAI-DUPONT" in shown.body
    card = await house.mail("Auteur : Dr Marc ESSAI", since=since)
    assert card.body.startswith(texts_documents.DOCUMENT_TITLE)
    assert "Patient : ESSAI-DUPONT Zélie" in card.body
    for name, content in (("document-1.pdf", PDF), ("IHE_XDM.ZIP", data)):
        file = await house.heard_file(name, since=since)
        assert await house.author.home.download(file.content) == content
    thanks = await house.author.say(shown.room, f"merci {tag}", reply_to=shown.event)
    await house.sign(thanks)
    content = await house.author.home.upload_encrypted(data, "ihe_xdm.zip", "application/zip")
    sent = await house.author.send(shown.room, content | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}})
    await house.sign(sent)
    content = await house.author.home.upload_encrypted(signed(), "cr.xml", "text/xml")
    alone = await house.author.send(
        shown.room, content | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    )
    await house.sign(alone)
    plain, received, made = await house.answers_to(asked)
    assert (plain["Subject"], plain["X-MSS-CODECDA"]) == (
        "Re: CR d'examens biologiques ESSAI-DUPONT Zélie 28/03/1979",
        None,
    )
    assert received["Subject"] == announced.replace("é", "e")
    assert (received["X-MSS-CODECDA"], received["X-MSS-INS"]) == ("11502-2", "O")
    printed, packed = received.iter_attachments()
    assert printed.get_payload(decode=True) == PDF
    assert (packed.get_filename(), packed.get_payload(decode=True)) == ("IHE_XDM.ZIP", data)
    assert (made["Subject"], made["X-MSS-CODECDA"], made["X-MSS-INS"]) == (received["Subject"], "11502-2", "O")
    printed, packed = made.iter_attachments()
    assert (printed.get_payload(decode=True), packed.get_filename()) == (PDF, "IHE_XDM.ZIP")
    (entry,) = read_xdm(packed.get_payload(decode=True)).entries
    assert entry.data == signed()


async def test_what_left_is_found_in_the_mailbox_and_what_it_answers_is_marked(house: House) -> None:
    tag, box = secrets.token_hex(4), house.box(house.cast.author)
    await asyncio.to_thread(box.create, "Sent")
    await house.write("Copie", f"question {tag}")
    shown = await house.mail(f"question {tag}")
    reply = await house.author.say(shown.room, f"réponse {tag}", reply_to=shown.event)
    await house.sign(reply)

    async def filed(words: str = f"réponse {tag}") -> list[EmailMessage]:
        return [m for m in await asyncio.to_thread(box.inbox, "Sent") if words in text_of(m)]

    assert len(await until(filed, "the copy")) == 1

    async def answered() -> list[EmailMessage]:
        return [m for m in await asyncio.to_thread(box.flagged, "ANSWERED") if tag in text_of(m)]

    await until(answered, "the flag")
    house.bridge.kill()
    house.bridge.start()
    await house.well()
    await house.author.say(shown.room, f"encore {tag}", reply_to=shown.event)
    await until(lambda: filed(f"encore {tag}"), "the copy of what left after the crash")
    assert len(await filed()) == 1


async def test_commands_and_places_never_leave(house: House) -> None:
    asked = await house.write("Rien", "Message auquel rien ne répond")
    shown = await house.mail("auquel rien ne répond")
    before = len(await house.inbox(house.cast.correspondent))
    place = {"msgtype": "m.location", "body": "ici", "geo_uri": "geo:48,2"}
    located = await house.author.send(
        shown.room, place | {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    )
    assert (await house.author.answer(located, "a location")).body == texts.NOT_SENDABLE
    command = await house.author.say(shown.room, "!envois", reply_to=shown.event)
    assert (await house.author.answer(command, "a command")).body.startswith("Vos derniers envois")
    box = await house.author.say(shown.room, "!boite etat")
    assert "relevée en continu" in (await house.author.answer(box, "the mailbox's state")).body
    assert not await house.answers_to(asked)
    assert len(await house.inbox(house.cast.correspondent)) == before


async def test_the_services_own_mailbox_gives_reports_alone(house: House) -> None:
    """What people write to it stays there: it is taken off the list of what is to be shown, and no room is made."""
    since, tag = len(house.author.heard), secrets.token_hex(8)
    message_id = f"<{tag}@{house.cast.correspondent.address.domain}>"
    box = house.box(house.cast.correspondent)
    sender = house.config.mssante.sender.value
    await asyncio.to_thread(box.write, sender, f"Objet {tag}", f"merci {tag}", message_id=message_id)
    database = house.config.mssante.database.removeprefix("sqlite:")

    def read() -> list[tuple[str]]:
        with closing(sqlite3.connect(database)) as db:
            return db.execute("SELECT room_id FROM mail WHERE message_id = ?", (message_id,)).fetchall()

    async def taken() -> list[tuple[str]]:
        return await asyncio.to_thread(read)

    assert await until(taken, "the mail is looked at") == [("",)]
    assert not any(tag in heard.body for _, heard in house.author.heard[since:] if isinstance(heard, Incoming))


async def test_a_code_leaves_once_and_is_not_shown(house: House) -> None:
    client = Client(house.config.socket("mssante"), "annuaire")
    key, to = f"code-{secrets.token_hex(8)}", house.cast.author.address.value
    for _ in range(2):
        answer = await client.call("send", key=key, to=to, subject="Code", text=f"Votre code : {key}")
        assert answer["state"] in {"queued", "data", "sent", "delivered"}

    async def received() -> list[EmailMessage]:
        return [m for m in await house.inbox(house.cast.author) if key in text_of(m)]

    [code] = await until(received, "the code in the mailbox")
    assert code["X-MSS-NIL"] == house.config.mssante.nil
    await house.write("Après", f"Après le code {key[-6:]}")
    await house.mail(f"Après le code {key[-6:]}")
    assert len(await received()) == 1
    assert not house.shown(key)
    for address in ("personne@medecin.mssante.test", "quelquun@exemple.test"):
        with pytest.raises(Refused, match="recipient_unknown"):
            await client.call("send", key=key + "x", to=address, subject="Code", text="x")
