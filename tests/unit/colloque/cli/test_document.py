"""`colloque document show` tells what is understood, and no patient unless asked."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from colloque.cli.exits import DATA, NO, NO_INPUT, USAGE
from colloque.cli.main import main
from tests.clinical import NUMBER, archive, cda, extrinsic, n3_body, request, zipped

PATIENT = ("ESSAI-DUPONT", "Zélie", "MARTIN", NUMBER, "1979", "IPP7")
MAIL = f"""From: "Dr B" <b@cabinet.mssante.test>
To: {NUMBER}@patient.mssante.test, a@medecin.mssante.test
Subject: XDM/1.0/DDM+2 documents ESSAI-DUPONT Zelie 28/03/1979
Date: Mon, 02 Mar 2026 09:00:00 +0100
Message-ID: <1@cabinet.mssante.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: application/zip; name=IHE_XDM.ZIP
Content-Transfer-Encoding: base64

{{}}
--b
Content-Type: application/pdf; name="20210104_CR_ESSAI-DUPONT_Zelie.pdf"

%PDF-1.4
--b--
"""


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def run(name: str, data: bytes, *options: str) -> tuple[int, Any, str]:
        path = tmp_path / name
        path.write_bytes(data)
        code = main(["document", "show", str(path), *options])
        out, err = capsys.readouterr()
        assert not any(word in err for word in PATIENT)
        return code, json.loads(out), out

    return run


def mail(data: bytes) -> bytes:
    return MAIL.format(base64.encodebytes(data).decode()).encode()


def test_a_cda(show):
    code, told, out = show("cr.XML", cda())
    assert code == 0
    [document] = told["documents"]
    assert document["type"] == {
        "code": "11502-2",
        "label": "CR d'examens biologiques",
        "system": "2.16.840.1.113883.6.1",
    }
    assert document["title"] == "Compte rendu d'examens biologiques"
    assert document["date"] == {"at": "2021-04-01T13:47:45+01:00", "precision": "second"}
    assert document["level"] == "N1"
    assert document["authors"][0] == {
        "name": "Dr Marc ESSAI",
        "rpps": "99700000010",
        "role": {"code": "G15_10/SM03", "label": "Médecin - Biologie médicale (SM)", "system": "1.2.250.1.213.1.1.4.5"},
        "organization": "Laboratoire d'essai",
    }
    assert [(r["name"], r["copy"]) for r in document["recipients"]] == [
        ("Dr Léa ESSAI-B", False),
        ("CHU d'essai", True),
    ]
    assert document["patient"] == {"systems": ["INS-NIR de test (1.2.250.1.213.1.4.10)", "1.2.3.4"], "qualified": True}
    assert document["files"][0]["type"] == "application/pdf"
    assert document["problems"] == ["ins-test"]
    assert not any(word in out for word in PATIENT)


def test_the_patient_comes_when_asked_for(show):
    code, told, _ = show("cr.xml", cda(n3_body()), "--patient")
    assert code == 0
    [document] = told["documents"]
    assert (document["level"], document["sections"]) == ("N3", 2)
    assert document["patient"] == {
        "systems": ["INS-NIR de test (1.2.250.1.213.1.4.10)", "1.2.3.4"],
        "qualified": True,
        "numbers": [NUMBER, "IPP7"],
        "family": "ESSAI-DUPONT",
        "given": "Zélie",
        "birth": {"at": "1979-03-28T00:00:00+01:00", "precision": "day"},
        "sex": "F",
    }


def test_an_archive(show):
    code, told, out = show("x.zip", archive())
    assert code == 0
    [document] = told["documents"]
    assert document["path"] == "IHE_XDM/SUBSET01/DOC00001.XML"
    assert document["metadata_patient"] == "INS-NIR de test (1.2.250.1.213.1.4.10)"
    assert not any(word in out for word in PATIENT)


def test_a_mail(show):
    code, told, out = show("m.eml", mail(archive()))
    assert code == 0
    assert told["announces"] == 2
    assert (told["from"], told["to"]) == ("b@cabinet.mssante.test", ["(patient)", "a@medecin.mssante.test"])
    assert [(a["extension"], a["type"]) for a in told["attachments"]] == [
        (".zip", "application/zip"),
        (".pdf", "application/pdf"),
    ]
    assert len(told["documents"]) == 1
    assert not any(word.encode() in out.encode() for word in (*PATIENT, "Zelie"))
    _, identified, _ = show("m.eml", mail(archive()), "--patient")
    assert identified["subject"].endswith("ESSAI-DUPONT Zelie 28/03/1979")
    assert identified["attachments"][1]["name"] == "20210104_CR_ESSAI-DUPONT_Zelie.pdf"
    assert identified["to"][0] == f"{NUMBER}@patient.mssante.test"


def test_a_file_that_is_no_cda(show):
    described = request(extrinsic("SCAN.PDF", b"%PDF", mime="application/pdf"))
    code, told, _ = show("x.zip", zipped({"IHE_XDM/S/METADATA.XML": described, "IHE_XDM/S/SCAN.PDF": b"%PDF"}))
    assert code == 0
    assert told["documents"][0]["file"] == {"type": "application/pdf", "size": 4}


def test_no_document_is_not_an_unreadable_one(show):
    nothing = zipped({"IHE_XDM/SUBSET01/METADATA.XML": request()})
    assert show("x.zip", nothing)[:2] == (NO, {"documents": [], "problems": []})
    assert show("m.eml", b"Subject: a\n\nb")[0] == NO
    code, told, _ = show("x.zip", b"no zip")
    assert (code, told) == (DATA, {"documents": [], "problems": ["zip-damaged"]})
    code, told, _ = show("x.xml", b"<!DOCTYPE a><a/>")
    assert code == DATA
    assert told["documents"] == [{"path": "", "read": False, "metadata_patient": None, "problems": ["xml-dtd"]}]
    code, told, _ = show("m.eml", mail(archive(hash="0" * 40)))
    assert code == DATA
    assert told["documents"][0]["problems"] == ["hash-differs"]


def test_what_cannot_be_looked_at(show, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, told, _ = show("x.pdf", b"%PDF")
    assert (code, told["refused"]) == (DATA, "input.bad")
    assert main(["document", "show", str(tmp_path / "none.xml")]) == NO_INPUT
    assert json.loads(capsys.readouterr().out)["refused"] == "input.unreadable"
    with pytest.raises(SystemExit) as caught:
        main(["document", "show"])
    assert caught.value.code == USAGE
