"""Machines' documents stand in a room that does not ring; people and emergencies ring; a bell changes that."""

from __future__ import annotations

import asyncio
import secrets
from email.message import EmailMessage

from colloque_mssante.arriving.quiet import HUSH, RING
from colloque_mssante.texts import documents as texts
from tests.clients.mailbox import text_of
from tests.clinical import PDF, archive
from tests.servers.bridge_house import House
from tests.servers.bridge_writing import tap


async def sends(house: House, words: str, *, urgent: bool = False) -> str:
    """B's software sends a document; the Message-ID."""
    mail, sender = EmailMessage(), house.cast.correspondent.address
    mail["From"], mail["To"] = sender.value, house.cast.author.address.value
    mail["Subject"] = "XDM/1.0/DDM+CR d'examens biologiques ESSAI-DUPONT Zelie 28/03/1979"
    mail["Message-ID"], mail["X-MSS-CODECDA"] = f"<{secrets.token_hex(8)}@{sender.domain}>", "11502-2"
    if urgent:
        mail["Importance"] = "high"
    mail.set_content(words)
    mail.add_attachment(archive(), maintype="application", subtype="zip", filename="IHE_XDM.ZIP")
    await asyncio.to_thread(house.box(house.cast.correspondent).send, mail, house.cast.author.address.value)
    return str(mail["Message-ID"])


async def test_documents_do_not_ring_unless_asked_to(house: House) -> None:
    tag, since = secrets.token_hex(4), len(house.author.heard)
    await house.write("Avis", f"personne {tag}")
    person = await house.mail(f"personne {tag}")
    asked = await sends(house, f"machine {tag}")
    document = await house.mail(f"machine {tag}")
    assert document.room != person.room
    assert (person.msgtype, document.msgtype) == ("m.text", "m.notice")
    state = await house.author.home.state(document.room, "m.room.name")
    assert state == {"name": texts.ROOM_NAME}
    card = await house.mail("Auteur : Dr Marc ESSAI", since=since)
    assert (card.room, card.msgtype) == (document.room, "m.notice")
    file = await house.heard_file("document-1.pdf", since=since)
    assert file.room == document.room
    assert await house.author.home.download(file.content) == PDF
    # What names no document goes to nobody; an answer goes to its sender, from there.
    loose = await house.author.say(document.room, f"à qui ? {tag}")
    assert (await house.author.answer(loose, "a refusal")).body == texts.ANSWER_ONE
    reply = await house.author.say(document.room, f"reçu {tag}", reply_to=document.event)
    await house.sign(reply)
    [answer] = await house.answers_to(asked)
    assert text_of(answer).strip() == f"reçu {tag}"
    await sends(house, f"urgent {tag}", urgent=True)
    urgent = await house.mail(f"urgent {tag}")
    assert (urgent.room, urgent.msgtype) == (person.room, "m.text")
    label = await _tapped(house, document.room, document.event, RING)
    assert label.startswith("🔔 Noté")
    await sends(house, f"sonne {tag}")
    ringing = await house.mail(f"sonne {tag}")
    assert (ringing.room, ringing.msgtype) == (person.room, "m.text")
    label = await _tapped(house, person.room, person.event, HUSH)
    assert label.startswith("🔕 Noté")
    await house.write("Avis", f"plus tard {tag}")
    later = await house.mail(f"plus tard {tag}")
    assert later.room == document.room
    await _tapped(house, later.room, later.event, RING)


async def _tapped(house: House, room: object, event: object, sign: str) -> str:
    before = len(house.author.heard)
    await tap(house, room, event, sign)  # type: ignore[arg-type]
    _, answer = await house.author.hear(
        lambda m: m.reply_to == event and m.body.startswith(sign), "an answer to the bell", since=before
    )
    return answer.body
