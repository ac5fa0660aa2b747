"""XML from strangers: whatever charset it claims, it brings no DTD, no entity and no surprise in size."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail import xml
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xml import parse_xml

XXE = '<?xml version="1.0" encoding="{}"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
LAUGHS = '<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]><l a="&c;">&c;</l>'
OUTSIDE = '<!-- > --><?p ?>\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>'


def reason(data: bytes) -> str:
    with pytest.raises(DocumentRefused) as caught:
        parse_xml(data)
    return caught.value.reason


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "utf-32"])
@pytest.mark.parametrize("source", [XXE, LAUGHS, OUTSIDE, "\n\n<!DOCTYPE a><a/>"])
def test_a_dtd_is_refused_in_any_charset(source: str, charset: str):
    assert reason(source.replace("{}", charset).encode(charset)) == "xml-dtd"


def test_a_dtd_cannot_hide_behind_a_charset_that_hides_it():
    assert reason(b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE a+AD4APA-a/+AD4-') == "xml-dtd"


def test_words_that_look_like_a_dtd_are_words():
    assert parse_xml(b"<a><![CDATA[<!DOCTYPE a>]]></a>").text == "<!DOCTYPE a>"


@pytest.mark.parametrize(
    ("charset", "text"), [("iso-8859-1", "œuvre"), ("utf-8", "é"), ("utf-16", "é"), ("iso-8859-15", "€")]
)
def test_the_declared_charset_is_read(charset: str, text: str):
    # Senders who declare Latin-1 mean Windows-1252, as in mail.
    real = "cp1252" if charset == "iso-8859-1" else charset
    data = f'<?xml version="1.0" encoding="{charset}"?><a>{text}</a>'.encode(real)
    assert parse_xml(data).text == text


@pytest.mark.parametrize(
    "data",
    [
        '<?xml version="1.0" encoding="utf-8"?><a>é</a>'.encode("latin-1"),
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b"\xff\xfe<\0a",
    ],
)
def test_a_wrong_charset_is_never_guessed(data: bytes):
    assert reason(data) in {"xml-encoding", "xml-malformed"}


@pytest.mark.parametrize(
    "data", [b"", b"<a>", b"<a>&x;</a>", b"<a>\0</a>", b"x", b"<a/><b/>", b"<a>" * 3000, b"<a b='1' b='2'/>"]
)
def test_what_is_no_xml_is_refused(data: bytes):
    assert reason(data) == "xml-malformed"


def test_sizes_are_bounded_quickly():
    start = time.perf_counter()
    assert reason(b"<a>" + b" " * xml.SIZE_LIMIT + b"</a>") == "xml-size"
    assert reason(b"<a>" + b"<b/>" * xml.TAGS_LIMIT + b"</a>") == "xml-nodes"
    assert reason(b"<a " + b'b="" ' * (xml.EQUALS_LIMIT + 1) + b"/>") == "xml-nodes"
    assert reason(b"<!--" * 200_000) == "xml-malformed"
    assert time.perf_counter() - start < 10


def test_a_text_of_30_mb_is_read():
    text = b"QUJD" * 7_500_000
    assert parse_xml(b"<a>" + text + b"</a>").text == text.decode()


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda t: f"<a>{t}</a>".encode("utf-8", "replace")))
)
def test_any_bytes(data: bytes):
    with suppress(DocumentRefused):
        parse_xml(data)
