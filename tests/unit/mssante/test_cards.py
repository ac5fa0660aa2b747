"""A document as the room shows it: type, author, date; the patient in a part of its own; the PDF beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from colloque.mail.documents import documents_in
from colloque.mail.message import Attachment
from colloque_mssante.mapping.cards import CARDS_LIMIT, Card, card, cards_of
from colloque_mssante.texts import documents as texts
from tests.clinical import NAME, NUMBER, PDF, archive, cda, extrinsic, media, n3_body, request, zipped
from tests.pdfa import faults


def shown(data: bytes, name: str = "cr.xml") -> Card:
    mime = "application/zip" if name.endswith(".ZIP") else "text/xml"
    [found] = documents_in([Attachment(name, mime, data)]).documents
    return card(found)


def test_a_card():
    found = shown(archive(), "IHE_XDM.ZIP")
    assert found.lines == (
        texts.DOCUMENT_TITLE,
        "CR d'examens biologiques",
        "Auteur : Dr Marc ESSAI, Laboratoire d'essai ; Logiciel d'essai",
        "Date : 01/04/2021 à 13:47",
        "Destinataires : Dr Léa ESSAI-B, CHU d'essai (copie)",
    )
    assert found.identifying == (
        "Titre : Compte rendu d'examens biologiques",
        "Patient : ESSAI-DUPONT Zélie, né(e) le 28/03/1979, féminin",
    )
    assert found.warnings == ("Matricule INS de test : ce document ne concerne pas un patient réel.",)
    assert [(f.name, f.mime, f.data) for f in found.files] == [("document-1.pdf", "application/pdf", PDF)]


def test_the_patient_stands_apart():
    found = shown(cda(n3_body()))
    for word in ("ESSAI-DUPONT", "Zélie", "28/03/1979", NUMBER):
        assert word not in "\n".join((*found.lines, *found.warnings, *(f.name for f in found.files)))
        assert word not in repr(found)
    assert found.body.split("\n") == [*found.lines, *found.identifying, *(f"⚠️ {w}" for w in found.warnings)]
    assert NUMBER not in found.body


def test_a_structured_document_comes_with_a_pdf_and_its_files():
    found = shown(cda(n3_body(media=media(b"\x89PNG\r\n\x1a\n", "image/png"))))
    assert [(f.name, f.mime) for f in found.files] == [
        ("document.pdf", "application/pdf"),
        ("document-1.png", "image/png"),
    ]
    assert faults(found.files[0].data) == []


def test_what_is_not_told_is_said_to_be():
    found = shown(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')
    assert found.lines == (
        texts.DOCUMENT_TITLE,
        texts.NO_TYPE,
        f"Auteur : {texts.NO_AUTHOR}",
        f"Date : {texts.NO_DATE}",
    )
    assert found.identifying == ()
    assert found.warnings == ("Document sans patient.", "Document vide.")
    assert found.files == ()


def test_a_document_that_cannot_be_read():
    found = shown(archive(hash="0" * 40), "IHE_XDM.ZIP")
    assert found.lines == (texts.UNREADABLE_TITLE,)
    assert found.identifying == ("Le fichier d'origine reste joint : « IHE_XDM.ZIP ».",)
    assert found.warnings == ("Empreinte incorrecte : le fichier a été modifié ou abîmé.",)


def test_other_files_of_an_archive():
    described = request(extrinsic("SCAN.PDF", PDF, mime="application/pdf"))
    found = shown(zipped({"IHE_XDM/S/METADATA.XML": described, "IHE_XDM/S/SCAN.PDF": PDF}), "IHE_XDM.ZIP")
    assert (found.lines, found.warnings) == ((texts.DOCUMENT_TITLE,), ())
    assert [(f.name, f.data) for f in found.files] == [("document-1.pdf", PDF)]


def test_names_of_files_may_name_patients():
    [found] = documents_in([Attachment("CR_ESSAI-DUPONT.xml", "text/xml", b"<ClinicalDocument")]).documents
    assert "ESSAI" not in repr(card(found))
    assert "ESSAI" not in "".join(card(found).lines)


@pytest.mark.parametrize("code", ["zip-bomb", "xml-nodes", "zip-link", "something new"])
def test_every_problem_is_said(code: str):
    assert texts.problems([code, code, "hash-missing"]) == ["Fichier refusé : il est anormal ou dangereux."]


def test_a_document_too_long_for_a_pdf_is_still_shown():
    [found] = documents_in([Attachment("a.xml", "text/xml", cda(n3_body()))]).documents
    assert found.document is not None
    unprintable = replace(found, document=replace(found.document, at=None))
    assert card(unprintable).files == ()
    assert card(unprintable).warnings[-1] == texts.NOT_PRINTED


def test_what_is_wrong_with_all_is_said_first():
    other = cda(number="1790328100000", name=NAME.replace("ESSAI-DUPONT", "AUTRE"))
    files = [Attachment("a.xml", "text/xml", cda()), Attachment("b.xml", "text/xml", other)]
    above, *each = cards_of(files)
    assert above.body == f"{texts.DOCUMENTS_TITLE}\n⚠️ L'envoi concerne plusieurs patients."
    assert len(each) == 2


def test_an_archive_that_cannot_be_opened_is_never_no_document():
    [only] = cards_of([Attachment("IHE_XDM.ZIP", "application/zip", archive()[:-40])])
    assert only.body == f"{texts.UNREADABLE_TITLE}\n⚠️ Archive abîmée."
    assert cards_of([Attachment("photo.png", "image/png", b"\x89PNG")]) == ()


def test_many_documents_are_not_all_shown():
    files = [Attachment(f"{i}.xml", "text/xml", cda()) for i in range(CARDS_LIMIT + 3)]
    found = cards_of(files)
    assert len(found) == CARDS_LIMIT + 1
    assert found[-1].body.endswith("3 autres documents se lisent dans le fichier d'origine, joint à ce message.")
