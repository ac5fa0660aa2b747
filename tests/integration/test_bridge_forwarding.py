"""A mail with a file is forwarded to somebody else: from the mailbox that got it, with what it holds, once."""

from __future__ import annotations

import secrets
from email.message import EmailMessage

from colloque.identity import RoomId
from colloque_mssante.texts import writing as texts
from tests.clients.mailbox import MailProgram, text_of
from tests.servers.bridge_house import House
from tests.servers.bridge_writing import notice
from tests.waiting import until


async def test_a_mail_is_forwarded_with_its_file(house: House) -> None:
    tag, data = secrets.token_hex(4), secrets.token_bytes(9000)
    person = house.cast.mailboxes[0]
    since = len(house.author.heard)
    message_id = await house.write_file("Compte rendu", f"ci-joint {tag}", "cr.bin", data)
    mail = await house.mail(f"ci-joint {tag}")
    refused = await house.author.answer(
        await house.author.say(mail.room, f"!transferer {person.address}"), "a forward of nothing"
    )
    assert refused.body == texts.FORWARD_WHAT
    order = await house.author.say(mail.room, f"!transferer {person.address}", reply_to=mail.event)
    answer = await house.author.answer(order, "a forward")
    room = RoomId(answer.body.rpartition("#/")[2])
    assert room != mail.room
    shown = await notice(house, room, "✏️ Nouveau message MSSanté", since=since)
    assert texts.FORWARDS in shown.body
    assert "Objet : TR: Compte rendu" in shown.body
    await house.author.say(room, f"pour vous {tag}")
    box = MailProgram(house.mails, person.address.value, person.mail_password)

    async def arrived() -> list[EmailMessage]:
        return [m for m in box.inbox() if f"pour vous {tag}" in text_of(m)]

    [received] = await until(arrived, "the forwarded mail")
    assert received["Subject"] == "TR: Compte rendu"
    assert received["From"].addresses[0].addr_spec == house.cast.author.address.value
    assert received["In-Reply-To"] is None
    words = text_of(received)
    assert words.index(f"pour vous {tag}") < words.index(texts_first()) < words.index(f"ci-joint {tag}")
    [file] = received.iter_attachments()
    assert (file.get_filename(), file.get_payload(decode=True)) == ("cr.bin", data)
    assert not [m for m in await house.answers_to(message_id) if tag in text_of(m)]


def texts_first() -> str:
    """The line above what is forwarded."""
    return texts.forwarded(author="", to=(), cc=(), title="", at=None, words="").splitlines()[0]
