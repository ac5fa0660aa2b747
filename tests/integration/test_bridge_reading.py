"""What an owner reads in Matrix is read in their mailbox too, and told once to whom asked."""

from __future__ import annotations

import asyncio
import secrets
from email.message import EmailMessage

from colloque.identity import EventId, RoomId
from colloque.mail.parse import parse_mail
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming
from colloque_mssante.texts import mails as texts
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import House
from tests.waiting import until


async def read(house: House, room: RoomId, event: EventId, **body: str) -> None:
    where = path(CLIENT, "rooms", room, "receipt", "m.read", event)
    await house.author.home.api.call("POST", where, body)


async def asks(house: House, words: str, *, to: str = "") -> str:
    """B writes to A and asks to be told; the Message-ID."""
    mail, sender = EmailMessage(), house.cast.correspondent.address
    mail["From"], mail["To"], mail["Subject"] = sender.value, house.cast.author.address.value, "Bilan"
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@{sender.domain}>"
    mail["Disposition-Notification-To"] = to or sender.value
    mail.set_content(words)
    await asyncio.to_thread(house.box(house.cast.correspondent).send, mail, house.cast.author.address.value)
    return str(mail["Message-ID"])


async def seen(house: House, key: str, words: str) -> bool:
    found = await asyncio.to_thread(house.box(house.cast.author).flagged, key)
    return any(words in text_of(mail) for mail in found)


async def is_seen(house: House, words: str) -> None:
    await until(lambda: seen(house, "SEEN", words), f"{words} is read in the mailbox")


async def told(house: House, message_id: str) -> list[EmailMessage]:
    """Receipts in B's mailbox about one of B's mails."""
    return [
        mail
        for mail in await house.inbox(house.cast.correspondent)
        if any(report.original_message_id == message_id for report in parse_mail(mail.as_bytes()).reports)
        and mail.get_content_type() == "multipart/report"
        and mail.get_param("report-type") == "disposition-notification"
    ]


async def test_a_mail_read_here_is_read_there_and_its_author_is_told_once(house: House) -> None:
    tag = secrets.token_hex(4)
    asked = await asks(house, f"un {tag}")
    first = await house.mail(f"un {tag}")
    await house.write("Suite", f"deux {tag}")
    second = await house.mail(f"deux {tag}")
    assert not await seen(house, "SEEN", f"un {tag}")
    await read(house, first.room, first.event)
    await is_seen(house, f"un {tag}")
    assert await seen(house, "UNSEEN", f"deux {tag}")

    [mail] = await until(lambda: told(house, asked), "a receipt")
    assert mail["Return-Path"] == "<>"
    assert mail["Subject"] == "Lu : Bilan"
    assert mail["X-MSS-NIL"]
    [report] = parse_mail(mail.as_bytes()).reports
    assert (report.kind, report.recipient) == ("read", house.cast.author.address.value)
    await read(house, second.room, second.event)
    await is_seen(house, f"deux {tag}")
    await read(house, first.room, first.event)
    later = await asks(house, f"trois {tag}")
    third = await house.mail(f"trois {tag}")
    await read(house, third.room, third.event)
    await until(lambda: told(house, later), "the receipt of a later mail")
    assert len(await told(house, asked)) == 1


async def test_reading_up_to_ones_own_words_reads_what_stands_before(house: House) -> None:
    tag = secrets.token_hex(4)
    await house.write("Avis", f"avant {tag}")
    shown = await house.mail(f"avant {tag}")
    said = await house.author.say(shown.room, "!aide")
    await read(house, shown.room, said, thread_id="main")
    await is_seen(house, f"avant {tag}")


async def test_nobody_else_is_told(house: House) -> None:
    tag, other = secrets.token_hex(4), house.cast.mailboxes[0].address.value
    elsewhere = await asks(house, f"ailleurs {tag}", to=other)
    await house.mail(f"ailleurs {tag}")
    last = await asks(house, f"fin {tag}")
    end = await house.mail(f"fin {tag}")
    await read(house, end.room, end.event)
    await until(lambda: told(house, last), "the last receipt")
    await is_seen(house, f"ailleurs {tag}")
    assert await told(house, elsewhere) == []


def signs(house: House, event: EventId) -> list[str]:
    return [
        m.content["m.relates_to"]["key"]
        for _, m in house.author.heard
        if isinstance(m, Incoming) and m.type == "m.reaction" and m.content["m.relates_to"]["event_id"] == event
    ]


async def test_what_happens_elsewhere_shows_in_the_room(house: House) -> None:
    tag, box = secrets.token_hex(4), house.box(house.cast.author)
    ids = [await asks(house, f"{name} {tag}") for name in ("un", "deux", "trois")]
    one, two, three = [await house.mail(f"{name} {tag}") for name in ("un", "deux", "trois")]
    await asyncio.to_thread(box.mark, ids[0], "\\Seen")
    assert await house.sign(one.event) == texts.READ_THERE
    await asyncio.to_thread(box.mark, ids[1], "\\Answered")
    assert await house.sign(two.event) == texts.ANSWERED_THERE
    # What is read and answered here is no news; who was read elsewhere is not told from here.
    reply = await house.author.say(three.room, f"réponse {tag}", reply_to=three.event)
    await house.sign(reply)
    await read(house, three.room, three.event)
    await until(lambda: told(house, ids[2]), "the receipt")
    await until(lambda: seen(house, "ANSWERED", f"trois {tag}"), "answered")
    await asyncio.to_thread(box.mark, ids[0], "\\Answered")

    async def both() -> bool:
        return signs(house, one.event) == [texts.READ_THERE, texts.ANSWERED_THERE]

    await until(both, "both signs")
    assert signs(house, three.event) == []
    assert await told(house, ids[0]) == await told(house, ids[1]) == []
