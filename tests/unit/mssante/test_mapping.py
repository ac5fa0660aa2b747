"""Mail to events and back, by value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from colloque.identity import EventId, RoomId, UserId
from colloque.mail.message import Party
from colloque.mail.parse import parse_mail
from colloque.matrix.home import Incoming, reaction, text, without_quote
from colloque_mssante.mapping.drafts import Line
from colloque_mssante.mapping.mapping import (
    Changed,
    Head,
    No,
    Struck,
    Tap,
    Written,
    file_content,
    mail_key,
    to_drafts,
    to_meant,
    txn,
)
from colloque_mssante.mapping.targets import Answers
from colloque_mssante.mapping.words import TEXT_BYTES
from colloque_mssante.texts import mails as texts

DATA = Path(__file__).parents[2] / "data" / "mail"
MAIL = b"""From: "Dr B" <b@cabinet.mssante.test>
To: "Dr A" <a@medecin.mssante.test>, c@medecin.mssante.test
Cc: d@medecin.mssante.test
Subject: CR DUPONT Marie
Date: Mon, 02 Mar 2026 09:00:00 +0100
Message-ID: <1@cabinet.mssante.test>

Bonjour,
voici.
"""
BODY = "bonjour"


HEAD = Head("Dr B <b@cabinet.mssante.test>", warning="", thread=3, answers=Answers(Party("", "b@cabinet.mssante.test")))
ROOT, ANSWERED = EventId("$root"), EventId("$answered")


def drafts_of(raw: bytes, head: Head = HEAD, root: EventId | None = None, answered: EventId | None = None) -> list[Any]:
    return to_drafts(parse_mail(raw), head=head, root=root, answered=answered)


def test_the_first_line_says_nothing_of_anybody() -> None:
    [draft] = drafts_of(MAIL)
    lines = draft.content["body"].split("\n")
    assert lines[0] == f"{texts.MAIL_TITLE} · fil 3"
    assert lines[1:] == [
        "De : Dr B <b@cabinet.mssante.test>",
        "À : Dr A <a@medecin.mssante.test>, c@medecin.mssante.test",
        "Copie : d@medecin.mssante.test",
        "Date : 02/03/2026 à 09:00",
        "Objet : CR DUPONT Marie",
        "",
        "Bonjour,",
        "voici.",
    ]
    assert draft.file is None


def test_who_is_not_in_the_directory_stands_out() -> None:
    [draft] = drafts_of(MAIL, replace(HEAD, warning=texts.FROM_UNVERIFIED))
    assert draft.content["body"].split("\n")[1] == texts.FROM_UNVERIFIED


def test_an_answer_is_tied_to_what_it_answers() -> None:
    [draft] = drafts_of(MAIL, answered=ANSWERED)
    assert draft.content["m.relates_to"] == {"m.in_reply_to": {"event_id": ANSWERED}}


def test_a_thread_of_mails_is_one_of_events() -> None:
    [first] = drafts_of(MAIL)
    assert "m.relates_to" not in first.content
    raw = MAIL.split(b"\n\n", 1)[0] + b"\nContent-Type: image/png\nContent-Disposition: attachment\n\nx\n"
    later, file = drafts_of(raw, root=ROOT, answered=ANSWERED)
    thread = {"rel_type": "m.thread", "event_id": ROOT}
    assert later.content["m.relates_to"] == thread | {
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": ANSWERED},
    }
    assert file.content["m.relates_to"] == thread | {"is_falling_back": True, "m.in_reply_to": {"event_id": ROOT}}
    assert "m.relates_to" not in drafts_of(raw)[1].content, "files of the first mail must not be folded away"


def test_where_answers_go_is_said_when_it_is_not_the_author() -> None:
    followed = replace(HEAD, answers=Answers(Party("S", "s@cabinet.mssante.test"), followed=True))
    assert "Les réponses iront à : S <s@cabinet.mssante.test>" in drafts_of(MAIL, followed)[0].content["body"]
    ignored = replace(HEAD, answers=Answers(HEAD.answers.to, ignored=("x@exemple.test",)))
    assert "⚠️ Adresse de réponse non suivie : x@exemple.test" in drafts_of(MAIL, ignored)[0].content["body"]


def test_a_mail_without_subject_and_text_says_so() -> None:
    [draft] = drafts_of(b"From: b@cabinet.mssante.test\nTo: a@medecin.mssante.test\n\n")
    assert f"Objet : {texts.NO_SUBJECT}" in draft.content["body"]
    assert draft.content["body"].endswith(texts.NO_TEXT)


@pytest.mark.parametrize("letter", ["é", "\\", '"', "😀"])
def test_a_long_text_fits_in_an_event_and_stays_whole_as_a_file(letter: str) -> None:
    body = (letter * 60 + "\n") * 2000
    raw = MAIL.split(b"\n\n", 1)[0] + b"\nContent-Type: text/plain; charset=utf-8\n\n" + body.encode()
    shown, whole = drafts_of(raw)
    assert len(shown.content["body"].encode()) <= TEXT_BYTES
    assert shown.content["body"].endswith(texts.CUT)
    assert whole.file.name == "message.txt"
    assert body.strip("\n") in whole.file.data.decode()


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.eml")), ids=lambda p: p.name)
def test_every_awkward_mail_has_a_neutral_first_line_and_all_its_files(path: Path) -> None:
    mail = parse_mail(path.read_bytes())
    first, *files = to_drafts(mail, head=HEAD, root=None, answered=None)
    assert first.content["body"].split("\n")[0] == f"{texts.MAIL_TITLE} · fil 3"
    assert [d.file for d in files][: len(mail.attachments)] == list(mail.attachments)
    assert [d.rank for d in (first, *files)] == list(range(len(files) + 1))


def test_a_file_event_shows_its_name_inside_only() -> None:
    raw = (
        MAIL.split(b"\n\n", 1)[0]
        + b"\nContent-Type: image/png\nContent-Disposition: attachment; filename=DUPONT_Marie.png\n\nx\n"
    )
    draft = drafts_of(raw)[1]
    content = file_content(draft.file, {"url": "mxc://h/1"})
    assert content["body"] == texts.FILE_TITLE
    assert content["filename"] == "DUPONT_Marie.png"
    assert content["msgtype"] == "m.image"
    assert content["file"] == {"url": "mxc://h/1"}


def test_ids_follow_from_mailbox_digest_and_part() -> None:
    ids = {txn("a@x.test", "d1", 0), txn("a@x.test", "d1", 1), txn("a@x.test", "d2", 0), txn("b@x.test", "d1", 0)}
    assert len(ids) == 4
    assert txn("a@x.test", "d1", 0) in ids
    assert mail_key("a@x.test", "d1") != mail_key("b@x.test", "d1")


# out


def said(content: dict[str, Any], type_: str = "m.room.message") -> Incoming:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    return Incoming(
        RoomId("!r"), EventId("$e"), UserId("@a:h.test"), now, type_, content, encrypted=True, device_signed=True
    )


def answering(content: dict[str, Any]) -> dict[str, Any]:
    return content | {"m.relates_to": {"m.in_reply_to": {"event_id": "$mail"}}}


FILE = {
    "msgtype": "m.file",
    "body": "lettre.pdf",
    "file": {"url": "mxc://h/1"},
    "info": {"mimetype": "application/pdf"},
}


MAIL_EVENT = EventId("$mail")
ME = EventId("$e")


def a_file(name: str, mime: str = "application/octet-stream", size: int | None = None) -> dict[str, Any]:
    return {"file": FILE["file"], "name": name, "mime": mime, "size": size}


def test_a_reply_names_what_it_answers() -> None:
    assert to_meant(said(answering(text("Merci")))) == Written(Line(ME, "Merci"), MAIL_EVENT)


def test_a_message_alone_names_nothing() -> None:
    assert to_meant(said(text("seul"))) == Written(Line(ME, "seul"))
    assert to_meant(said(text("x") | {"m.relates_to": "rien"})) == Written(Line(ME, "x"))


def test_a_file_has_its_caption_as_words() -> None:
    plain = to_meant(said(answering(FILE)))
    assert plain == Written(Line(ME, "", a_file("lettre.pdf", "application/pdf")), MAIL_EVENT)
    captioned = to_meant(said(answering(FILE | {"filename": "x.pdf", "body": "Voici", "info": {"size": 12}})))
    assert captioned == Written(Line(ME, "Voici", a_file("x.pdf", size=12)), MAIL_EVENT)


def edit(new: dict[str, Any]) -> dict[str, Any]:
    return text("* x") | {"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": "$old"}}


def test_second_thoughts() -> None:
    old = EventId("$old")
    assert to_meant(said(edit(text("autre")))) == Changed(Line(old, "autre"))
    assert to_meant(said(edit(text("!envois")))) == Changed(Line(old, ""))
    assert to_meant(said(edit(text("  ")))) == Changed(Line(old, ""))
    assert to_meant(said({"redacts": "$old"}, "m.room.redaction")) == Struck(old)
    assert to_meant(said(reaction(old, "👥"), "m.reaction")) == Tap(old, "👥")


THREAD = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$last"}}


@pytest.mark.parametrize(
    ("content", "type_", "no"),
    [
        (answering(text("!envois")), "m.room.message", No.COMMAND),
        (answering(text("  ! patient ouvrir")), "m.room.message", No.COMMAND),
        (answering(text("> <@b:h.test> a\n\n!envois")), "m.room.message", No.COMMAND),
        (answering(FILE | {"filename": "x.pdf", "body": "!envois"}), "m.room.message", No.CAPTION),
        (answering(text("   \n")), "m.room.message", No.EMPTY),
        (answering({"msgtype": "m.location", "body": "ici"}), "m.room.message", No.NOT_SENDABLE),
        (answering({"msgtype": "m.notice", "body": "ici"}), "m.room.message", No.NOT_SENDABLE),
        (answering({"msgtype": "m.emote", "body": "ici"}), "m.room.message", No.NOT_SENDABLE),
        (answering({"msgtype": "m.file", "body": "x", "url": "mxc://h/1"}), "m.room.message", No.FILE_IN_CLEAR),
        (text("* x") | {"m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}}, "m.room.message", No.SILENT),
        (answering({"body": "ours"}), "m.sticker", No.NOT_SENDABLE),
        ({"org.matrix.msc3381.poll.start": {}}, "org.matrix.msc3381.poll.start", No.NOT_SENDABLE),
        ({"m.relates_to": 3}, "m.reaction", No.SILENT),
        ({"redacts": 3}, "m.room.redaction", No.SILENT),
        ({}, "m.call.invite", No.SILENT),
        ({}, "m.room.message", No.NOT_SENDABLE),
    ],
)
def test_nothing_else_leaves(content: dict[str, Any], type_: str, no: No) -> None:
    assert to_meant(said(content, type_)) is no


def test_in_a_thread() -> None:
    chosen = text("x") | {"m.relates_to": THREAD | {"is_falling_back": False}}
    assert to_meant(said(chosen)) == Written(Line(ME, "x"), EventId("$last"))
    falling = text("x") | {"m.relates_to": THREAD | {"is_falling_back": True}}
    assert to_meant(said(falling)) == Written(Line(ME, "x"), None, ROOT)


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("> <@b:h.test> Bonjour\n> suite\n\nMerci", "Merci"),
        ("> * <@b:h.test> Bonjour\n\nMerci\n> à vous", "Merci\n> à vous"),
        ("> cité à la main\n\nMerci", "> cité à la main\n\nMerci"),
        ("> <@b:h.test> Bonjour", ""),
        ("Merci", "Merci"),
    ],
)
def test_a_quotation_added_by_the_client_does_not_leave(body: str, own: str) -> None:
    assert without_quote(body) == own


@pytest.mark.parametrize(
    ("body", "formatted", "html"),
    [
        ("**trois** comprimés", "<strong>trois</strong> comprimés", "<strong>trois</strong> comprimés"),
        ("trois comprimés", "<p>trois comprimés</p>", ""),
        ("trois comprimés", "<b>deux</b> comprimés", ""),
        ("~~deux~~ trois", "<del>deux</del> trois<script>x()</script>", "<del>deux</del> trois"),
        ("oui **net**", "<mx-reply><blockquote>cité</blockquote></mx-reply>oui <b>net</b>", "oui <b>net</b>"),
        ("**voir** Anne", '<b>voir</b> <a href="https://matrix.to/#/@anne:h.test">Anne</a>', ""),
    ],
)
def test_html_leaves_where_it_says_the_same_words(body: str, formatted: str, html: str) -> None:
    content = {"msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": formatted}
    meant = to_meant(said(content))
    assert isinstance(meant, Written)
    assert (meant.line.words, meant.line.html) == (body, html)
