"""Step 4: a colleague's MSSanté mail stands in an encrypted room, and the reply leaves as a mail."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from colloque.clock import SystemClock
from colloque.identity import RoomId
from colloque.matrix.home import Incoming
from colloque.rooms.mark import RoomKind
from colloque_demo import texts
from colloque_demo.clinician import PATIENCE_S, hold, until
from colloque_demo.settings import GHOSTS
from colloque_demo.stage import Stage


async def run(stage: Stage) -> None:
    """B writes by mail, A answers in Matrix, B gets a mail from A's own address."""
    author, sender = stage.author, stage.stack.cast.correspondent
    since = len(author.heard)
    mail = _mail(stage)
    await asyncio.to_thread(stage.postman.send, sender.address.value, sender.mail_password, mail)
    stage.display.said(f"{sender.address} → {author.person.address}", f"{mail['Subject']}\n{texts.MAIL_BODY}")
    _, shown = await author.hear(
        lambda m: m.sender.startswith(f"@{GHOSTS}") and texts.MAIL_BODY.splitlines()[2] in m.body,
        "the mail in a room",
        since=since,
        timeout_s=PATIENCE_S,
    )
    stage.answered(shown)
    await _check_room(stage, shown)
    stage.fact(f"the mail stands in an encrypted room, said by the ghost of {sender.short}; no invitation to accept")
    reply = await author.say(shown.room, texts.MAIL_REPLY, reply_to=shown.event)
    stage.wrote(author, texts.MAIL_REPLY)
    _, mark = await author.hear(
        lambda m: m.type == "m.reaction" and m.content["m.relates_to"].get("event_id") == reply,
        "the sign that the reply was sent",
        since=since,
        timeout_s=PATIENCE_S,
    )
    received = await until(lambda: _received(stage), "the reply in the mailbox")
    _check_reply(stage, mail, received)
    stage.fact("the reply is in the correspondent's mailbox: own address, In-Reply-To and References right")
    stage.fact(f"the message in the room bears the sign “{mark.content['m.relates_to']['key']}” that it was sent")


def _mail(stage: Stage) -> EmailMessage:
    author, sender = stage.author.person, stage.stack.cast.correspondent
    mail = EmailMessage()
    mail["From"] = f'"{sender.professional.given_name} {sender.professional.family_name}" <{sender.address}>'
    mail["To"] = author.address.value
    mail["Subject"] = texts.MAIL_SUBJECT
    mail["Date"] = formatdate(SystemClock().now().timestamp())
    mail["Message-ID"] = make_msgid(domain=sender.address.domain)
    mail.set_content(texts.MAIL_BODY)
    return mail


async def _check_room(stage: Stage, shown: Incoming) -> None:
    author, sender, room = stage.author, stage.stack.cast.correspondent, shown.room
    hold(shown.encrypted and shown.device_signed, "the mail is not encrypted by the ghost's own signed device")
    hold(await stage.kind_of(author, room) is RoomKind.MAIL, "the room is not marked as a mail room")
    await author.state(room, "m.room.encryption")
    hold((await author.members(room)).get(author.user) == "join", "the owner was not joined")
    name = await author.display_name(shown.sender)
    hold(sender.professional.full_name in name, f"the ghost's name is not the directory's: {name}")


async def _received(stage: Stage) -> EmailMessage | None:
    """The one mail from A in B's mailbox."""
    own = stage.author.person.address.value
    found = [m for m in await stage.mails(stage.stack.cast.correspondent) if own in str(m["From"])]
    hold(len(found) < 2, "the reply left twice")
    return found[0] if found else None


def _check_reply(stage: Stage, sent: EmailMessage, received: EmailMessage) -> None:
    asked = str(sent["Message-ID"])
    addresses = [address.addr_spec for address in received["From"].addresses]
    hold(addresses == [stage.author.person.address.value], "the reply does not come from the owner's own address")
    hold(str(received["In-Reply-To"]).strip() == asked, "In-Reply-To is wrong")
    hold(str(received["References"]).split()[-1] == asked, "References is wrong")
    part = received.get_body(("plain",))
    hold(part is not None and texts.MAIL_REPLY in part.get_content(), "the reply's text is missing")


async def check_once(stage: Stage) -> None:
    """Later: still exactly one mail left, and one stands in the room."""
    hold(await _received(stage) is not None, "the reply is gone")
    line = texts.MAIL_BODY.splitlines()[2]
    shown: list[RoomId] = [
        h.room
        for _, h in stage.author.heard
        if isinstance(h, Incoming) and h.sender.startswith(f"@{GHOSTS}") and line in h.body
    ]
    hold(len(shown) == 1, f"the mail stands {len(shown)} times in Matrix")
