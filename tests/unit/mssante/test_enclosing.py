"""A mail that carries an archive says what the référentiel asks, or does not leave."""

from __future__ import annotations

import pytest

from colloque.errors import Refused
from colloque.mail.message import Attachment
from colloque_mssante.enclosing import enclosed
from tests.clinical import INS_TEST, NUMBER, PDF, archive, cda, extrinsic, n3_body, request, zipped


def xdm(data: bytes, name: str = "ihe_xdm.zip") -> Attachment:
    return Attachment(name, "application/zip", data)


def test_other_files_leave_as_they_are():
    files = (Attachment("photo.png", "image/png", b"\x89PNG"), Attachment("cr.xml", "text/xml", cda()))
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
