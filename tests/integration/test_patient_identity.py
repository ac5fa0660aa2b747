"""A patient's qualified identity, from the room to the referent's mailbox, with every service as a process."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from lxml import etree

from colloque.identity import RoomId
from colloque.mail.documents import documents_in
from colloque.mail.message import Attachment
from colloque.mail.standing import standings
from colloque.matrix.api import CLIENT, path
from colloque.matrix.home import Incoming
from colloque.rooms.keeping import Proof
from tests.clinical import NUMBER
from tests.files_read import contents
from tests.header_minimum import lacking
from tests.pdfa import faults, text_of
from tests.servers.patient_ward import Ward, a_ward
from tests.waiting import until

SPACED = "2 79 03 51 215 189 89"
FAMILY = "ESSAI-ZEPHYRINE"
LINE = f"!patient identite {SPACED} ; NIR ; Essai-Zéphyrine ; Zélie, Anne ; 28/03/1979 ; F ; 51215"
V3 = {"h": "urn:hl7-org:v3"}
RIM = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}


@pytest.fixture(scope="module")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with a_ward(tmp_path_factory.mktemp("ward")) as ward:
        yield ward


async def documents(ward: Ward) -> list[EmailMessage]:
    """The mails with documents in the author's mailbox."""
    return [mail for mail in await ward.house.inbox(ward.house.cast.author) if mail["X-MSS-CODECDA"]]


def parts_of(mail: EmailMessage) -> dict[str, bytes]:
    found = {str(part.get_filename()): part.get_payload(decode=True) for part in mail.iter_attachments()}
    return {name: data for name, data in found.items() if isinstance(data, bytes)}


async def given(ward: Ward) -> tuple[RoomId, Incoming]:
    """A room with something said in it, and an identity that is read back."""
    name = ward.house.cast.colleague.professional.family_name
    room = await ward.opened(f"!patient ouvrir 1 jour {name}")
    await ward.colleague.say(room, "vu ce matin, la plaie est propre")
    await ward.author.ask(room, LINE, "the identity")
    return room, await ward.says(ward.author, "ne compte pas encore", room=room)


def sign(ward: Ward) -> str:
    """What confirms it: a tick, or the number of a place where there are several."""
    places = standings(ward.house.cast.author.professional)
    assert places, "the directory says where they work"
    return "1️⃣" if len(places) > 1 else "✅"


def traces(root: Path) -> Iterator[str]:
    """Files of our services and of Synapse that hold a trait: rows of databases, lines of everything else."""
    for file, raw in contents(root):
        place = file.relative_to(root).parts[0]
        if place in {"mail", "author", "colleague", "clients"}:  # the operator's mailboxes, people's own devices
            continue
        if raw.startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
                said = "\n".join(db.iterdump())
        else:
            said = raw.decode("utf-8", "replace")
        if any(trait in said for trait in (FAMILY, "Essai-Z", NUMBER, SPACED)):
            yield str(file.relative_to(root))


