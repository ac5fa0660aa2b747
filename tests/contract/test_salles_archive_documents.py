"""With the patient's identity confirmed, an archive goes as a document of health, too; on both databases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from colloque.errors import HomeUnavailable, Refused
from colloque.identity import EventId
from colloque.mail.documents import documents_in
from colloque.mail.message import Attachment
from colloque.rooms.keeping import Proof
from colloque_salles.archive import making
from colloque_salles.archive.documenting import Papers
from colloque_salles.rules.document import Document
from colloque_salles.store.jobs import Jobs
from colloque_salles.texts import archive as texts_archive
from tests.pdfa import text_of
from tests.servers.annuaire import doctor, rpps
from tests.servers.salles_archive import BOX, HOME, Archived
from tests.servers.salles_library import said, shared
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import ROOM
from tests.unit.mail.test_standing import ALONE, CLINIC
from tests.unit.salles.test_qualified import FIELDS, ZELIE

LINE = f"!patient identite {' ; '.join(FIELDS)}"
ZIP = "IHE_XDM.ZIP"


@pytest.fixture
def ward(archived: Archived) -> Archived:
    archived.making._limit = 1_000_000
    archived.directory.people[0] = doctor(1, "ANNE", "Anne", CLINIC, mail=[BOX])
    return archived


def asked(ward: Archived) -> EventId:
    return ward.last("Relisez")


async def confirmed(ward: Archived, key: str = "✅") -> None:
    await ward.typed(ANNE, LINE)
    await ward.taps(ANNE, asked(ward), key)


async def how(ward: Archived) -> Document:
    archive = await ward.archives.get(ROOM)
    assert archive is not None
    return archive.document


def archives(ward: Archived) -> list[bytes]:
    return [data for data in ward.library.files if data.startswith(b"PK")]


def sheets(ward: Archived) -> list[bytes]:
    return [data for data in ward.library.files if data.startswith(b"%PDF")]


async def test_a_confirmed_identity_makes_it_a_document_in_a_mail_of_its_own(ward: Archived) -> None:
    ward.library.past.append(shared("photo.png", "mxc://h.test/photo", 9))
    ward.library.stored["mxc://h.test/photo"] = b"x" * 2_000
    await confirmed(ward)
    await ward.handed_over()
    first, second = ward.mails
    assert [file["name"] for file in first["files"]] == [ZIP], "the bridge takes the PDF out of it"
    assert first["documents"] is True
    assert "CDA" in first["text"]
    assert [file["name"] for file in second["files"]] == ["photo.png"]
    assert second["documents"] is False
    for mail in (first, second):
        assert not any(trait in mail["text"] + mail["subject"] for trait in ("ESSAI", "ZELIE", ZELIE.number))
    (archive,), (sheet,) = archives(ward), sheets(ward)
    (found,) = documents_in([Attachment(ZIP, "application/zip", archive)]).documents
    assert found.document is not None
    assert found.document.patient == ZELIE.patient
    assert found.document.body is not None
    assert found.document.body.data == sheet
    assert found.document.authors[0].rpps == rpps(1)
    assert "Aussi en document de santé" in ward.server.said[-1]
    assert "ESSAI" not in ward.server.said[-1]
    assert await how(ward) is Document.ENCLOSED
    assert len(await ward.copies.files(ROOM)) == 2, "both end with the room"


async def test_what_was_typed_to_the_bot_is_not_in_what_is_kept(ward: Archived) -> None:
    ward.library.past += [said(LINE, ANNE), said(f"!patient identité\n{FIELDS[0]}", ANNE)]
    ward.library.past.append(said(f"!patient idantite {FIELDS[0]}", ANNE))
    await ward.handed_over()
    text = text_of(sheets(ward)[0])
    assert "Laplaieestpropre" in text
    assert not any(trait in text for trait in (ZELIE.number, "ESSAI", "Zélie"))
    assert text.count("!patientidentite") == 3


async def test_a_room_with_nothing_but_an_identity_holds_nothing_to_keep(ward: Archived) -> None:
    ward.library.past = [said(LINE, ANNE)]
    await confirmed(ward)
    await ward.handed_over()
    assert await ward.proof() == Proof.NOTHING_SAID


@pytest.mark.parametrize(
    ("case", "reason", "words"),
    [
        ("none", Document.NONE, ""),
        ("withdrawn", Document.NONE, ""),
        ("unconfirmed", Document.UNCONFIRMED, "pas été confirmée"),
        ("corrected", Document.UNCONFIRMED, "pas été confirmée"),
        ("unplaced", Document.UNPLACED, "Annuaire ne dit pas"),
        ("moved", Document.UNPLACED, "Annuaire ne dit pas"),
        ("small", Document.TOO_BIG, "trop gros"),
    ],
)
async def test_else_the_pdf_goes_alone_and_why_is_said(ward: Archived, case: str, reason: Document, words: str) -> None:
    match case:
        case "withdrawn":
            await confirmed(ward)
            await ward.typed(ANNE, "!patient identite retirer")
        case "unconfirmed":
            await ward.typed(ANNE, LINE)
        case "corrected":
            await confirmed(ward)
            await ward.typed(ANNE, LINE.replace("Anne", "Marie"))
        case "unplaced":
            ward.directory.people[0] = doctor(1, "ANNE", "Anne", mail=[BOX])
            await confirmed(ward)
        case "moved":
            await confirmed(ward)
            ward.directory.people[0] = doctor(1, "ANNE", "Anne", ALONE, replace(ALONE, sector_code="SA05"), mail=[BOX])
        case "small":
            ward.making._limit = 110_000
            await confirmed(ward)
    await ward.handed_over()
    (mail,) = ward.mails
    assert [file["name"] for file in mail["files"]] == ["Salon Pin Merle.pdf"]
    assert mail["documents"] is False
    assert archives(ward) == []
    assert await how(ward) is reason
    assert words in ward.server.said[-1]
    assert ("PDF seul" in ward.server.said[-1]) is bool(words)


async def test_who_works_in_several_places_is_in_the_one_they_chose(ward: Archived) -> None:
    ward.directory.people[0] = doctor(1, "ANNE", "Anne", CLINIC, ALONE, mail=[BOX])
    await confirmed(ward, "2️⃣")
    await ward.handed_over()
    (found,) = documents_in([Attachment(ZIP, "application/zip", archives(ward)[0])]).documents
    assert found.document is not None
    assert found.document.facility is not None
    assert found.document.facility.code == "SA07"


async def test_another_referents_choice_of_place_is_not_theirs(ward: Archived) -> None:
    """The identity stands by the word of who confirmed it; whoever gets the archive is its author."""
    ward.directory.people[:] = [
        doctor(1, "ANNE", "Anne", CLINIC, ALONE, mail=[BOX]),
        doctor(2, "BOB", "Bob", CLINIC, ALONE, mail=["bob@medecin.mssante.test"]),
    ]
    await confirmed(ward, "2️⃣")
    await ward.patients.lead(ROOM, BOB)
    await ward.handed_over()
    assert await how(ward) is Document.UNPLACED
    await ward.db.execute("DELETE FROM archive")
    await ward.db.execute("DELETE FROM archive_mail")
    ward.directory.people[1] = doctor(2, "BOB", "Bob", CLINIC, mail=["bob@medecin.mssante.test"])
    await ward.rounds(2)
    (found,) = documents_in([Attachment(ZIP, "application/zip", archives(ward)[0])]).documents
    assert found.document is not None
    assert found.document.authors[0].rpps == rpps(2)


async def test_the_word_of_who_is_not_verified_any_more_does_not_count(ward: Archived) -> None:
    await confirmed(ward)
    await ward.db.execute("UPDATE patient_identity SET confirmed_by = '@gone:h.test'")
    await ward.handed_over()
    assert await how(ward) is Document.UNVERIFIED
    assert "plus vérifié" in ward.server.said[-1]


async def test_whatever_breaks_keeps_no_archive_back_and_logs_no_trait(
    ward: Archived, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(sheets: Sequence[bytes], papers: Papers) -> list[bytes]:
        raise ValueError(papers.patient.birth_family)

    monkeypatch.setattr(making, "archives", broken)
    await confirmed(ward)
    with caplog.at_level(logging.DEBUG):
        await ward.handed_over()
    assert await how(ward) is Document.FAILED
    assert len(ward.mails) == 1
    assert "archive.document_failed" in caplog.text
    assert "ESSAI" not in caplog.text


async def test_without_a_mailbox_both_come_to_the_home_room(ward: Archived) -> None:
    ward.making._limit = 110_000
    ward.directory.people[0] = doctor(1, "ANNE", "Anne", CLINIC, mail=[])
    await confirmed(ward)
    await ward.handed_over()
    files = [c["body"] for room, c in ward.library.sent.values() if "file" in c and room == HOME]
    assert files == ["Salon Pin Merle.pdf", ZIP]
    assert "Aussi en document de santé" in ward.server.said[-1]


async def test_what_the_bridge_refuses_comes_home_whole(ward: Archived) -> None:
    await confirmed(ward)
    ward.bridge.errors = [Refused("archive_bad")]
    await ward.handed_over()
    await ward.rounds()
    files = [c["body"] for room, c in ward.library.sent.values() if "file" in c and room == HOME]
    assert files == ["Salon Pin Merle.pdf", ZIP]
    assert ward.mails == []


async def test_somebodys_own_archive_is_a_file_like_another(ward: Archived) -> None:
    ward.library.past.append(shared(ZIP, "mxc://h.test/theirs", 9))
    ward.library.stored["mxc://h.test/theirs"] = b"PK\x03\x04 of another patient"
    await ward.handed_over()
    (mail,) = ward.mails
    assert [file["name"] for file in mail["files"]] == ["Salon Pin Merle.pdf", ZIP]
    assert mail["documents"] is False


async def test_several_parts_are_as_many_mails_with_one_document_each(ward: Archived) -> None:
    ward.making._limit = 10_000_000
    ward.library.past = [said(f"message {number}") for number in range(1_000)]
    await confirmed(ward)
    await ward.handed_over()
    assert [[file["name"] for file in mail["files"]] for mail in ward.mails] == [[ZIP], [ZIP]]
    titles = []
    for archive, sheet in zip(archives(ward), sheets(ward), strict=True):
        (found,) = documents_in([Attachment(ZIP, "application/zip", archive)]).documents
        assert found.document is not None
        assert found.document.body is not None
        assert found.document.body.data == sheet
        titles.append(found.document.title)
    assert titles == [texts_archive.part_title("Pin Merle", rank, 2) for rank in (1, 2)]


async def test_a_crash_between_two_mails_changes_nothing(ward: Archived) -> None:
    ward.library.past.append(shared("photo.png", "mxc://h.test/photo", 9))
    ward.library.stored["mxc://h.test/photo"] = b"x" * 2_000
    await confirmed(ward)
    await ward.close()
    await ward.archiving.once()
    ward.day(1)
    await ward.archiving.once()
    settled = await ward.archives.mails(ROOM)
    send, calls = ward.bridge.send, 0

    async def once(**what: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise HomeUnavailable("away")
        await send(**what)  # type: ignore[arg-type]

    ward.bridge.send = once  # type: ignore[method-assign]
    await ward.rounds()
    assert await ward.archives.mails(ROOM) == settled
    assert [[file["name"] for file in mail["files"]] for mail in ward.mails] == [[ZIP], ["photo.png"]]


async def test_nothing_of_it_outlives_the_room(ward: Archived) -> None:
    await confirmed(ward)
    await ward.handed_over()
    await Jobs(ward.db).forget(ROOM)
    for table in ("patient_identity", "archive", "archive_mail", "copy_file"):
        assert await ward.db.fetch(f"SELECT * FROM {table}") == []
