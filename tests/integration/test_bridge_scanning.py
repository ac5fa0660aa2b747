"""The bridge with a real clamd: what is infected never reaches a room, and nothing is lost while clamd is away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiohttp
import pytest
from ruamel.yaml import YAML

from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import scanning as texts_scanning
from tests.clients.mailbox import text_of
from tests.clinical import archive, cda, n1_body
from tests.servers.bridge_house import House
from tests.servers.clamd import MALWARE, SIGNATURE, ClamdServer, clamd  # noqa: F401 - a fixture
from tests.waiting import until

pytestmark = pytest.mark.clamav


@pytest.fixture(scope="module")
async def scanned(house: House, clamd: ClamdServer) -> AsyncIterator[House]:  # noqa: F811
    """The house with an antivirus, until these tests are over."""
    before = house.layout.config.read_text(encoding="utf-8")
    raw = YAML(typ="safe").load(before)
    raw["mssante"]["antivirus"] = {"clamd": clamd.config.clamd, "size_limit": 500_000}
    with house.layout.config.open("w", encoding="utf-8") as out:
        YAML().dump(raw, out)
    assert house.bridge.stop() == 0
    house.bridge.start()
    await house.well()
    yield house
    house.layout.config.write_text(before, encoding="utf-8")
    house.bridge.stop()
    house.bridge.start()
    await house.well()


async def write_files(house: House, body: str, *files: tuple[str, bytes]) -> str:
    """B writes to A with these files; the Message-ID."""
    mail, to = EmailMessage(), house.cast.author.address.value
    mail["From"], mail["To"], mail["Subject"] = house.cast.correspondent.address.value, to, "Fichiers"
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@{house.cast.correspondent.address.domain}>"
    mail.set_content(body)
    for name, data in files:
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    await asyncio.to_thread(house.box(house.cast.correspondent).send, mail, to)
    return str(mail["Message-ID"])


async def problems(house: House) -> dict[str, str]:
    url = f"http://127.0.0.1:{house.config.mssante.http.port}/health"
    async with house.session.get(url) as answer:
        found: dict[str, str] = (await answer.json()).get("problems", {})
        return found


async def test_an_infected_file_is_withheld_and_told_and_the_mail_stays(scanned: House) -> None:
    house, tag = scanned, secrets.token_hex(4)
    admin = await house.admin_room()
    bad, good = f"mauvais-{tag}.exe", f"bon-{tag}.pdf"
    await write_files(house, f"Voici {tag}", (bad, b"Avant " + MALWARE), (good, b"sain"), ("IHE_XDM.ZIP", archive()))
    told = await house.mail(bad)
    assert told.encrypted
    assert told.body.splitlines()[0] == texts_scanning.WITHHELD_TITLE
    assert f"« {bad} »" in told.body
    assert SIGNATURE in told.body
    assert house.cast.author.address.value in told.body
    shown = await house.heard_file(good)
    assert shown.room == told.room
    assert await house.author.home.download(shown.content) == b"sain"
    await house.bot_said(admin, texts_scanning.INCIDENT_INFECTED)
    [kept] = [m for m in await house.inbox(house.cast.author) if tag in text_of(m)]
    [first, *_] = kept.iter_attachments()
    assert MALWARE in first.get_payload(decode=True)
    house.bridge.kill()
    house.bridge.start()
    await house.well()
    assert [m.event for m in house.shown(bad)] == [told.event]
    assert bad not in house.bridge.log.read_text()
    journal = (house.config.mssante.state_dir / "journal.jsonl").read_text()
    assert journal.count('"kind":"mail.infected"') == 2  # an act: its intent and its result
    assert '"outcome":"withheld"' in journal
    assert await house.verified_journal()


async def test_documents_beside_an_infected_file_are_not_opened(scanned: House) -> None:
    house, tag = scanned, secrets.token_hex(4)
    await write_files(house, f"Archive {tag}", (f"IHE_XDM-{tag}.ZIP", archive()), (f"x-{tag}.bin", MALWARE))
    told = await house.mail(f"x-{tag}.bin")
    await house.heard_file(f"IHE_XDM-{tag}.ZIP")
    assert not [m for m in house.shown("Auteur : Dr Marc ESSAI") if m.sent_at >= told.sent_at]


async def test_what_a_document_holds_encoded_is_found(scanned: House) -> None:
    house, tag = scanned, secrets.token_hex(4)
    document = cda(n1_body(b"%PDF-1.4\n" + MALWARE + b"\n%%EOF\n"))
    await write_files(house, f"Document {tag}", (f"cr-{tag}.xml", document))
    told = await house.mail(f"cr-{tag}.xml")
    assert told.body.startswith(texts_scanning.WITHHELD_TITLE)
    assert not [m for m in house.shown("Auteur : Dr Marc ESSAI") if m.sent_at >= told.sent_at]


async def test_what_is_not_scanned_says_so(scanned: House) -> None:
    house, name = scanned, f"gros-{secrets.token_hex(4)}.bin"
    data = secrets.token_bytes(600_000)
    await write_files(house, "Un gros fichier", (name, data))
    shown = await house.heard_file(name)
    assert shown.body.splitlines()[0] == texts.FILE_TITLE
    assert texts_scanning.UNSCANNED in shown.body
    assert await house.author.home.download(shown.content) == data


async def test_while_clamd_is_away_mails_wait_and_then_arrive(scanned: House, clamd: ClamdServer) -> None:  # noqa: F811
    house, tag = scanned, secrets.token_hex(4)
    clamd.kill()

    async def named() -> bool:
        try:
            return (await problems(house)).get("antivirus") == "antivirus.unreachable"
        except aiohttp.ClientError:
            return False

    await until(named, "the antivirus named by health")
    await write_files(house, f"En attente {tag}", (f"sain-{tag}.bin", b"sain"), (f"mal-{tag}.bin", MALWARE))

    async def waits() -> bool:
        return "mailbox.waits code=antivirus.unreachable" in house.bridge.log.read_text()

    await until(waits, "the mailbox waiting for the antivirus")
    assert house.shown(tag) == []
    clamd.start()
    await house.heard_file(f"sain-{tag}.bin")
    told = await house.mail(f"mal-{tag}.bin")
    assert told.body.startswith(texts_scanning.WITHHELD_TITLE)
    assert len(house.shown(f"En attente {tag}")) == 1
    await house.well()


async def test_an_infected_file_does_not_leave(scanned: House) -> None:
    house, tag = scanned, secrets.token_hex(4)
    asked = await house.write("Envoi", f"Envoyez-moi {tag}")
    shown = await house.mail(tag)
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": shown.event}}}
    content = await house.author.home.upload_encrypted(b"Avant " + MALWARE, "essai.bin", "application/octet-stream")
    sent = await house.author.send(shown.room, content | relation)
    assert (await house.author.answer(sent, "a refusal")).body == texts_scanning.NOT_SENT
    content = await house.author.home.upload_encrypted(b"sain", "sain.bin", "application/octet-stream")
    await house.sign(await house.author.send(shown.room, content | relation))
    [received] = await house.answers_to(asked)
    assert [part.get_filename() for part in received.iter_attachments()] == ["sain.bin"]
