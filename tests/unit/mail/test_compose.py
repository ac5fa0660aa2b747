"""What leaves is well-formed whatever people type, reads back the same, and nothing injects a header."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.mail.compose import compose, compose_receipt, encoded_size, envid, message_id
from colloque.mail.message import Attachment, Outgoing, Party, one_line
from colloque.mail.parse import parse_mail

KEY = b"k" * 32
MAIL = Outgoing(
    message_id=message_id(KEY, "$event", "aura.mssante.example"),
    sender=Party("Dr Camille Arnoux", "camille.arnoux@aura.mssante.example"),
    to=(Party("", "louis.berthet@aura.mssante.example"),),
    subject="Avis",
    text="Bonjour",
    date=datetime(2026, 3, 2, 8, 12, tzinfo=UTC),
    nil="DEV000001",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def other_parser(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def well_formed(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    raw.decode("ascii")


def test_html_stands_beside_the_same_words() -> None:
    html = "<p>Prendre <del>deux</del> <strong>trois</strong> comprimés</p>"
    for files in ((), (Attachment("a.pdf", "application/pdf", b"x"),)):
        mail = replace(MAIL, text="Prendre ~~deux~~ **trois** comprimés", html=html, attachments=files)
        raw = compose(mail)
        well_formed(raw)
        assert raw == compose(mail)
        message = other_parser(raw)
        plain, rich = message.get_body(("plain",)), message.get_body(("html",))
        assert plain is not None
        assert rich is not None
        assert plain.get_content().strip() == mail.text
        assert html in rich.get_content()
        back = parse_mail(raw)
        assert "<del>deux</del>" in back.html
        assert {each.name for each in files} <= {each.name for each in back.attachments}


@given(TEXT, TEXT, TEXT, TEXT)
def test_what_people_type_reads_back(name: str, subject: str, text: str, file_name: str):
    mail = replace(
        MAIL,
        sender=Party(name, MAIL.sender.address),
        subject=subject,
        text=text,
        attachments=(Attachment(file_name or "x", "application/pdf", text.encode()),),
    )
    raw = compose(mail)
    well_formed(raw)
    assert raw == compose(mail)
    back = parse_mail(raw)
    assert back.sender == Party(one_line(name, 200), MAIL.sender.address)
    assert back.subject == one_line(subject, 1000)
    assert back.problems == ()
    assert back.attachments[0].data == text.encode()
    assert [k.lower() for k in other_parser(raw).keys()].count("bcc") == 0  # noqa: SIM118 - headers repeat


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=150))
def test_a_file_name_reads_back_for_others_too(name: str):
    mail = replace(MAIL, attachments=(Attachment("a" + name, "application/pdf", b"x"),))
    expected = one_line(("a" + name).replace("\\", "/").split("/")[-1], 200)
    if expected:
        part = next(other_parser(compose(mail)).iter_attachments())
        assert part.get_filename() == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=400))
def test_the_text_reads_back_for_others_too(text: str):
    body = other_parser(compose(replace(MAIL, text=text))).get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


def test_headers_of_a_reply():
    references = tuple(f"<{'r' * 70}{i}@aura.mssante.example>" for i in range(60))
    raw = compose(replace(MAIL, in_reply_to=references[-1], references=references, extra={"X-MSS-MES": "FIN"}))
    well_formed(raw)
    back = parse_mail(raw)
    assert back.in_reply_to == references[-1]
    assert back.references == (references[0], *references[-19:])
    head = other_parser(raw)
    assert head["X-MSS-NIL"] == "DEV000001"
    assert head["X-MSS-MES"] == "FIN"
    assert head["Disposition-Notification-To"] is None
    assert head["Content-Type"] == 'text/plain; charset="utf-8"'
    assert back.date == MAIL.date


@pytest.mark.parametrize(
    "wrong",
    [
        {"nil": " "},
        {"nil": "A\r\nBcc: x@y.example"},
        {"to": ()},
        {"to": (Party("", "a@b.example>, <c@d.example"),)},
        {"to": (Party("", "a@b.example\r\nBcc: c@d.example"),)},
        {"to": (Party("", "é@b.example"),)},
        {"sender": Party("x", "")},
        {"message_id": "<a b@c>"},
        {"in_reply_to": "<a@b>\r\nBcc: c@d"},
        {"references": ("a@b",)},
        {"extra": {"X-A": "1\n2"}},
        {"extra": {"X-A\r\nBcc": "1"}},
        {"extra": {"Bcc": "c@d.example"}},
        {"extra": {"Subject": "x"}},
        {"date": datetime(2026, 3, 2)},  # noqa: DTZ001 - that it is naive is the point
    ],
)
def test_what_can_not_stand_in_a_header_is_refused(wrong: dict[str, object]):
    with pytest.raises(BadInput):
        compose(replace(MAIL, **wrong))


def test_line_breaks_in_names_and_subjects_are_flattened():
    raw = compose(replace(MAIL, subject="a\r\nBcc: x@y.example", sender=Party("n\nX: y", MAIL.sender.address)))
    back = parse_mail(raw)
    assert back.subject == "a Bcc: x@y.example"
    assert back.sender.name == "n X: y"
    assert other_parser(raw)["Bcc"] is None


def test_a_receipt_reads_back_here_and_elsewhere():
    mail = replace(MAIL, in_reply_to="<asked@x>", subject="Lu : Bilan é", text="Affiché.\né")
    raw = compose_receipt(mail, reader="louis.berthet@aura.mssante.example", product="Colloque")
    well_formed(raw)
    back, other = parse_mail(raw), other_parser(raw)
    [report] = back.reports
    assert (report.kind, report.original_message_id) == ("read", "<asked@x>")
    assert report.recipient == "louis.berthet@aura.mssante.example"
    assert (back.text.strip(), back.automatic, back.subject) == ("Affiché.\né", True, "Lu : Bilan é")
    assert (other.get_content_type(), other.get_param("report-type")) == (
        "multipart/report",
        "disposition-notification",
    )
    assert [part.get_content_type() for part in other.iter_parts()] == [
        "text/plain",
        "message/disposition-notification",
    ]
    assert raw == compose_receipt(mail, reader="louis.berthet@aura.mssante.example", product="Colloque")
    for wrong in (replace(mail, in_reply_to=None), replace(mail, in_reply_to="<a\r\nBcc: x@x>")):
        with pytest.raises(BadInput):
            compose_receipt(wrong, reader="louis.berthet@aura.mssante.example", product="Colloque")
    with pytest.raises(BadInput):
        compose_receipt(mail, reader="x\r\ny@x", product="Colloque")


def test_derived_ids_are_stable_opaque_and_apart():
    one = message_id(KEY, "$event:server", "x.example")
    assert one == message_id(KEY, "$event:server", "x.example")
    assert one != message_id(b"other", "$event:server", "x.example")
    assert "event" not in one
    assert envid(KEY, "$event:server") not in one


@given(st.integers(0, 5000))
def test_the_encoded_size_is_exact(count: int):
    raw = compose(replace(MAIL, attachments=(Attachment("a.bin", "application/octet-stream", bytes(count)),)))
    body = raw.rpartition(b"\r\n--=_")[0].rpartition(b"\r\n\r\n")[2]
    assert encoded_size(count) == (len(body) if count else 0)
