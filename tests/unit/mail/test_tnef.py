"""Outlook's packages: what they hold comes out, and damage loses nothing."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.parse import parse_mail
from colloque.mail.rtf import RTF_LIMIT, decompress, to_html
from colloque.mail.tnef import FILES_LIMIT, unpack

EXAMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
"""MS-OXRTFCP, 4.1.1."""


def attribute(level: int, kind: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def padded(value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + value + bytes(-len(value) % 4)


def properties(*found: tuple[int, int, bytes]) -> bytes:
    out = struct.pack("<I", len(found))
    for kind, name, value in found:
        out += struct.pack("<HH", kind, name)
        out += value if kind in {0x03, 0x0B, 0x40} else struct.pack("<I", 1) + padded(value)
    return out


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def tnef(*attributes: bytes) -> bytes:
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(attributes)


PDF = (0x1E, 0x370E, b"application/pdf\0")
CODEPAGE = attribute(1, 0x00069007, struct.pack("<II", 1252, 0))


def a_file(title: str, data: bytes, *more: tuple[int, int, bytes]) -> bytes:
    out = attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00018010, title.encode("cp1252") + b"\0")
    out += attribute(2, 0x0006800F, data)
    return out + (attribute(2, 0x00069005, properties(*more)) if more else b"")


def message(*found: tuple[int, int, bytes]) -> bytes:
    return attribute(1, 0x00069003, properties(*found))


def rtf(data: bytes) -> bytes:
    return struct.pack("<II4sI", len(data) + 12, len(data), b"MELA", 0) + data


def mail(package: bytes, text: bytes = b"") -> bytes:
    before = b"--b\r\nContent-Type: text/plain\r\n\r\n" + text + b"\r\n" if text else b""
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + before
        + b"--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + package
        + b"\r\n--b--\r\n"
    )


def test_files_come_out_under_their_long_names():
    found = parse_mail(
        mail(
            tnef(
                CODEPAGE,
                a_file("COMPTE~1.PDF", b"%PDF-1", (0x1F, 0x3707, wide("compte rendu né.pdf")), PDF),
                a_file("été.txt", b"sans long nom"),
            ),
            b"Bonjour",
        )
    )  # fmt: skip
    assert [(a.name, a.mime, a.data) for a in found.attachments] == [
        ("compte rendu né.pdf", "application/pdf", b"%PDF-1"),
        ("été.txt", "application/octet-stream", b"sans long nom"),
    ]
    assert (found.text, "tnef" in found.problems) == ("Bonjour", False)


@pytest.mark.parametrize(
    ("package", "text", "files"),
    [
        (tnef(CODEPAGE, attribute(1, 0x0002800C, "Créatinine 80\0".encode("cp1252"))), "Créatinine 80", []),
        (tnef(message((0x1F, 0x1000, wide("Sodium 140")))), "Sodium 140", []),
        (tnef(message((0x102, 0x1013, "<p>Été</p>".encode()), (0x03, 0x3FDE, struct.pack("<I", 65001)))), "Été", []),
        (tnef(message((0x102, 0x1009, EXAMPLE))), "hello world", ["message.rtf"]),
        (
            tnef(message((0x102, 0x1009, rtf(rb"{\rtf1 Dose {\strike 10 mg} 5 mg, 10{\super 9}}")))),
            "Dose ~~10 mg~~ 5 mg, 10^9",
            ["message.rtf"],
        ),
    ],
)
def test_its_words_are_the_mails_where_there_are_no_others(package: bytes, text: str, files: list[str]):
    found = parse_mail(mail(package))
    assert found.text == text
    assert [a.name for a in found.attachments] == files


def test_words_that_stand_elsewhere_are_not_said_twice():
    package = tnef(message((0x1F, 0x1000, wide("Sodium 140"))))
    assert parse_mail(mail(package, b"Sodium : 140")).attachments == ()
    more = parse_mail(mail(package, b"Voir le paquet"))
    assert (more.text, [a.data for a in more.attachments]) == ("Voir le paquet", [b"Sodium 140"])


def test_a_mail_within():
    inner = tnef(message((0x1F, 0x1000, wide("transmis"))), a_file("a.txt", b"dedans"))
    outer = tnef(
        attribute(2, 0x00069002, bytes(14))
        + attribute(
            2,
            0x00069005,
            properties(
                (0x1F, 0x3001, wide("TR essai")),
                (0x0D, 0x3701, bytes.fromhex("0703020000000000c000000000000046") + inner),
            ),
        )
    )
    found = unpack(outer)
    assert [(f.name, f.data) for f in found.files] == [("TR essai.txt", b"transmis"), ("a.txt", b"dedans")]
    assert not found.damaged


@pytest.mark.parametrize(
    ("class_", "kept"),
    [("IPM.Note", False), ("IPM.Note.SMIME", False), ("IPM.Schedule.Meeting.Request", True), ("IPM.Contact", True)],
)
def test_what_is_no_letter_stays_a_file_too(class_: str, kept: bool):
    found = parse_mail(mail(tnef(message((0x1F, 0x001A, wide(class_))), a_file("a.txt", b"x")), b"Bonjour"))
    assert [a.name for a in found.attachments] == (["winmail.dat"] if kept else []) + ["a.txt"]
    assert "tnef" not in found.problems
    old = tnef(attribute(1, 0x00078008, class_.encode() + b"\0"), a_file("a.txt", b"x"))
    assert len(parse_mail(mail(old, b"Bonjour")).attachments) == 1 + kept


@pytest.mark.parametrize("cut", [3, 20, 60, 90])
def test_a_cut_package_stays_a_file_beside_what_came_out(cut: int):
    whole = tnef(a_file("a.txt", b"premier"), a_file("b.txt", b"second"))
    found = parse_mail(mail(whole[:-cut]))
    assert "tnef" in found.problems
    assert found.attachments[0].name == "winmail.dat"
    assert found.attachments[0].data == whole[:-cut]


def test_a_line_end_after_the_package_is_no_damage():
    assert not unpack(tnef(a_file("a.txt", b"premier")) + b"\r\n").damaged
    assert unpack(tnef(a_file("a.txt", b"premier")) + b"\r\nx").damaged


def test_a_wrong_sum_is_damage():
    found = unpack(tnef(a_file("a.txt", b"premier"))[:-1] + b"\x7f")
    assert found.damaged
    assert found.files[0].data == b"premier"


def test_a_package_that_is_none_stays_a_file():
    found = parse_mail(mail(b"rien de tel"))
    assert "tnef" in found.problems
    assert [(a.name, a.data) for a in found.attachments] == [("winmail.dat", b"rien de tel")]


def test_too_many_files_stay_in_their_package():
    found = parse_mail(mail(tnef(a_file("a.txt", b"x") * (FILES_LIMIT + 5))))
    assert len(found.attachments) == FILES_LIMIT + 1
    assert "tnef" in found.problems


def test_names_lead_nowhere_else():
    found = parse_mail(mail(tnef(a_file("..\\..\\etc/passwd", b"x"), a_file("", b"y"))))
    assert [a.name for a in found.attachments] == ["passwd", "document-2.bin"]


def test_named_and_repeated_properties_are_passed_over():
    named = struct.pack("<HH", 0x1F, 0x8001) + bytes(16) + struct.pack("<I", 1) + padded(wide("nom"))
    named += struct.pack("<I", 1) + padded(wide("x"))
    several = struct.pack("<HH", 0x101F, 0x6001) + struct.pack("<I", 2) + padded(wide("a")) + padded(wide("b"))
    body = struct.pack("<HH", 0x1F, 0x1000) + struct.pack("<I", 1) + padded(wide("Bonjour"))
    assert unpack(tnef(attribute(1, 0x00069003, struct.pack("<I", 3) + named + several + body))).text == "Bonjour"


def test_rtf_is_inflated_as_microsofts_example_says():
    assert decompress(EXAMPLE) == rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"
    assert decompress(EXAMPLE[:-8]) is None
    assert decompress(b"") is None
    assert decompress(struct.pack("<II4sI", 20, RTF_LIMIT + 1, b"LZFu", 0) + b"x" * 50) is None


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (rb"{\rtf1\ansi\ansicpg1252 caf\'e9\par \u8211? 5\~mg}", "café<br>– 5&nbsp;mg"),
        (rb"{\rtf1{\fonttbl{\f0 Arial;}}{\*\generator x;}{\pict 0123}a < b}", "a &lt; b"),
        (rb"{\rtf1\uc2 \u-10179\'3f\'3f\u-8704??x}", "\U0001f600x"),
        (rb"{\rtf1 {\b gras} {\i{\strike non}}}", "<b>gras</b> <del><i>non</i></del>"),
        (rb"{\rtf1 \strike 1\strike0  2}", "<del>1</del> 2"),
        (
            rb"{\rtf1\fromhtml1{\*\htmltag64 <p>}\htmlrtf{\par\htmlrtf0 a \'e9 &{\*\htmltag72 </p>}\htmlrtf}\htmlrtf0}",
            "<p>a é &amp;</p>",
        ),
        (rb"{\rtf1 a{\bin3 }}}b}", "ab"),
        (rb"}}}\\\{\}", "\\{}"),
    ],
)  # fmt: skip
def test_rtf_to_html(source: bytes, html: str):
    assert to_html(source) == html


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes):
    unpack(data)
    unpack(b"\x78\x9f\x3e\x22\x01\x00" + data)
    decompress(data)
    to_html(b"{\\rtf1\\fromhtml1 " + data)


@given(st.integers(0, 400), st.binary(max_size=8))
def test_any_damage(at: int, put: bytes):
    whole = tnef(
        CODEPAGE, message((0x1F, 0x1000, wide("a"))), a_file("a.txt", b"x" * 50, (0x1F, 0x3707, wide("b.txt")))
    )
    at %= len(whole)
    raw = mail(whole[:at] + put + whole[at + len(put) :])
    assert parse_mail(raw) == parse_mail(raw)


@pytest.mark.parametrize(
    "data",
    [
        tnef(*[attribute(1, 0x00069003, b"\xff\xff\xff\xff" + bytes(8) * 60_000)]),
        tnef(*[attribute(1, 0x00060000, b"")] * 60_000),
        tnef(
            message((0x102, 0x1009, struct.pack("<II4sI", 0, RTF_LIMIT, b"LZFu", 0) + b"\xff" + b"\x00\x0f" * 500_000))
        ),
        tnef(message((0x102, 0x1009, rtf(b"{\\rtf1" + b"{\\b " * 200_000)))),
        tnef(message((0x102, 0x1009, rtf(b"{\\rtf1" + b"\\'e9\\b" * 100_000)))),
    ],
    ids=range(5),
)
def test_hostile_packages_take_little_time(data: bytes):
    start = time.process_time()
    parse_mail(mail(data))
    assert time.process_time() - start < 8
