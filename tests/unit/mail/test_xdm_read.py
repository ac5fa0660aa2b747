"""An archive's documents: whatever the case of names, however many subsets; checked against their metadata."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.mail.hl7 import Identifier
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xdm import Package
from colloque.mail.xdm_read import read_xdm
from tests.clinical import INS_TEST, NUMBER, archive, cda, extrinsic, request, zipped

FOLDER = "IHE_XDM/SUBSET01"
DOCUMENT = cda()


def problems(package: Package) -> list[tuple[str, ...]]:
    return [entry.problems for entry in package.entries]


def test_a_document_with_what_its_metadata_say():
    package = read_xdm(archive())
    [entry] = package.entries
    assert (entry.path, entry.mime, entry.title) == (f"{FOLDER}/DOC00001.XML", "text/xml", "CR d'examens")
    assert entry.type is not None
    assert (entry.type.code, entry.type.label) == ("11502-2", "CR d'examens biologiques")
    assert entry.created is not None
    assert entry.created.hl7 == "20210401114745+0000"
    assert entry.unique_id == "1.2.3.4.5^DOC-1"
    assert entry.patient == Identifier(INS_TEST, NUMBER)
    assert entry.data == DOCUMENT
    assert entry.document is not None
    assert entry.document.title == "Compte rendu d'examens biologiques"
    assert (entry.problems, package.problems) == ((), ())


@pytest.mark.parametrize("fold", [str.lower, str.title, lambda name: name.replace("/", "\\")])
def test_names_have_no_case_and_either_slash(fold):
    described = request(extrinsic("doc00001.XML", DOCUMENT))
    files = {f"{FOLDER}/METADATA.XML": described, f"{FOLDER}/DOC00001.XML": DOCUMENT}
    package = read_xdm(zipped({fold(name): data for name, data in files.items()}))
    assert problems(package) == [()]


def test_several_subsets_and_several_documents():
    other = cda(title="Autre")
    files = {
        "IHE_XDM/SUBSET02/METADATA.XML": request(extrinsic("A.XML", other), extrinsic("B.XML", DOCUMENT)),
        "IHE_XDM/SUBSET02/A.XML": other,
        "IHE_XDM/SUBSET02/B.XML": DOCUMENT,
        f"{FOLDER}/METADATA.XML": request(extrinsic("A.XML", DOCUMENT)),
        f"{FOLDER}/A.XML": DOCUMENT,
    }
    package = read_xdm(zipped(files))
    titles = [entry.document.title for entry in package.entries if entry.document is not None]
    assert titles == [DOCUMENT_TITLE, "Autre", DOCUMENT_TITLE]
    assert package.problems == ()


DOCUMENT_TITLE = "Compte rendu d'examens biologiques"


def test_no_document_is_no_problem_only_where_there_is_none():
    assert read_xdm(zipped({f"{FOLDER}/METADATA.XML": request()})) == Package(())
    unlisted = {f"{FOLDER}/METADATA.XML": request(), f"{FOLDER}/DOC00001.XML": DOCUMENT}
    assert read_xdm(zipped(unlisted)) == Package((), ("file-unlisted",))


@pytest.mark.parametrize(
    ("changed", "found", "read"),
    [
        ({"hash": "0" * 40}, ("hash-differs",), False),
        ({"size": "3"}, ("size-differs",), False),
        ({"hash": "0" * 40, "size": "3"}, ("size-differs", "hash-differs"), False),
        ({"hash": ""}, ("hash-missing",), True),
        ({"size": "", "hash": ""}, ("size-missing", "hash-missing"), True),
        ({"patient": ""}, ("patient-number-missing",), True),
        ({"patient": f"1{NUMBER[1:]}^^^&amp;{INS_TEST}&amp;ISO^NH"}, ("patient-differs",), True),
        ({"patient": f"{NUMBER}^^^&amp;1.2.250.1.213.1.4.8&amp;ISO^NH"}, ("patient-differs",), True),
        ({"patient": "IPP7^^^&amp;1.2.3.4&amp;ISO^PI"}, (), True),
    ],
)
def test_a_document_that_is_not_the_one_described(changed: dict[str, str], found: tuple[str, ...], read: bool):
    [entry] = read_xdm(archive(**changed)).entries
    assert entry.problems == found
    assert (entry.document is not None, entry.data is not None) == (read, read)


def test_documents_that_are_missing_unreadable_or_something_else():
    inner = zipped({"a.txt": b"a"})
    named = {"GONE.XML": b"", "BAD.XML": b"<a", "OTHER.XML": b"<a/>", "IN.XML": inner}
    described = request(
        *(extrinsic(uri, data) for uri, data in named.items()),
        extrinsic("SCAN.PDF", b"%PDF-1.4", mime="application/pdf"),
        extrinsic("GOOD.XML", DOCUMENT),
    )
    files = {f"{FOLDER}/{uri}": data for uri, data in named.items() if uri != "GONE.XML"}
    files |= {f"{FOLDER}/SCAN.PDF": b"%PDF-1.4", f"{FOLDER}/GOOD.XML": DOCUMENT}
    package = read_xdm(zipped(files | {f"{FOLDER}/METADATA.XML": described}))
    assert problems(package) == [("file-missing",), ("xml-malformed",), ("not-cda",), ("nested-archive",), (), ()]
    scan, good = package.entries[4:]
    assert (scan.mime, scan.data, scan.document) == ("application/pdf", b"%PDF-1.4", None)
    assert good.document is not None


def test_two_patients_in_one_archive():
    second = cda(number="146026322000196")
    described = request(
        extrinsic("A.XML", DOCUMENT),
        extrinsic("B.XML", second, patient=f"146026322000196^^^&amp;{INS_TEST}&amp;ISO^NH"),
    )
    files = {f"{FOLDER}/METADATA.XML": described, f"{FOLDER}/A.XML": DOCUMENT, f"{FOLDER}/B.XML": second}
    assert read_xdm(zipped(files)).problems == ("patients-several",)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 8000), st.binary(max_size=8), st.integers(0, 60))
def test_a_damaged_archive_is_refused_or_names_what_is_wrong(at: int, put: bytes, cut: int):
    whole = archive()
    at %= len(whole)
    raw = whole[:at] + put + whole[at + cut :]
    try:
        package = read_xdm(raw)
    except DocumentRefused:
        return
    if raw != whole:  # what still reads as a document is the very one that was sent
        assert all(entry.data in {DOCUMENT, None} for entry in package.entries)
        assert all(entry.data is not None or entry.problems for entry in package.entries)
