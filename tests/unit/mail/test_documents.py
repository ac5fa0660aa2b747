"""What a mail holds: documents in archives or by themselves; what can't be read never counts as none."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.compose import compose
from colloque.mail.documents import ARCHIVES_LIMIT, Contents, documents_in
from colloque.mail.message import Attachment, Outgoing, Party
from colloque.mail.parse import parse_mail
from tests.clinical import archive, cda, extrinsic, request, zipped

XDM = Attachment("IHE_XDM.ZIP", "application/zip", archive())
CDA = Attachment("cr.xml", "text/xml", cda())


def test_documents_come_through_a_mail():
    outgoing = Outgoing(
        message_id="<1@x.test>",
        sender=Party("", "a@x.test"),
        to=(Party("", "b@y.test"),),
        subject="XDM/1.0/DDM+CR",
        text="Voir ci-joint",
        date=datetime(2026, 3, 2, tzinfo=UTC),
        nil="NIL1",
        attachments=(
            Attachment("ihe_xdm.Zip", "application/zip", archive()),
            Attachment("a.pdf", "application/pdf", b"%PDF"),
        ),
    )
    contents = documents_in(parse_mail(compose(outgoing)).attachments)
    [found] = contents.documents
    assert found.document is not None
    assert (found.source, found.path) == ("ihe_xdm.Zip", "IHE_XDM/SUBSET01/DOC00001.XML")
    assert found.patient is not None
    assert found.problems == ("ins-test",)
    assert contents.whole
    assert "ihe_xdm" not in repr(contents)


def test_a_document_by_itself():
    [found] = documents_in([CDA]).documents
    assert (found.source, found.path, found.data) == ("cr.xml", "", CDA.data)
    wide = Attachment(
        "cr.xml", "application/octet-stream", cda().decode().replace('encoding="UTF-8"', "").encode("utf-16")
    )
    assert documents_in([wide]).documents[0].document is not None
    assert documents_in([Attachment("x.bin", "application/xml", cda())]).documents[0].document is not None


def test_an_archive_is_known_by_its_folders_too():
    [found] = documents_in([Attachment("CR du 3 mars.zip", "application/zip", archive())]).documents
    assert found.document is not None


def test_other_files_are_no_documents():
    files = [
        Attachment("photos.zip", "application/zip", zipped({"a.jpg": b"x"})),
        Attachment("a.xml", "text/xml", b"<a/>"),
        Attachment("a.pdf", "application/pdf", b"%PDF ClinicalDocument IHE_XDM/"),
        Attachment("a.txt", "text/plain", cda()),
    ]
    assert documents_in(files) == Contents(())
    assert documents_in([]).whole


def test_what_cannot_be_read_is_listed():
    damaged = documents_in([Attachment("IHE_XDM.ZIP", "application/zip", b"")])
    assert (damaged.documents, damaged.problems, damaged.whole) == ((), ("zip-damaged",), False)
    [found] = documents_in([Attachment("cr.xml", "text/xml", cda()[:-20])]).documents
    assert (found.document, found.data, found.problems) == (None, None, ("xml-malformed",))
    wrong = documents_in([Attachment("IHE_XDM.ZIP", "application/zip", archive(size="3"))])
    assert not wrong.whole
    assert wrong.documents[0].problems == ("size-differs",)
    unlisted = zipped({"IHE_XDM/SUBSET01/METADATA.XML": request(), "IHE_XDM/SUBSET01/A.XML": cda()})
    assert not documents_in([Attachment("IHE_XDM.ZIP", "application/zip", unlisted)]).whole


def test_other_files_of_an_archive_are_no_failure():
    described = request(extrinsic("SCAN.PDF", b"%PDF", mime="application/pdf"))
    data = zipped({"IHE_XDM/S/METADATA.XML": described, "IHE_XDM/S/SCAN.PDF": b"%PDF"})
    contents = documents_in([Attachment("IHE_XDM.ZIP", "application/zip", data)])
    [found] = contents.documents
    assert (found.mime, found.data, found.document) == ("application/pdf", b"%PDF", None)
    assert contents.whole


def test_one_bad_document_does_not_hide_another():
    contents = documents_in(
        [Attachment("IHE_XDM.ZIP", "", b"PK"), XDM, Attachment("b.xml", "text/xml", b"<ClinicalDocument"), CDA]
    )
    assert [each.document is not None for each in contents.documents] == [True, False, True]
    assert contents.problems == ("zip-damaged",)


def test_patients_of_one_mail():
    other = Attachment("b.xml", "text/xml", cda(number="146026322000196"))
    assert documents_in([CDA, XDM]).problems == ()
    mixed = documents_in([CDA, other])
    assert mixed.problems == ("patients-several",)
    assert mixed.whole, "each of them was read"
    second = cda(number="146026322000196")
    described = request(extrinsic("A.XML", cda()), extrinsic("B.XML", second))
    files = {"IHE_XDM/S/METADATA.XML": described, "IHE_XDM/S/A.XML": cda(), "IHE_XDM/S/B.XML": second}
    found = documents_in([Attachment("IHE_XDM.ZIP", "application/zip", zipped(files))])
    assert found.problems == ("patients-several",)
    assert found.documents[1].problems == ("patient-differs", "ins-test")


def test_archives_of_one_mail_are_counted():
    contents = documents_in([XDM] * (ARCHIVES_LIMIT + 1))
    assert len(contents.documents) == ARCHIVES_LIMIT
    assert contents.problems == ("archives-many",)
    assert not contents.whole


@given(st.lists(st.tuples(st.sampled_from(["IHE_XDM.ZIP", "a.xml", "b.zip"]), st.binary(max_size=60)), max_size=4))
def test_any_files(files: list[tuple[str, bytes]]):
    documents_in([Attachment(name, "application/octet-stream", data) for name, data in files])
