"""Awkward mails, each with its right outcome; and of every one: nothing is lost."""

from __future__ import annotations

import email
import email.policy
import html
import re
from email.message import Message
from pathlib import Path

import pytest

from colloque.mail.html import words
from colloque.mail.message import Mail, Party
from colloque.mail.parse import parse_mail
from tests.unit.mail.corpus import CORPUS, PATHS, read

NAMES = list(PATHS)


def files(mail: Mail) -> dict[str, bytes]:
    return {a.name: a.data for a in mail.attachments}


def test_the_corpus_is_there():
    assert len(NAMES) == len(list(CORPUS.rglob("*.eml"))) >= 140


def test_every_mail_has_its_outcome():
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_corpus*.py"))
    assert [name for name in NAMES if f'"{name}"' not in tests] == []


READ_OTHERWISE = {
    "flowed-delsp": "a word that was broken is whole again",
    "forward-base64": "the other parser decodes no messages",
}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in READ_OTHERWISE])
def test_no_leaf_is_lost(name: str):
    """Judged by another parser: each leaf it sees stands in the text or among the attachments."""
    raw = PATHS[name].read_bytes()
    mail = parse_mail(raw)
    shown = words(mail.text) | {w for a in mail.attachments for w in words(a.data.decode("utf-8", "replace"))}
    for part in email.message_from_bytes(raw).walk():
        if part.is_multipart() or (part.get_content_type() == "application/ms-tnef" and "tnef" not in mail.problems):
            continue  # a package that was read whole gives way to what it held
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        travelled = part.get_payload().encode("utf-8", "surrogateescape")
        exact = any(payload.strip() in a.data or travelled.strip() in a.data for a in mail.attachments)
        assert exact or _words_of(part, payload) <= shown


def _words_of(part: Message, payload: bytes) -> set[str]:
    charset = part.get_content_charset() or "utf-8"
    try:
        text = payload.decode({"iso-8859-1": "cp1252", "us-ascii": "utf-8"}.get(charset, charset), "replace")
    except LookupError:
        text = payload.decode("utf-8", "replace")
    if part.get_content_type() == "text/html":
        text = "".join(piece.partition(">")[2] for piece in text.partition("<script")[0].split("<"))
        text = html.unescape(re.sub(r"p\{color:red\}|\.x\{display:none\}", "", text)).replace("\0", "")
    return words(text)


@pytest.mark.parametrize("name", NAMES)
def test_reading_twice_is_reading_once(name: str):
    assert read(name) == read(name)


def test_plain_text_keeps_its_lines():
    mail = read("plain")
    assert mail.text == "Bonjour,\n\nPouvez-vous revoir ce dossier ?\n-- \nDr Arnoux"
    assert (mail.subject, mail.problems, mail.attachments) == ("Avis demandé", (), ())
    assert mail.sender == Party("Dr Camille Arnoux", "camille.arnoux@aura.mssante.example")
    assert mail.message_id == "<plain@aura.mssante.example>"


def test_raw_eight_bit_headers_and_cp1252_called_latin1():
    mail = read("raw-latin1-headers")
    assert (mail.sender.name, mail.subject) == ("Dr Renée Fauré", "Résultats du contrôle")
    assert mail.text == "Tension mesurée – rien à signaler…"


def test_an_unknown_charset_is_guessed_and_the_bytes_kept():
    mail = read("unknown-charset")
    assert mail.text == "Déjà vu hier"
    assert mail.problems == ("charset",)
    assert files(mail) == {"document-1.txt": "Déjà vu hier".encode()}


def test_base64_with_a_wrong_character_still_opens():
    mail = read("broken-base64")
    assert files(mail)["cr.pdf"].startswith(b"%PDF-1.4\n%fict")
    assert mail.problems == ("base64",)


def test_what_is_not_base64_is_read_as_it_stands():
    assert read("not-base64-at-all").text == "Ceci n'est pas du base64 : été, tension 12/8."


@pytest.mark.parametrize(
    ("name", "message_id", "problem"),
    [
        ("no-message-id", None, "message-id-missing"),
        ("two-message-ids", "<two-message-ids@aura.mssante.example>", "message-id-repeated"),
    ],
)
def test_message_ids(name: str, message_id: str | None, problem: str):
    mail = read(name)
    assert mail.message_id == message_id
    assert mail.problems == (problem,)


def test_simple_html_becomes_text_and_nothing_else():
    mail = read("html-simple")
    assert mail.text == "Bonjour cher confrère,\n\nTout va bien.\nÀ bientôt"
    assert mail.attachments == ()