async def test_a_confirmed_identity_arrives_in_a_document_and_nothing_of_it_stays(ward: Ward) -> None:
    room, asked = await given(ward)
    for trait in (FAMILY, "ZELIE ANNE", SPACED, "28/03/1979", "51215", "INS-NIR"):
        assert trait in asked.body
    await ward.colleague.ask(room, "!patient identite retirer", "the answer to somebody else")
    await ward.says(ward.colleague, "Seul le référent", room=room)
    await ward.tap(ward.author, asked, sign(ward))
    await ward.says(ward.author, "confirmée par", room=room)
    held = [place for place in traces(ward.house.layout.root) if "salles" in place]
    assert held, "the scan finds it where it is"
    await ward.author.say(room, "!patient terminer")
    sent = await ward.says(ward.author, "partent vers", room=ward.home)
    assert "document de santé" in sent.body
    assert FAMILY not in sent.body
    (mail,) = await until(lambda: documents(ward), "the document in the mailbox")

    assert mail["Subject"] == f"XDM/1.0/DDM+Synthèse d'épisode de soins {FAMILY} ZELIE 28/03/1979"
    assert (mail["X-MSS-CODECDA"], mail["X-MSS-INS"]) == ("34133-9", "O")
    assert mail["X-MSS-NIL"]
    assert mail["From"].addresses[0].addr_spec == ward.house.config.mssante.sender.value
    files = parts_of(mail)
    archive = files.pop("IHE_XDM.ZIP")
    ((name, beside),) = files.items()
    assert name.endswith(f"_{FAMILY}_ZELIE.pdf")
    assert faults(beside) == []
    assert "laplaieestpropre" in text_of(beside)
    assert not any(trait in text_of(beside) for trait in (FAMILY, NUMBER, "Zéphyrine"))

    inside = zipfile.ZipFile(io.BytesIO(archive))
    document = inside.read("IHE_XDM/SUBSET01/DOC00001.XML")
    metadata = etree.fromstring(inside.read("IHE_XDM/SUBSET01/METADATA.XML"))
    assert lacking(document) == []
    digest = metadata.xpath("//r:Slot[@name='hash']//r:Value/text()", namespaces=RIM)
    assert digest == [hashlib.sha1(document, usedforsecurity=False).hexdigest()]
    root = etree.fromstring(document)
    author = ward.house.cast.author
    assert root.xpath("string(h:author/h:assignedAuthor/h:id/@extension)", namespaces=V3) == author.rpps.national
    assert root.xpath("string(h:recordTarget/h:patientRole/h:id/@extension)", namespaces=V3) == NUMBER
    (found,) = documents_in([Attachment("IHE_XDM.ZIP", "application/zip", archive)]).documents
    assert found.problems == ()
    assert found.document is not None
    assert found.document.body is not None
    assert found.document.body.data == beside

    await ward.files(sent)
    receipt = await ward.erased(sent)
    assert receipt["archived"] == Proof.FILED
    await until(lambda: _gone(ward), "nothing of it left")
    shown = [m.body for _, m in ward.author.heard if isinstance(m, Incoming) and m.room != room]
    assert not any(FAMILY in body or "XDM/1.0" in body for body in shown), "an archive is not for Matrix"


async def _gone(ward: Ward) -> bool:
    return not await asyncio.to_thread(lambda: list(traces(ward.house.layout.root)))


async def test_an_identity_that_is_withdrawn_or_not_confirmed_any_more_is_in_no_mail(ward: Ward) -> None:
    before = len(await documents(ward))
    for withdrawn in (True, False):
        room, asked = await given(ward)
        since = len(ward.author.heard)
        tap = await ward.tap(ward.author, asked, sign(ward))
        await ward.says(ward.author, "confirmée par", room=room)
        if withdrawn:
            await ward.author.say(room, "!patient identity remove")
            await ward.says(ward.author, "Retirée", room=room)
        else:
            redact = path(CLIENT, "rooms", room, "redact", tap, "back")
            await ward.author.call("PUT", redact, {})
            await ward.says(ward.author, "Confirmation retirée", room=room)
        mails = len(await ward.archives())
        await ward.author.say(room, "!patient terminer")
        sent = await ward.says(ward.author, "partent vers", room=ward.home, since=since)
        assert "document de santé (CDA, dans" not in sent.body
        assert ("pas été confirmée" in sent.body) is not withdrawn

        async def arrived(count: int = mails) -> list[EmailMessage]:
            return (await ward.archives())[count:]

        (mail,) = await until(arrived, "the archive in the mailbox")
        (pdf,) = parts_of(mail).values()
        assert faults(pdf) == []
        assert not any(trait in text_of(pdf) for trait in (FAMILY, NUMBER, "Zéphyrine"))
        assert FAMILY not in mail.as_string()
        await ward.files(sent)
        assert (await ward.erased(sent))["archived"] == Proof.FILED
    assert len(await documents(ward)) == before
    await until(lambda: _gone(ward), "nothing of it left")
