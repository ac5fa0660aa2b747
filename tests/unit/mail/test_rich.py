"""HTML of a mail to HTML of Matrix: the same words, nothing fetched, nothing that can deceive."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.html import readable, to_text, words
from colloque.mail.parse import parse_mail
from colloque.mail.rich import RICH_LIMIT, looks_elsewhere, to_rich
from colloque.mail.words import printable

ALLOWED = {
    "del", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i", "u",
    "strong", "em", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td", "caption", "pre",
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "rich"),
    [
        ("<p>Bonjour</p><div>Bien à vous</div>", ""),
        ("<p>Dose : <s>10 mg</s> <b>5 mg</b></p>", "<p>Dose : <del>10 mg</del> <b>5 mg</b></p>"),
        ("<strike>10</strike> <ins>5</ins> <tt>x</tt>", "<del>10</del> <u>5</u> <code>x</code>"),
        ("150 10<sup>9</sup>/L", "150 10<sup>9</sup>/L"),
        ('<b style="text-decoration: underline line-through">10 mg</b>', "<b><del>10 mg</del></b>"),
        ('10<span style="vertical-align : super">9</span>', "10<sup>9</sup>"),
        ('<b onclick="x()">a</b><img src="https://x.example/i.png" alt="c">', "<b>a</b>"),
        ("<b>a</b><script>b</script><style>c</style><title>d</title>", "<b>a</b>"),
        ("<mx-reply>cité</mx-reply><b>a</b>", "cité<b>a</b>"),
        ("<b>1 &lt; 2 &amp;\n   3&#27;[31m</b>", "<b>1 &lt; 2 &amp; 3[31m</b>"),
        ("<pre><b>a</b>\n  b</pre>", "<pre><b>a</b>\n  b</pre>"),
        ('<ol start="3"><li>a</li><li>b</li></ol>', "<ul><li>3. a</li><li>4. b</li></ul>"),
        ("<ol><li>a</li></ol>", "<ol><li>a</li></ol>"),
    ],
)
def test_what_is_kept(source: str, rich: str):
    assert to_rich(source) == rich


def test_a_cell_over_several_columns_or_rows_moves_no_value_under_another_heading():
    source = (
        "<table><tr><th rowspan=2>Date</th><th colspan=2>Sodium</th></tr><tr><td>140</td><td>mmol/L</td></tr>"
        "<tr><td>2/3</td><td>138</td><td>mmol/L</td></tr></table>"
    )
    rows = re.findall(r"<tr>(.*?)</tr>", to_rich(source))
    assert [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows] == [
        ["Date", "Sodium", ""],
        ["", "140", "mmol/L"],
        ["2/3", "138", "mmol/L"],
    ]


@pytest.mark.parametrize(
    ("words_", "href", "elsewhere"),
    [
        ("Cliquez ici", "https://x.example/", False),
        ("www.x.example", "https://x.example/a", False),
        ("https://x.example/a", "https://www.x.example/b", False),
        ("b@x.example", "mailto:b@x.example?subject=a", False),
        ("c@x.example", "mailto:b@x.example", True),
        ("www.banque.example", "https://pirate.example/", True),
        ("BANQUE.example", "https://pirate.example/", True),
        ("ban\u200bque.example", "https://pirate.example/", True),
        ("banque。example", "https://pirate.example/", True),
        ("bаnque.example", "https://banque.example/", True),  # a Cyrillic а
        ("https://banque.example", "https://banque.example@pirate.example/", True),
        ("https://banque.example", "https://pirate.example\\@banque.example/", True),
        ("x.example", "https://[", True),
        ("Dr Essai", "https://matrix.to/#/@essai:x.example", True),
        ("a." * 400 + "example", "https://x.example/", True),
        ("x.example", "", False),
        ("compte-rendu.pdf", "https://partage.example/1", False),
        ("https://pirate.pdf", "https://partage.example/1", True),
        ("archive.zip", "https://partage.example/1", True),
    ],
)
def test_a_link_that_looks_like_another_address(words_: str, href: str, elsewhere: bool):
    assert looks_elsewhere(words_, href) is elsewhere


def test_the_address_of_such_a_link_is_shown_in_both_forms():
    raw = b'Content-Type: text/html\n\n<a href="https://pirate.example/?a=1&amp;b">www.banque.example</a>'
    mail = parse_mail(raw)
    assert mail.html == (
        '<a href="https://pirate.example/?a=1&amp;b">www.banque.example</a> [https://pirate.example/?a=1&amp;b]'
    )
    assert mail.text == "www.banque.example [https://pirate.example/?a=1&b]"


@pytest.mark.parametrize(
    "href", ["javascript:x()", "data:text/html,x", "/a", "//x.example", "file:///x", "", "a" * 3000]
)
def test_no_other_link_is_one(href: str):
    assert to_rich(f'<b>a</b> <a href="{href}">ici</a>') == "<b>a</b> ici"


def test_nobody_in_matrix_is_named_by_a_mail():
    assert to_rich('<a href="https://matrix.to/#/@a:x.example">Dr A</a> <b>b</b>').startswith("Dr A [https://matrix")


def alternative(plain: str, rich: str) -> bytes:
    return (
        "Content-Type: multipart/alternative; boundary=b\n\n"
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n"
        f"--b\nContent-Type: text/html; charset=utf-8\n\n{rich}\n--b--\n"
    ).encode()


def test_a_plain_text_that_agrees_is_shown_with_its_rich_form():
    mail = parse_mail(alternative("Sodium : 140", "<p>Sodium : <b>140</b></p>"))
    assert (mail.text, mail.html) == ("Sodium : 140", "<p>Sodium : <b>140</b></p>")


def test_a_plain_text_that_says_something_else_stands_alone():
    mail = parse_mail(alternative("Sodium : 140 ce matin", "<p>Sodium : <b>140</b></p>"))
    assert (mail.text, mail.html) == ("Sodium : 140 ce matin", "")
    turned = parse_mail(alternative("matin 5 soir 10", "<p>matin <b>10</b> soir 5</p>"))
    assert (turned.text, turned.html) == ("matin 5 soir 10", "")


def test_a_plain_text_that_lost_a_stroke_gives_way():
    """The programs that write it drop the strokes: both doses would stand."""
    mail = parse_mail(alternative("Dose 10 mg 5 mg, 10 109/L", "<p>Dose <s>10 mg</s> 5 mg, 10 10<sup>9</sup>/L</p>"))
    assert mail.text == "Dose ~~10 mg~~ 5 mg, 10 10^9/L"
    assert mail.html == "<p>Dose <del>10 mg</del> 5 mg, 10 10<sup>9</sup>/L</p>"


def test_a_mail_of_several_texts_has_all_in_both_forms():
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<b>un</b>\n"
        b"--b\nContent-Type: text/plain\n\ndeux < 3\n--b--\n"
    )
    mail = parse_mail(raw)
    assert (mail.text, mail.html) == ("un\n\ndeux < 3", "<b>un</b><br><br>deux &lt; 3")


def test_too_long_or_too_deep_is_text_only():
    assert to_rich("<b>" + "a " * RICH_LIMIT + "</b>") == ""
    assert to_rich("<ul><li>" * 60 + "a") == ""
    assert to_rich("<ul><li>" * 40 + "a") != ""


PIECES = st.sampled_from(
    [
        "<b>", "</b>", "<s>", "</s>", "<table>", "</table>", "<tr>", "<td colspan=3>", "<td rowspan=2>", "</td>",
        "<li>",
        '<a href="https://x.example/">', "</a>", "y.example", "<ol start=4>", "</ol>", "<ul>", "</ul>", "<br>", "<pre>",
        "</pre>", "<sup>", "9", "mot ", "&lt;b&gt;", "&#0;", '<i style="text-decoration:line-through">', "</i>", "<p>",
        "<svg>", "<math>", "<noscript>", "<template>", "<!--", "-->", "<plaintext>", "<select>", "<textarea>", "<h1>",
    ]
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30).map("".join))
def test_any_html_gives_allowed_tags_and_the_words_of_its_text(source: str):
    rich = to_rich(source)
    assert to_rich(source) == rich
    assert {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9-]+)", rich)} <= ALLOWED
    assert set(re.findall(r"<[a-z0-9]+ ([^>]*)>", rich)) <= {'href="https://x.example/"'}
    mail = parse_mail(b"Content-Type: text/html; charset=utf-8\n\n" + source.encode("utf-8", "replace"))
    if mail.html:
        assert words(to_text(mail.html)[0]) == words(mail.text)
    said = words(to_text(printable(source))[0]) & words(readable(source))  # a list's own numbers may differ
    assert said <= words(mail.text)


@pytest.mark.parametrize(
    "source",
    [
        "<a href=https://x.example/>" + "a" * 190_000 + "</a>",
        "<a href=https://x.example/>" + "a." * 90_000 + "</a>",
        '<b style="' + "text-decoration:" * 12_000 + '">x</b>',
        "<ol " * 100_000,
        "<table><tr>" + "<td colspan=999 rowspan=999>" * 2_000 + "<tr>" * 2_000,
        "<a href=https://x.example/>" * 5_000,
    ],
    ids=range(6),
)
def test_hostile_html_takes_little_time(source: str):
    start = time.process_time()
    to_rich(source)
    to_text(source)
    assert time.process_time() - start < 8
