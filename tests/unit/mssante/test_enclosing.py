"""A mail that carries an archive says what the référentiel asks, or does not leave."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from lxml import etree

from colloque.errors import Refused
from colloque.mail.message import Attachment
from colloque.mail.xdm_read import read_xdm
from colloque.mail.xdm_write import Sender
from colloque.mail.xds import CLASS_CODE
from colloque_mssante.mapping import enclosing
from colloque_mssante.mapping.enclosing import Enclosed, Maker
from tests.clinical import INS_TEST, NUMBER, PDF, archive, cda, extrinsic, n3_body, request, signed, zipped


def xdm(data: bytes, name: str = "ihe_xdm.zip") -> Attachment:
    return Attachment(name, "application/zip", data)


MAKER = Maker(
    Sender("Dr Zoé DURAND", "Cabinet", "Colloque", "1", "zoe@essai.mssante.fr"),
    "<a@essai.mssante.fr>",
    "essai.mssante.fr",
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
)


def enclosed(files: Sequence[Attachment]) -> Enclosed:
    return enclosing.enclosed(files, MAKER)


def loose(data: bytes, name: str = "cr.xml") -> Attachment:
    return Attachment(name, "text/xml", data)


def test_other_files_leave_as_they_are():
    files = (Attachment("photo.png", "image/png", b"\x89PNG"), Attachment("notes.xml", "text/xml", b"<notes/>"))
    found = enclosed(files)
    assert (found.files, found.subject, found.extra) == (files, "", {})


def test_an_archive_is_announced_and_printed():
    data = archive()
    found = enclosed([Attachment("photo.png", "image/png", b"\x89PNG"), xdm(data)])
    assert found.subject == "XDM/1.0/DDM+CR d'examens biologiques ESSAI-DUPONT Zelie 28/03/1979"
    assert found.extra["X-MSS-INS"] in {"O", "N"}
    assert found.extra["X-MSS-CODECDA"] == "11502-2"
    printed, photo, sent = found.files
    assert (printed.mime, printed.data) == ("application/pdf", PDF)
    assert printed.name.endswith("_ESSAI-DUPONT_Zelie.pdf")
    assert (photo.name, sent.name, sent.data) == ("photo.png", "IHE_XDM.ZIP", data)


def test_a_pdf_that_its_writer_joined_is_enough():
    joined = Attachment("CR.PDF", "application/octet-stream", PDF)
    assert [item.name for item in enclosed([xdm(archive()), joined]).files] == ["IHE_XDM.ZIP", "CR.PDF"]


def test_a_structured_document_is_printed():
    printed, _ = enclosed([xdm(archive(cda(n3_body())))]).files
    assert printed.data.startswith(b"%PDF")


def test_an_archive_without_cda_is_a_file_like_another():
    described = request(extrinsic("SCAN.PDF", PDF, mime="application/pdf"))
    scan = xdm(zipped({"IHE_XDM/S/METADATA.XML": described, "IHE_XDM/S/SCAN.PDF": PDF}))
    assert enclosed([scan]).files == (scan,)


def two_patients() -> bytes:
    number = "146026322000196"
    one, other = cda(), cda(number=number)
    patient = f"{number}^^^&amp;{INS_TEST}&amp;ISO^NH"
    described = request(extrinsic("A.XML", one), extrinsic("B.XML", other, patient=patient))
    folder = "IHE_XDM/SUBSET01"
    return zipped({f"{folder}/METADATA.XML": described, f"{folder}/A.XML": one, f"{folder}/B.XML": other})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([xdm(archive()[:-40])], "Archive abîmée"),
        ([xdm(archive(hash="0" * 40))], "Empreinte incorrecte"),
        ([xdm(two_patients())], "plusieurs patients"),
        ([xdm(archive(cda(name="")))], "ne nomme pas son patient"),
        ([xdm(archive()), xdm(archive())], "une par une"),
        ([xdm(archive(patient=f"1{NUMBER[1:]}^^^&amp;{INS_TEST}&amp;ISO^NH"))], "pas le même patient"),
    ],
)
def test_what_its_reader_could_not_rely_on_does_not_leave(files: list[Attachment], words: str):
    with pytest.raises(Refused) as refusal:
        enclosed(files)
    assert words in str(refusal.value)
    assert "n'est pas parti" in str(refusal.value)
    assert "ESSAI" not in str(refusal.value)


def test_a_document_without_an_archive_is_put_into_one():
    note = Attachment("photo.png", "image/png", b"\x89PNG")
    found = enclosed([loose(signed()), note])
    assert found.subject.startswith("XDM/1.0/DDM+CR d'examens biologiques ESSAI-DUPONT")
    assert found.extra["X-MSS-CODECDA"] == "11502-2"
    printed, kept, sent = found.files
    assert (printed.data, kept, sent.name, sent.mime) == (PDF, note, "IHE_XDM.ZIP", "application/zip")
    package = read_xdm(sent.data)
    assert package.problems == ()
    (entry,) = package.entries
    assert entry.data == signed()
    assert enclosed([loose(signed()), note]).files == found.files, "the same mail, the same bytes"


@pytest.mark.parametrize(
    ("type_", "class_"), [("11502-2", "10"), ("18748-4", "31"), ("57833-6", "42"), ("SYNTH", "11")]
)
def test_the_archive_names_the_class_of_its_type(type_: str, class_: str):
    """ASS_X04."""
    with zipfile.ZipFile(io.BytesIO(enclosed([loose(signed(type_))]).files[-1].data)) as made:
        (name,) = [name for name in made.namelist() if name.endswith("METADATA.XML")]
        metadata = etree.fromstring(made.read(name))
    (found,) = metadata.iterfind(f".//{{*}}Classification[@classificationScheme='{CLASS_CODE}']")
    assert found.get("nodeRepresentation") == class_


def test_several_documents_of_one_patient_share_an_archive():
    files = [loose(signed(), "a.xml"), loose(signed("34112-3").replace(b"DOC-1", b"DOC-2"), "b.xml")]
    assert len(read_xdm(enclosed(files).files[-1].data).entries) == 2


def test_what_only_its_software_can_describe_leaves_as_a_file():
    for odd in (loose(cda(n3_body())), loose(signed("99999-9"))):
        assert enclosed([odd]) == Enclosed((odd,))


def test_an_archive_that_its_writer_made_is_left_alone():
    both = [xdm(archive()), loose(cda())]
    assert [item.name for item in enclosed(both).files if item.name != "IHE_XDM.ZIP"][1:] == ["cr.xml"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([loose(signed()[:-40])], "archive_bad"),
        ([loose(signed(), "a.xml"), loose(signed(number="146026322000196"), "b.xml")], "archive_bad"),
        ([loose(cda())], "archive_bad"),
    ],
)
def test_a_document_that_nobody_could_rely_on_does_not_leave(files: list[Attachment], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        enclosed(files)
    assert refused.value.reason == reason
