"""An owner pauses their mailbox, disconnects it, has it read again: nothing is lost, and nothing is shown twice."""

from __future__ import annotations

import asyncio
import re
import secrets
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from imaplib import Time2Internaldate

import pytest

from colloque.clock import PARIS
from colloque.identity import RoomId
from colloque_mssante.texts import boxes as texts_boxes
from colloque_mssante.texts import mails as texts
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import House
from tests.waiting import until


@pytest.fixture
async def home(house: House) -> RoomId:
    return await house.home_room(house.author.user)


async def ask(house: House, home: RoomId, command: str) -> str:
    return (await house.author.ask(home, command, command)).body


async def in_mailbox(house: House, words: str) -> None:
    async def there() -> bool:
        return any(words in text_of(mail) for mail in await house.inbox(house.cast.author))

    await until(there, f"{words} in the mailbox")


async def test_a_pause_holds_mails_and_loses_none(house: House, home: RoomId) -> None:
    tag, address = secrets.token_hex(4), house.cast.author.address.value
    await house.write("Avis", f"avant {tag}")
    shown = await house.mail(f"avant {tag}")
    assert await ask(house, home, "!boite pause") == texts_boxes.closed([address], "paused")
    assert f"{address} : en pause depuis le" in await ask(house, home, "!boite état")
    await house.write("Avis", f"pendant {tag}")
    await in_mailbox(house, f"pendant {tag}")
    # Writing goes on meanwhile, and the pause outlives the process.
    house.bridge.stop()
    house.bridge.start()
    await house.well()
    reply = await house.author.say(shown.room, f"réponse {tag}", reply_to=shown.event)
    await house.sign(reply)
    assert house.shown(f"pendant {tag}") == []
    opened = await ask(house, home, "!boite connecter")
    assert re.search(rf"{re.escape(address)} : reprise après la pause du", opened)
    await house.mail(f"pendant {tag}")
    assert len(house.shown(f"avant {tag}")) == len(house.shown(f"pendant {tag}")) == 1
    await until(lambda: _ok(house, home), "read again")
    assert await ask(house, home, "!boite connecter") == texts_boxes.OPEN_ALREADY


async def _ok(house: House, home: RoomId) -> bool:
    return "relevée en continu" in await ask(house, home, "!boite etat")


async def test_off_neither_reads_nor_sends_and_older_mails_come_on_request(house: House, home: RoomId) -> None:
    tag, address = secrets.token_hex(4), house.cast.author.address.value
    await house.write("Avis", f"avant {tag}")
    shown = await house.mail(f"avant {tag}")
    assert await ask(house, home, "!boite déconnecter") == texts_boxes.closed([address], "off")
    said = await house.author.say(shown.room, f"perdu ? {tag}", reply_to=shown.event)
    assert (await house.author.answer(said, "a refusal")).body == texts.BOX_OFF
    month_ago = datetime.now(UTC) - timedelta(days=30)
    await asyncio.to_thread(_append, house, f"vieux {tag}", month_ago)
    days = [datetime.now(PARIS)]
    opened = await ask(house, home, "!boite connecter")
    days.append(datetime.now(PARIS))
    assert any(f"{address} : messages reçus depuis le {day:%d/%m/%Y}" in opened for day in days)
    await house.write("Avis", f"après {tag}")
    await house.mail(f"après {tag}")
    assert house.shown(f"vieux {tag}") == []
    assert await ask(house, home, "!boite connecter 31/02/2026") == texts_boxes.OPEN_HOW
    assert await ask(house, home, "!boite connecter depuis 5 ans") == texts_boxes.OPEN_HOW
    await ask(house, home, "!boite connecter depuis 2 mois")
    await house.mail(f"vieux {tag}")
    await until(lambda: _ok(house, home), "read again")
    assert [len(house.shown(f"{when} {tag}")) for when in ("avant", "après", "vieux")] == [1, 1, 1]


def _append(house: House, words: str, at: datetime) -> None:
    """An older mail, as the mailbox's owner may find it there."""
    mail = EmailMessage()
    mail["From"], mail["To"] = house.cast.correspondent.address.value, house.cast.author.address.value
    mail["Subject"], mail["Message-ID"] = "Ancien", f"<{secrets.token_hex(8)}@x.mssante.test>"
    mail["Date"] = format_datetime(at)
    mail.set_content(words)
    house.box(house.cast.author).append(mail.as_bytes(), Time2Internaldate(at.timestamp()))
