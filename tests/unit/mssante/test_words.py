"""A mail's own words in an event, in both forms, and what is said above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from colloque.mail.html import to_text, words
from colloque.mail.message import WHOLE_MAIL, Party
from colloque.mail.parse import FILES_SHOWN, parse_mail
from colloque_mssante.mapping.mapping import Draft, Head, to_drafts
from colloque_mssante.mapping.targets import Answers
from colloque_mssante.mapping.words import TEXT_BYTES
from colloque_mssante.texts import mails as texts

DATA = Path(__file__).parents[2] / "data" / "mail"
HEAD_BYTES = b"""From: "Dr B" <b@cabinet.mssante.test>
To: "Dr A" <a@medecin.mssante.test>
Subject: CR DUPONT Marie
Date: Mon, 02 Mar 2026 09:00:00 +0100
Message-ID: <1@cabinet.mssante.test>"""
HEAD = Head("Dr B <b@cabinet.mssante.test>", warning="", thread=3, answers=Answers(Party("", "b@cabinet.mssante.test")))


def drafts_of(raw: bytes) -> list[Draft]:
    return to_drafts(parse_mail(raw), head=HEAD, root=None, answered=None)


def event(raw: bytes) -> dict[str, Any]:
    return drafts_of(raw)[0].content


HTML = HEAD_BYTES + b"\nContent-Type: text/html; charset=utf-8\n\n"


def test_rich_text_has_the_same_head_and_the_same_words() -> None:
    draft = drafts_of(HTML.replace(b"CR DUPONT", b"CR <b>DUPONT</b> &amp;") + b"<p>Dose <s>10</s> <b>5 mg</b></p>")[0]
    content = draft.content
    assert content["format"] == "org.matrix.custom.html"
    head, _, rest = content["formatted_body"].partition("<br><br>")
    assert head.startswith(f"{texts.MAIL_TITLE} · fil 3<br>De : Dr B &lt;b@cabinet.mssante.test&gt;<br>")
    assert "Objet : CR &lt;b&gt;DUPONT&lt;/b&gt; &amp;amp; Marie" in head
    assert rest == "<p>Dose <del>10</del> <b>5 mg</b></p>"
    assert content["body"].endswith("Dose ~~10~~ 5 mg")


def test_rich_text_that_does_not_fit_beside_the_text_is_left_out() -> None:
    row = b"<tr><td>Na</td><td>140</td></tr>"
    assert "formatted_body" in drafts_of(HTML + b"<table>" + row * 100 + b"</table>")[0].content
    content = drafts_of(HTML + b"<table>" + row * 800 + b"</table>")[0].content
    assert "formatted_body" not in content
    assert "format" not in content
    assert "Na  140" in content["body"]


def test_a_text_alone_has_no_rich_form() -> None:
    assert "formatted_body" not in event(HEAD_BYTES + b"\n\nBonjour")
    assert "formatted_body" not in drafts_of(HTML + b"<p>Bonjour</p>")[0].content


@pytest.mark.parametrize(
    ("headers", "note"),
    [
        (b"Auto-Submitted: auto-replied (vacation)", texts.AUTOMATIC_REPLY),
        (b"Precedence: auto_reply", texts.AUTOMATIC_REPLY),
        (b"Auto-Submitted: auto-generated", texts.AUTOMATIC),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data", texts.ENCRYPTED),
    ],
)
def test_what_is_to_be_known_of_a_mail_stands_in_its_head(headers: bytes, note: str) -> None:
    body = drafts_of(HEAD_BYTES + b"\n" + headers + b"\n\nBonjour")[0].content["body"]
    assert body.split("\n\n", 1)[0].split("\n")[-2:] == ["Objet : CR DUPONT Marie", note]


def test_a_sealed_mail_is_not_said_to_have_no_text() -> None:
    for kind in ("smime-enveloped", "pgp-encrypted"):
        first, *files = drafts_of((DATA / f"{kind}.eml").read_bytes())
        assert "🔒 Ce message est chiffré" in first.content["body"].split("\n")[-1]
        assert files
    assert texts.NO_TEXT in drafts_of((DATA / "smime-damaged.eml").read_bytes())[0].content["body"]


@pytest.mark.parametrize("headers", [b"Auto-Submitted: no", b"Precedence: list", b"X-A: b"])
def test_a_mail_of_a_person_has_no_such_line(headers: bytes) -> None:
    body = drafts_of(HEAD_BYTES + b"\n" + headers + b"\n\nBonjour")[0].content["body"]
    assert body.endswith("Objet : CR DUPONT Marie\n\nBonjour")


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("DTSTART:20260302T080000Z", "DTEND:20260302T090000Z", "02/03/2026 de 09:00 à 10:00"),
        ("DTSTART:20260302T080000Z", "X-A:b", "02/03/2026 à 09:00"),
        ("DTSTART:20260302T080000Z", "DTEND:20260303T090000Z", "du 02/03/2026 à 09:00 au 03/03/2026 à 10:00"),
        ("DTSTART:20260302", "DTEND:20260303", "02/03/2026, toute la journée"),
        ("DTSTART:20260302", "DTEND:20260305", "du 02/03/2026 au 04/03/2026"),
        ("DTSTART:20260302", "RRULE:FREQ=DAILY", "02/03/2026, toute la journée (répété)"),
    ],
)
def test_a_meeting_in_a_line(start: str, end: str, said: str) -> None:
    event = f"BEGIN:VEVENT\nUID:1\n{start}\n{end}\nSUMMARY:RCP <b>\nLOCATION:Salle 2\nEND:VEVENT"
    raw = HEAD_BYTES + b"\nContent-Type: text/calendar; method=REQUEST\n\n"
    raw += f"BEGIN:VCALENDAR\nMETHOD:REQUEST\n{event}\nEND:VCALENDAR\n".encode()
    first, file = drafts_of(raw)
    assert f"\n📅 Invitation : {said} · RCP <b> · lieu : Salle 2\n\n" in first.content["body"]
    assert file.file.mime == "text/calendar"


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.eml")), ids=lambda p: p.name)
def test_both_forms_of_every_awkward_mail_fit_and_say_the_same(path: Path) -> None:
    content = to_drafts(parse_mail(path.read_bytes()), head=HEAD, root=None, answered=None)[0].content
    rich = content.get("formatted_body", "")
    assert len(content["body"].encode()) + len(rich.encode()) <= TEXT_BYTES
    if rich:
        assert words(to_text(rich)[0]) == words(content["body"])


def test_a_mail_of_too_many_files_says_where_the_others_are() -> None:
    part = b"--b\nContent-Type: application/pdf; name=a.pdf\n\nx\n"
    head, *files = drafts_of(HEAD_BYTES + b"\nContent-Type: multipart/mixed; boundary=b\n\n" + part * 20_000 + b"--b--")
    assert texts.MANY_FILES in head.content["body"].split("\n")
    names = [draft.file.name for draft in files if draft.file is not None]
    assert (len(names), names[-1]) == (FILES_SHOWN + 1, WHOLE_MAIL)
    assert [draft.rank for draft in files] == list(range(1, FILES_SHOWN + 2))
