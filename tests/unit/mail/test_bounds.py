"""What a stranger may send costs no more than its size: in time, which is compared, and in what is kept, counted."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from colloque.mail import mime, parse
from colloque.mail.html import to_text
from colloque.mail.html_work import AREA_LIMIT, drawn, too_heavy
from colloque.mail.mime import FIELDS_BYTES, FIELDS_LIMIT, HEADER_LIMIT, split_headers
from colloque.mail.parse import REFERENCES_LIMIT, parse_mail
from colloque.mail.parties import parties
from colloque.mail.reports import REPORTS_LIMIT, delivery_reports
from colloque.mail.rich import to_rich
from colloque.mail.words import unflow

DSN = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
DSN += b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"


def _seconds(read: Callable[[bytes], object], raw: bytes) -> float:
    """Of several, the least: nothing but the reading itself."""
    found = []
    for _ in range(3):
        start = time.process_time()
        read(raw)
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.parametrize(
    ("read", "made"),
    [
        (parties, lambda n: b'"' + b'\\"' * n),
        (parties, lambda n: b'a "\\' * n),
        (parse_mail, lambda n: DSN + b"Final-Recipient: x\r\n\r\n" * n),
        (parse_mail, lambda n: b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \r\n" * 8 * n),
        (parse_mail, lambda n: b"Content-Type: multipart/x; boundary=" + b"a--" * 333 + b"\r\n\r\n" + b"--a" * 8 * n),
    ],
    ids=["unclosed quote", "quotes", "groups without an action", "flowed", "boundary"],
)
def test_eight_times_as_much_takes_not_much_more_than_eight_times_as_long(
    read: Callable[[bytes], object], made: Callable[[int], bytes]
):
    """Where it took the square, it took 64 times as long."""
    few, many = _seconds(read, made(4_000)), _seconds(read, made(32_000))
    assert many < 25 * max(few, 0.002)


def test_an_unclosed_quote_hides_nobody():
    assert [p.address for p in parties(b'"Dr A <a@x.example>, b@x.example')] == ["a@x.example", "b@x.example"]
    assert [p.address for p in parties(b'"b, c" <b@x.example>, "a\\" <a@x.example>')] == ["b@x.example", "a@x.example"]


def test_groups_are_counted_whether_or_not_they_say_something():
    silent, said = b"Final-Recipient: rfc822; a@x\n\n", b"Final-Recipient: rfc822; a@x\nAction: failed\n\n"
    original = split_headers(b"")[0]
    assert len(delivery_reports(b"Reporting-MTA: x\n\n" + silent * (REPORTS_LIMIT - 1) + said * 9, original)) == 1
    assert delivery_reports(b"Reporting-MTA: x\n\n" + silent * REPORTS_LIMIT + said * 9, original) == ()
    assert len(delivery_reports(b"Reporting-MTA: x\n\n" + said * 2 * REPORTS_LIMIT, original)) == REPORTS_LIMIT


def test_files_of_one_name_are_counted_on(monkeypatch: pytest.MonkeyPatch):
    """Each asks for few names that are taken, however many came before."""
    asked = 0

    class Taken(set[str]):
        def __contains__(self, name: object) -> bool:
            nonlocal asked
            asked += 1
            return super().__contains__(name)

    monkeypatch.setattr(parse, "set", Taken, raising=False)
    part = b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n"
    mail = parse_mail(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 150 + b"--b--")
    assert [mail.attachments[n].name for n in (0, 1, 149)] == ["a.pdf", "a (2).pdf", "a (150).pdf"]
    assert 150 <= asked <= 150 * 3


def test_so_many_header_fields_are_kept():
    head, body = split_headers(b"a:\n" * 100_000 + b" more\nFrom: b@x\n\nx")
    assert (len(head.fields), head.cut, body) == (FIELDS_LIMIT, True, b"x")
    assert head.fields[-1] == ("a", b"")
    head, _ = split_headers(b"".join(b"a: " + b"x" * 50_000 + b"\n" for _ in range(30)))
    assert (sum(len(value) for _, value in head.fields), head.cut) == (FIELDS_BYTES, True)
    head, _ = split_headers(b"a:" + b" " * HEADER_LIMIT + b"b\n " + b"c" * HEADER_LIMIT)
    assert (head.first("a")[:3], len(head.first("a")), head.cut) == (b"b c", HEADER_LIMIT, True)
    assert not split_headers(b"a: b\n c\n\nx")[0].cut


def test_headers_take_no_more_memory_than_a_few_times_their_bytes():
    raw = b"a:\n" * 100_000 + b"\nx"
    tracemalloc.start()
    try:
        mail = parse_mail(raw)
        assert tracemalloc.get_traced_memory()[1] < 5 * len(raw)
    finally:
        tracemalloc.stop()
    assert "long-header" in mail.problems


def test_of_many_references_the_first_and_the_last_are_kept():
    ids = [f"<{n}@x>" for n in range(9_000)]
    mail = parse_mail("".join(f"References: {each}\n" for each in ids[:1_000]).encode() + b"\nx")
    assert mail.references == (ids[0], *ids[1_000 - REFERENCES_LIMIT + 1 : 1_000])
    mail = parse_mail(b"References: " + "\n ".join(ids[:REFERENCES_LIMIT]).encode() + b"\n\nx")
    assert mail.references == tuple(ids[:REFERENCES_LIMIT])


def test_a_boundary_longer_than_any_separates_nothing():
    raw = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\nx\r\n--%s--"
    for length, problem in ((mime.BOUNDARY_LIMIT, False), (mime.BOUNDARY_LIMIT + 1, True)):
        mark = b"a" * length
        assert ("boundary" in parse_mail(raw % (mark, mark, mark)).problems) is problem


def test_a_flowed_text_reads_as_before():
    assert unflow("a \nb\n> c \n> d\n-- \ne", joined=False) == "a b\n> c d\n-- \ne"


BOLD = "".join(f'<b id="{n}">' for n in range(1_500))
HEAVY = {
    "formats that nothing closes": f"<p>{BOLD}" + "<p>x" * 3_000,
    "closed in a comment": "<p>" + BOLD.replace(">", "><!--</b>-->") + "<p>x" * 3_000,
    "closed in a value": "<p>" + BOLD.replace(">", " x='</b>'>") + "<p>x" * 3_000,
    "closed in a title": "<p>" + BOLD.replace(">", "><title></b></title>") + "<p>x" * 3_000,
    "closed in a table": "<p>" + BOLD.replace(">", "><table></b></table>") + "<p>x" * 3_000,
    "closed in a script": "<p>" + BOLD.replace(">", "><script><!--<script></script></b>--></script>") + "<p>x" * 3_000,
    "closed in no cell": "<p>" + BOLD.replace("<b", "<td><b").replace(">", "></td>") + "<p>x" * 3_000,
    "closed in another cell": "<table><td><p>" + BOLD.replace(">", "></th>") + "<p>x" * 3_000,
    "closed by another letter": "<p>" + BOLD.replace("<b", "<strike").replace(">", "></stri\u212ae>") + "<p>x" * 3_000,
    "depth": "<div>" * 10_000,
    "attributes": "<p " + " ".join(f"a{n}" for n in range(5_000)) + ">",
    "ampersands": "&" * 100_000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_html_that_would_take_gigabytes_is_not_even_parsed(name: str, monkeypatch: pytest.MonkeyPatch):
    def parsed(*_: object, **__: object) -> str:
        raise AssertionError("parsed")

    monkeypatch.setattr("nh3.clean", parsed)
    assert too_heavy(HEAVY[name])
    assert to_text(HEAVY[name]) == ("", False)
    assert to_rich(HEAVY[name]) == ""
    mail = parse_mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + HEAVY[name].encode())
    assert (mail.text, [a.name for a in mail.attachments]) == ("", ["message.html"])


@pytest.mark.parametrize(
    "source",
    [
        "<table>" + "<tr><td><font color=red><b>Na</font></b><td>140<br>x" * 3_000 + "</table>",
        '<p class=a><font size="2">mot <b>gras</b></font></p>\n' * 5_000,
        "<div><ul>" + "<li><a href=x>un</a>" * 5_000 + "</ul></div>",
        "<!--[if mso]><table><tr><td><![endif]--><div>x</div><!--[if mso]></td></tr></table><![endif]-->" * 1_500,
        "<p>" + "&eacute;&nbsp;" * 30_000,
        f'<img src="data:image/png;base64,{"A/" * 40_000}">x',
    ],
    ids=range(6),
)
def test_html_of_people_is_read(source: str):
    assert not too_heavy(source)
    assert to_text(source)[0]


@pytest.mark.parametrize(
    "source",
    [
        "<table><tr><td>" + "x" * 20_000 + "</td></tr>" + "<tr><td>" * 1_250 + "</table>",
        "<table><tr>" + "<td>" * 5_000 + "</tr>" + "<tr><td>a" * 5_000 + "</table>",
        "<table><td>" + "<br>" * 5_000 + "</td><td>" + "x" * 5_000,
        "<table><td><pre>" + "&#13;" * 5_000 + "</pre><td>" + "x" * 5_000,
        "<ul><li>" * 60 + "<pre>" + "\n" * 400_000,
    ],
    ids=["wide", "columns", "tall", "line ends", "indents"],
)
def test_a_table_that_would_be_drawn_in_gigabytes_is_not(source: str, monkeypatch: pytest.MonkeyPatch):
    def draw(_: str) -> str:
        raise AssertionError("drawn")

    monkeypatch.setattr("colloque.mail.html.get_text", draw)
    assert to_text(source) == ("", False)


def test_how_much_a_table_takes():
    row = "<tr><td>Sodium</td><td>140 mmol/L</td><td>135 - 145</td></tr>"
    assert 2_000 < drawn(f"<table>{row * 100}</table>", set()) < 4_000
    assert drawn(f"<table>{row * 5_000}</table>", set()) < AREA_LIMIT
    assert "Sodium" in to_text(f"<table>{row * 5_000}</table>")[0]
