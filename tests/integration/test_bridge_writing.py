"""What its owner writes in a mail room is gathered, shown, changed, and leaves when and where they said."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest

from colloque.calls import JsonDict
from colloque.identity import RoomId
from colloque.matrix.home import text
from colloque.sockets import Server
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as words
from tests.clients.mailbox import text_of
from tests.servers.bridge_house import House
from tests.servers.bridge_writing import (
    about,
    absent,
    edit,
    gathering,
    heard,
    notice,
    received,
    strike,
    tap,
)
from tests.waiting import until

LONG_S = 3600.0


@pytest.fixture(scope="module")
async def slow(house: House) -> AsyncIterator[House]:
    async with gathering(house, LONG_S):
        yield house


async def test_lines_are_gathered_changed_and_sent_now(slow: House) -> None:
    tag = secrets.token_hex(4)
    asked = await slow.write("Avis", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    await slow.author.say(shown.room, f"un {tag}", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", holding="1 message", since=before)
    before = heard(slow)
    second = await slow.author.say(shown.room, "deux", reply_to=shown.event)
    before = heard(slow)
    third = await slow.author.say(shown.room, "trois", reply_to=shown.event)
    await notice(slow, shown.room, "✉️ Partira à", holding="3 messages", since=before)
    await edit(slow, shown.room, second, "DEUX")
    await strike(slow, shown.room, third)
    await notice(slow, shown.room, "✉️ Partira à", holding="2 messages", since=before)
    assert slow.cast.correspondent.address.value in waiting.body
    assert "fil 1" in waiting.body or " · Avis" in waiting.body
    assert await absent(slow, tag)
    await tap(slow, shown.room, waiting.event, words.SEND_NOW)
    [mail] = await received(slow, f"un {tag}")
    assert text_of(mail).replace("\r\n", "\n").strip() == f"un {tag}\nDEUX"
    assert str(mail["In-Reply-To"]).strip() == asked
    assert await slow.sign(second) in {texts.SENT, texts.DELIVERED}
    await notice(slow, shown.room, words.GONE, since=before)


async def test_what_is_written_in_bold_leaves_so(slow: House) -> None:
    tag = secrets.token_hex(4)
    await slow.write("Avis", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    body, html = f"~~deux~~ **trois** {tag}", f"<del>deux</del> <strong>trois</strong> {tag}"
    answer = {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    await slow.author.send(shown.room, text(body, html=html) | answer)
    await slow.author.say(shown.room, "et < demain", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", holding="2 messages", since=before)
    await tap(slow, shown.room, about(waiting), words.SEND_NOW)
    [mail] = await received(slow, body)
    assert text_of(mail).replace("\r\n", "\n").strip() == f"{body}\net < demain"
    rich = mail.get_body(("html",))
    assert rich is not None
    assert f"{html}<br>\net &lt; demain" in rich.get_content().replace("\r\n", "\n")


async def test_a_cancelled_mail_does_not_leave(slow: House) -> None:
    tag = secrets.token_hex(4)
    await slow.write("Avis", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    await slow.author.say(shown.room, f"rien {tag}", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", since=before)
    await tap(slow, shown.room, waiting.event, words.CANCEL)
    await notice(slow, shown.room, words.CANCELLED, since=before)
    await tap(slow, shown.room, waiting.event, words.SEND_NOW)
    before = heard(slow)
    await slow.author.say(shown.room, f"ceci {tag}", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", since=before)
    await tap(slow, shown.room, waiting.event, words.SEND_NOW)
    [mail] = await received(slow, f"ceci {tag}")
    assert "rien" not in text_of(mail)
    assert await absent(slow, f"rien {tag}")


async def test_a_message_that_names_nothing_is_asked_about(slow: House) -> None:
    tag = secrets.token_hex(4)
    first, second = [await slow.write(f"Sujet {n} {tag}", f"question {n} {tag}") for n in (1, 2)]
    shown = await slow.mail(f"question 2 {tag}")
    before = heard(slow)
    await slow.author.say(shown.room, f"je réponds {tag}")
    asking = await notice(slow, shown.room, "❓", since=before)
    lines = asking.body.split("\n")
    rank = next(line.split(".")[0] for line in lines if f"Sujet 1 {tag}" in line)
    assert any(f"Sujet 2 {tag}" in line for line in lines)
    assert any(line.endswith(words.OPTION_NEW) for line in lines)
    before = heard(slow)
    await slow.author.say(shown.room, "et encore")
    assert await absent(slow, f"je réponds {tag}")
    await slow.author.say(shown.room, rank)
    waiting = await notice(slow, shown.room, "✉️ Partira à", holding="2 messages", since=before)
    await tap(slow, shown.room, about(waiting), words.SEND_NOW)
    [mail] = await received(slow, f"je réponds {tag}")
    assert str(mail["In-Reply-To"]).strip() == first
    assert mail["Subject"] == f"Re: Sujet 1 {tag}"
    assert second not in str(mail["References"])


async def test_a_new_mail_has_its_own_subject_and_thread(slow: House) -> None:
    tag = secrets.token_hex(4)
    await slow.write("Avant", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    await slow.author.say(shown.room, f"!objet Demande {tag}")
    await notice(slow, shown.room, "✏️ Nouveau message", holding=f"Objet : Demande {tag}", since=before)
    before = heard(slow)
    said = await slow.author.say(shown.room, f"bonjour {tag}")
    waiting = await notice(slow, shown.room, "✉️ Partira à", holding=f"Demande {tag}", since=before)
    await tap(slow, shown.room, about(waiting), words.SEND_NOW)
    [mail] = await received(slow, f"bonjour {tag}")
    assert mail["Subject"] == f"Demande {tag}"
    assert mail["In-Reply-To"] is None
    await slow.write(f"Re: Demande {tag}", f"réponse {tag}", in_reply_to=str(mail["Message-ID"]).strip())
    answer = await slow.mail(f"réponse {tag}")
    assert answer.room == shown.room
    assert answer.content["m.relates_to"]["event_id"] == said


async def test_an_answer_to_all_lists_them_and_waits(slow: House) -> None:
    tag = secrets.token_hex(4)
    mail = EmailMessage()
    author, colleague = slow.cast.author.address.value, slow.cast.colleague.address.value
    mail["From"], mail["To"], mail["Cc"] = slow.cast.correspondent.address.value, author, f"{colleague}, x@exemple.test"
    mail["Subject"], mail["Message-ID"] = "À tous", f"<{secrets.token_hex(8)}@x.mssante.test>"
    mail.set_content(f"question {tag}")
    slow.box(slow.cast.correspondent).send(mail, author)
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    await tap(slow, shown.room, shown.event, words.TO_ALL)
    listed = await notice(slow, shown.room, "👥 Répondre à tous", holding=colleague, since=before)
    assert "laissés de côté : x@exemple.test" in listed.body
    before = heard(slow)
    await slow.author.say(shown.room, f"à tous {tag}", reply_to=listed.event)
    await notice(slow, shown.room, "👥 Rien n'est parti", since=before)
    assert await absent(slow, f"à tous {tag}")
    await tap(slow, shown.room, listed.event, words.SEND_NOW)
    [got] = await received(slow, f"à tous {tag}")
    assert [a.addr_spec for a in got["Cc"].addresses] == [colleague]
    assert "exemple.test" not in str(got["Cc"])


async def test_an_edit_after_leaving_asks_for_a_replacement(slow: House) -> None:
    tag = secrets.token_hex(4)
    await slow.write("Dose", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    said = await slow.author.say(shown.room, f"dix {tag}", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", since=before)
    await tap(slow, shown.room, waiting.event, words.SEND_NOW)
    [first] = await received(slow, f"dix {tag}")
    before = heard(slow)
    await edit(slow, shown.room, said, f"cent {tag}")
    asking = await notice(slow, shown.room, "✏️ L'ancienne version", since=before)
    assert await absent(slow, f"cent {tag}")
    await tap(slow, shown.room, asking.event, words.SEND_NOW)
    [second] = await received(slow, f"cent {tag}")
    assert second["Subject"] == f"{words.REPLACES} Re: Dose"
    [above, _, below] = text_of(second).replace("\r\n", "\n").strip().split("\n")
    assert re.fullmatch(
        r"Ce message annule et remplace le message du [\d/]{10} à \d\d:\d\d ayant pour objet : .+", above
    )
    assert (above.endswith("Re: Dose"), below) == (True, f"cent {tag}")
    assert str(second["In-Reply-To"]).strip() == str(first["Message-ID"]).strip()
    await strike(slow, shown.room, said)
    assert (await slow.author.answer(said, "a withdrawal")).body == words.STRUCK_AFTER


async def test_writing_first_opens_the_room_of_that_person(slow: House) -> None:
    tag, other = secrets.token_hex(4), slow.cast.mailboxes[0]
    home = await slow.home_room(slow.author.user)
    refused = await slow.author.ask(home, "!ecrire quelqu.un@exemple.test", "an address outside")
    assert refused.body == words.WRITE_NOT_LISTED
    own = await slow.author.ask(home, f"!ecrire {slow.cast.author.address.value}", "their own address")
    assert own.body == words.WRITE_SELF
    before = heard(slow)
    told = await slow.author.ask(home, f"!ecrire {other.address.value}", "a new correspondent")
    assert other.professional.full_name in told.body
    room = RoomId(told.body.rpartition("https://matrix.to/#/")[2].strip())
    await slow.author.membership(room, "join", "their own join")
    await notice(slow, room, "✏️ Nouveau message", holding=other.address.value, since=before)
    await slow.author.say(room, "!objet Transfert demain")
    await slow.author.say(room, f"premier mot {tag}")
    waiting = await notice(slow, room, "✉️ Partira à", holding="Transfert demain", since=before)
    await tap(slow, room, about(waiting), words.SEND_NOW)

    async def came() -> list[EmailMessage]:
        return [m for m in await slow.inbox(other) if tag in text_of(m)]

    [mail] = await until(came, "the mail")
    assert mail["Subject"] == "Transfert demain"
    assert await absent(slow, tag)


async def test_writing_to_a_result_of_the_search(slow: House) -> None:
    other = slow.cast.mailboxes[1]

    async def result(*, user: str, n: int) -> JsonDict:
        return {"rpps": other.rpps.value, "homonyms": 2} if (user, n) == (slow.author.user, 3) else {}

    home = await slow.home_room(slow.author.user)
    later = await slow.author.ask(home, "!ecrire 3", "a result while the annuaire service is down")
    assert later.body == words.WRITE_LATER
    server = Server(slow.config.socket("annuaire"), slow.config.sockets.uids, {"mssante": {"result": result}})
    await server.start()
    try:
        told = await slow.author.ask(home, "!ecrire 3", "a result")
        assert other.professional.full_name in told.body
        assert "du même nom" in told.body
        assert (await slow.author.ask(home, "!ecrire 4", "no result")).body == words.WRITE_UNKNOWN_RESULT
        assert (await slow.author.ask(home, "!ecrire", "nothing")).body == words.WRITE_HOW
    finally:
        await server.stop()


async def test_a_restart_loses_no_draft_and_no_notice(slow: House) -> None:
    tag = secrets.token_hex(4)
    await slow.write("Avis", f"question {tag}")
    shown = await slow.mail(f"question {tag}")
    before = heard(slow)
    await slow.author.say(shown.room, f"reste {tag}", reply_to=shown.event)
    waiting = await notice(slow, shown.room, "✉️ Partira à", since=before)
    slow.bridge.kill()
    tapped = await tap(slow, shown.room, waiting.event, words.SEND_NOW)
    slow.bridge.start()
    await slow.well()
    assert len(await received(slow, f"reste {tag}")) == 1
    assert tapped


async def test_it_leaves_by_itself_when_its_time_has_come(house: House) -> None:
    async with gathering(house, 10.0):
        tag = secrets.token_hex(4)
        await house.write("Avis", f"question {tag}")
        shown = await house.mail(f"question {tag}")
        before = heard(house)
        await house.author.say(shown.room, f"seul {tag}", reply_to=shown.event)
        await notice(house, shown.room, "✉️ Partira à", since=before)
        assert len(await received(house, f"seul {tag}")) == 1
