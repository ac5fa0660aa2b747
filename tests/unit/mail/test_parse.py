"""Any bytes at all can be read, in bounded time and depth."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colloque.mail.message import TEXT_LIMIT, WHOLE_MAIL, one_line
from colloque.mail.mime import PARTS_LIMIT
from colloque.mail.parse import FILES_SHOWN, parse_mail
from colloque.mail.parties import is_address, parties
from colloque.mail.words import decode_header, parameters

CORPUS = [
    p.read_bytes() for p in sorted((Path(__file__).parents[2] / "data" / "mail").rglob("?*.eml")) if p.stat().st_size
]
HEADER = st.sampled_from(
    b"From: |Date: |Subject: =?|\r\n|--b\r\n|--b--|<p>|<![CDATA[|filename*0*=x'y'%ff;"
    b"|Content-Type: multipart/mixed; boundary=b\r\n|Content-Type: text/html; charset=utf-7\r\n"
    b"|Content-Type: message/delivery-status\r\n\r\n|Content-Type: text/plain; charset=idna"
    b"|Content-Transfer-Encoding: base64\r\n".split(b"|")
)


def check(raw: bytes) -> None:
    mail = parse_mail(raw)
    assert mail == parse_mail(raw)
    for party in (mail.sender, *mail.to, *mail.cc, *mail.reply_to):
        assert party.address == "" or is_address(party.address)
        assert party.name == one_line(party.name, 200)
    assert mail.subject == one_line(mail.subject, 1000)
    names = [a.name.casefold() for a in mail.attachments]
    assert len(set(names)) == len(names)
    assert all(n and "/" not in n and "\\" not in n for n in names)
    assert mail.date is None or mail.date.tzinfo is not None
    "".join([mail.text, *names]).encode()  # no lone surrogate


@given(st.binary(max_size=2000))
def test_any_bytes(raw: bytes):
    check(raw)


@given(st.lists(st.one_of(HEADER, st.binary(max_size=40)), max_size=25).map(b"".join))
def test_any_heap_of_mail_fragments(raw: bytes):
    check(raw)


@settings(max_examples=200)
@given(st.sampled_from(CORPUS), st.integers(0, 2000), st.binary(max_size=6), st.integers(0, 30))
def test_a_damaged_mail(raw: bytes, at: int, put: bytes, cut: int):
    at %= len(raw)
    check(raw[:at] + put + raw[at + cut :])


@given(st.binary(max_size=200))
def test_headers_and_parameters_never_raise(raw: bytes):
    decode_header(raw)
    parameters(raw)
    assert all(p.address == "" or is_address(p.address) for p in parties(raw))


def test_a_thousand_nested_containers_end():
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1000))
    mail = parse_mail(raw + b"\r\nfond")
    assert "too-deep" in mail.problems
    assert any(b"fond" in a.data for a in mail.attachments)


def many(part: bytes, count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + (b"--b\r\n" + part + b"\r\n") * count + b"--b--"


@pytest.mark.parametrize("count", [FILES_SHOWN + 1, PARTS_LIMIT + 1, 20_000])
def test_of_too_many_files_some_are_shown_and_none_is_lost(count: int):
    raw = many(b"Content-Type: application/pdf; name=a.pdf\r\n\r\np", count)
    mail = parse_mail(raw)
    assert len(mail.attachments) == FILES_SHOWN + 1
    assert [a.name for a in mail.attachments[:3]] == ["a.pdf", "a (2).pdf", "a (3).pdf"]
    whole = mail.attachments[-1]
    assert (whole.name, whole.mime, whole.data) == (WHOLE_MAIL, "message/rfc822", raw)
    assert "many-files" in mail.problems


def test_as_many_files_as_are_shown_stand_alone():
    mail = parse_mail(many(b"Content-Type: application/pdf\r\n\r\np", FILES_SHOWN))
    assert len(mail.attachments) == FILES_SHOWN
    assert "many-files" not in mail.problems


def test_of_too_many_texts_and_containers_some_are_read_and_none_is_lost():
    inner = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n" + b"--c\r\n\r\nx\r\n" * 3 + b"--c--"
    for part in (b"\r\nx", inner):
        raw = many(part, 2 * PARTS_LIMIT)
        mail = parse_mail(raw)
        assert mail.attachments[-1].data == raw
        assert "many-files" in mail.problems
        assert mail.text.count("x") <= PARTS_LIMIT


N = 60_000


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: " + b"=?utf-8?Q?a?= " * N,
        b"Subject: =?" + b"?q?" * N,
        b"To: " + b"(" * N + b'"' * (N + 1),
        b"To: " + b"<a" * N,
        b"References: <" + b"a " * N,
        b"References: " + b"<" * N,
        b'Content-Type: a/b; x="' + b"\\" * N,
        b"Content-Type: a/b" + b"; x*0=a" * N,
        b"Content-Type: multipart/x; boundary=b\r\n" + b"\r\n--b  " * N,
        b"Content-Type: multipart/x; boundary=b\r\n\r\n--b" + b" " * N + b"x",
        b"a:b\r\n" * N,
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 10_000,
        b"Content-Type: text/html\r\n\r\n" + b"<sup>" * 10_000,
    ],
    ids=range(13),
)
def test_hostile_sizes_take_little_time(raw: bytes):
    """Ten times as much would still be bearable: no reading is quadratic in what a stranger sends."""
    start = time.process_time()
    parse_mail(raw + b"\r\n\r\nx")
    assert time.process_time() - start < 8


def test_html_too_deep_to_read_stays_whole_as_a_file():
    for count, shown in ((150, "mot"), (250, "")):
        mail = parse_mail(b"Content-Type: text/html\r\n\r\n" + b"<div>" * count + b"<br>mot" + b"<br>" * 300)
        assert mail.text.strip() == shown
        assert [b"mot" in item.data for item in mail.attachments] == ([True] if not shown else [])


def test_lines_and_headers_of_a_megabyte():
    mail = parse_mail(b"Subject: " + b"a" * 1_000_000 + b"\r\nFrom: b@x.example\r\n\r\n" + b"c " * 500_000)
    assert (len(mail.subject), len(mail.text), len(mail.attachments[0].data)) == (1000, TEXT_LIMIT, 1_000_000)
    assert {"long-header", "long-text"} <= set(mail.problems)
    folded = parse_mail(b"Subject: a" + b"\r\n b" * 40_000 + b"\r\nFrom: b@x.example\r\n\r\nx")
    assert (folded.subject[:5], folded.sender.address) == ("a b b", "b@x.example")
    assert "long-header" in folded.problems


def test_a_long_text_is_cut_for_show_and_kept_whole():
    mail = parse_mail(b"From: a@x.example\r\n\r\n" + b"ligne\r\n" * TEXT_LIMIT)
    assert len(mail.text) == TEXT_LIMIT
    assert len(mail.attachments[0].data) > TEXT_LIMIT
    assert "long-text" in mail.problems


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ("Return-Path: <b@x.example>\nDisposition-Notification-To: B <B@x.example>\n", "b@x.example"),
        ("Disposition-Notification-To: b@x.example\n", ""),
        ("Return-Path: <c@x.example>\nDisposition-Notification-To: b@x.example\n", ""),
        ("Return-Path: <>\nDisposition-Notification-To: b@x.example\n", ""),
        ("Return-Path: <b@x.example>\nDisposition-Notification-To: b@x.example, c@x.example\n", ""),
        ("Return-Path: <b@x.example>\nAuto-Submitted: auto-replied\nDisposition-Notification-To: b@x.example\n", ""),
        ("Return-Path: <b@x.example>\nPrecedence: list\nDisposition-Notification-To: b@x.example\n", ""),
        ("Return-Path: <b@x.example>\n", ""),
    ],
)
def test_who_may_be_told_that_it_was_read(headers: str, told: str):
    mail = parse_mail(f"{headers}From: b@x.example\nMessage-ID: <1@x>\n\nBonjour".encode())
    assert mail.receipt_to == told


@pytest.mark.parametrize(
    ("headers", "coded", "urgent"),
    [
        ("", False, False),
        ("X-MSS-CODECDA: 11502-2\n", True, False),
        ("X-MSS-CODECDA: \n", False, False),
        ("Importance: High\n", False, True),
        ("X-Priority: 1 (Highest)\nX-MSS-CODECDA: 1\n", True, True),
        ("X-Priority: 3\n", False, False),
        ("Priority: urgent\n", False, True),
        ("Importance: low\nPriority: normal\n", False, False),
    ],
)
def test_what_a_machine_sent_and_what_is_urgent(headers: str, coded: bool, urgent: bool):
    mail = parse_mail(f"{headers}From: b@x.example\n\nBonjour".encode())
    assert (mail.coded, mail.urgent) == (coded, urgent)