def test_a_dose_is_not_misread():
    """An exponent and a struck-out dose survive in the text, and the original is kept beside it."""
    mail = read("html-dose")
    assert "150 10^9/L" in mail.text
    assert "~~10 mg~~ 5 mg" in mail.text
    assert list(files(mail)) == ["message.html"]


def test_hidden_text_is_shown():
    assert "Allergie connue" in read("html-hidden").text


def test_alternatives_that_say_the_same_are_shown_once():
    mail = read("alternative")
    assert (mail.text, mail.attachments) == ("Bonjour cher confrere", ())


def test_a_plain_text_that_says_nothing_gives_way():
    mail = read("alternative-stub")
    assert mail.text.startswith("Le patient sort demain")
    assert list(files(mail)) == ["message.txt"]


def test_an_inline_image_is_a_file():
    mail = read("inline-image")
    assert mail.text == "Voir la radio"
    assert [(a.name, a.mime, a.inline) for a in mail.attachments] == [
        ("radio.png", "image/png", True),
        ("message.html", "text/html", False),
    ]


def test_nested_parts_and_an_rfc2231_name():
    mail = read("nested")
    assert mail.subject == "TR : compte rendu"
    assert mail.text == "Voir ci-joint"
    found = files(mail)
    assert list(found) == ["compte rendu d'hémogramme.pdf", "document-2.eml"]
    assert b"Corps transmis" in found["document-2.eml"]


def test_two_files_of_one_name_can_both_be_reached():
    assert files(read("same-names")) == {"cr.pdf": b"premier", "CR (2).pdf": b"second", "document-3.pdf": b"sans nom"}


def test_a_cut_mail_gives_what_came():
    assert files(read("unterminated")) == {"a.csv": b"1;2\r\n"}


def test_a_boundary_that_never_shows():
    mail = read("no-boundary")
    assert mail.text == "Un texte qui n'est dans aucune partie."
    assert mail.problems == ("boundary",)


def test_damaged_quoted_printable():
    assert read("damaged-qp").text == "Créatinine =ZZ 80 µmol/L (suite)"


@pytest.mark.parametrize(
    ("name", "subject"),
    [("split-words", "Été clinique du patient é suité et fin"), ("split-character", "Été")],
)
def test_encoded_words_cut_anywhere(name: str, subject: str):
    assert read(name).subject == subject


def test_a_display_name_proves_nothing():
    mail = read("name-attack")
    assert mail.sender.address == "pirate@ailleurs.example"
    assert mail.subject == "abcod.exe"
    assert mail.reply_to == (Party("", "autre@ailleurs.example"),)
    assert [p.address for p in mail.to] == ["a@x.example", "b@x.example", "c@x.example"]
    assert mail.to[0].name == "Dupont, Anne"
    assert (mail.date, mail.problems) == (None, ("date",))


def test_two_authors_are_nobody_in_particular():
    mail = read("two-authors")
    assert mail.sender.address == ""
    assert mail.problems == ("from-repeated",)


def test_a_signature_is_a_file_and_a_calendar_too():
    assert list(files(read("signed"))) == ["smime.p7s"]
    assert list(files(read("calendar"))) == ["document-1.ics"]
    assert files(read("uuencoded")) == {"a.txt": b"bonjou"}


def test_an_absence_is_automatic_and_threaded():
    mail = read("out-of-office")
    assert mail.automatic
    assert mail.report is None
    assert mail.in_reply_to == "<question@aura.mssante.example>"
    assert mail.references == ("<racine@aura.mssante.example>", "<question@aura.mssante.example>")


def test_a_delivery_report_speaks_of_each_recipient():
    mail = read("dsn-delivered")
    assert mail.automatic
    assert [(r.kind, r.recipient, r.status) for r in mail.reports] == [
        ("delivered", "a@x.example", "2.0.0"),
        ("delayed", "b@x.example", "4.4.1"),
    ]
    assert mail.report is not None
    assert mail.report.envid == "abcdef0123456789"
    assert mail.report.original_message_id == "<notre-mail@aura.mssante.example>"


def test_a_failure_keeps_its_numbers_only():
    report = read("dsn-failed").report
    assert report is not None
    assert (report.kind, report.status, report.diagnostic_code) == ("failed", "5.1.1", "550")


@pytest.mark.parametrize(("name", "kind"), [("mdn-read", "read"), ("mdn-error", "error")])
def test_disposition_notifications(name: str, kind: str):
    report = read(name).report
    assert report is not None
    assert (report.kind, report.recipient) == (kind, "louis.berthet@aura.mssante.example")
    assert report.original_message_id == "<notre-mail@aura.mssante.example>"
