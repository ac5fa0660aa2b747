"""HTML of a mail to the HTML that a Matrix event may carry (Matrix, "m.room.message msgtypes"): nothing is fetched."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser
from urllib.parse import urlsplit

import nh3

from colloque.mail.html import HTML_LIMIT, depth
from colloque.mail.html_work import too_heavy
from colloque.mail.words import printable

RICH_LIMIT = 40_000
"""Characters. An event holds fewer: what is longer would be thrown away later."""
CLEAN_LIMIT = 200_000
"""Characters after the first cleaning, which still has styles."""
RICH_DEPTH = 100
"""Elements within elements: Matrix lets clients stop there."""
LINK_LIMIT = 2_000
"""Characters of a link's address. A longer one is no link any more."""
SPAN_LIMIT = 50
"""Columns or rows that one cell may take."""

_SAME = {"strike": "del", "s": "del", "ins": "u", "tt": "code", "center": "div", "tfoot": "tbody"}
_MATRIX = {
    "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "p", "a", "ul", "ol", "sup", "sub", "li", "b", "i", "u",
    "strong", "em", "del", "code", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td", "caption", "pre",
}  # fmt: skip
_VOID = {"br", "hr"}
_SAYS_MORE = _MATRIX - {"p", "br", "div", "hr", "blockquote", "pre", "caption"}
"""A text says the others as well by its lines."""
_STYLED = {"line-through": "del", "super": "sup", "sub": "sub"}
_STYLE = re.compile(
    r"text-decoration[a-z-]{0,9}\s{0,9}:[^;]{0,99}(line-through)|vertical-align\s{0,9}:\s{0,9}(super|sub)\b"
)
_READ = {"span", "font", *_SAME, *_MATRIX}
_ATTRIBUTES = {
    "*": {"style"},
    "a": {"href"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto"}
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^\s/@<>()\[\]]+@)?((?:[\w-]+\.)+[^\W\d_]{2,})(?![\w-])")
_FILES = {
    "csv",
    "doc",
    "docx",
    "htm",
    "html",
    "jpeg",
    "jpg",
    "odt",
    "pdf",
    "png",
    "pptx",
    "rtf",
    "txt",
    "xls",
    "xlsx",
    "xml",
}
"""Ends of names of files, which no host's name has."""
_WORD_LIMIT = 300
"""Characters of a word in which an address is looked for."""
_BLANKS = re.compile(r"[ \t\n\r]+")


def to_rich(source: str) -> str:
    """What Matrix may show of `source`; empty when a text says as much, or when it is too long or too deep.

    Words struck out or raised by style are so by tag; a cell over several columns or rows is followed by empty ones; a
    link whose words look like another address is followed by its own.
    """
    if len(source) > HTML_LIMIT or too_heavy(source):
        return ""
    clean = nh3.clean(
        source,
        tags=_READ,
        attributes=_ATTRIBUTES,
        clean_content_tags={"script", "style", "title"},
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel=None,
    )
    if len(clean) > CLEAN_LIMIT:
        return ""
    writer = _Writer()
    writer.feed(clean)
    writer.close()
    rich = "".join(writer.out).strip()
    return rich if writer.says_more and writer.size <= RICH_LIMIT and depth(rich) <= RICH_DEPTH else ""


class _Table:
    """Where the cells of one table stand."""

    def __init__(self) -> None:
        self.column = 0
        self.below: dict[int, int] = {}
        """Rows that a cell above still takes, by column."""

    def taken(self) -> int:
        """Cells to leave empty here, because one above reaches down."""
        count = 0
        while self.below.get(self.column, 0) > 0:
            self.below[self.column] -= 1
            self.column += 1
            count += 1
        return count

    def put(self, columns: int, rows: int) -> None:
        """One cell."""
        for at in range(self.column, self.column + columns):
            self.below[at] = rows - 1
        self.column += columns


class _Writer(HTMLParser):
    """Writes well-formed HTML again, tag by tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.size = 0
        self.says_more = False
        self._ends: list[tuple[str, str]] = []
        """`(tag read, what closes it)` of the open elements."""
        self._tables: list[_Table] = []
        self._links: list[tuple[str, list[str]]] = []
        """`(href, words)` of the open links."""
        self._lists: list[int | None] = []
        """The next number of the open lists that do not begin with 1; None for the others."""
        self._in_pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One opening tag, as nh3 wrote it."""
        if self.size > RICH_LIMIT:
            return  # nothing of it will be shown
        given = {name: value or "" for name, value in attrs}
        written = _SAME.get(tag, tag)
        if written in _VOID:
            self._put(f"<{written}>")
            self._say("\n")
            return
        ends = ""
        if written in {"ol", "ul"}:
            first = _number(given.get("start"))
            self._lists.append(first if written == "ol" and first != 1 else None)
            written = written if self._lists[-1] is None else "ul"  # a text would count from 1
        if written == "a":
            ends = self._link(given.get("href", "").strip())
        elif written in _MATRIX:
            self._place(written)
            self._put(f"<{written}>")
            ends = f"</{written}>"
            self.says_more |= written in _SAYS_MORE
            if written == "li":
                self._count()
        marks = dict.fromkeys(_STYLED[a or b] for a, b in _STYLE.findall(given.get("style", "").lower()))
        if written in {"td", "th"} and self._tables:
            columns = _span(given.get("colspan"))
            self._tables[-1].put(columns, _span(given.get("rowspan")))
            ends += f"<{written}></{written}>" * (columns - 1)
        if written not in {"table", "thead", "tbody", "tr", "ul", "ol"}:  # nothing may stand between these and theirs
            for mark in marks:
                self._put(f"<{mark}>")
                ends = f"</{mark}>{ends}"
                self.says_more = True
        self._in_pre += written == "pre"
        self._ends.append((tag, ends))

    def handle_endtag(self, tag: str) -> None:
        """One closing tag."""
        if not self._ends or self._ends[-1][0] != tag:
            return  # nh3 writes none such
        written = _SAME.get(tag, tag)
        if written == "tr" and self._tables:
            self._put("<td></td>" * self._tables[-1].taken())
        elif written == "table" and self._tables:
            self._tables.pop()
        elif written in {"ol", "ul"}:
            self._lists.pop()
        self._in_pre -= written == "pre"
        self._put(self._ends.pop()[1])
        if written == "a":
            href, words = self._links.pop()
            if looks_elsewhere("".join(words), href):
                self._put(html.escape(f" [{href}]", quote=False))

    def handle_data(self, data: str) -> None:
        """Words."""
        data = printable(data)
        self._say(data)
        self._put(html.escape(data if self._in_pre else _BLANKS.sub(" ", data), quote=False))

    def _put(self, piece: str) -> None:
        self.out.append(piece)
        self.size += len(piece)

    def _say(self, words: str) -> None:
        for _, said in self._links:
            said.append(words)

    def _count(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._put(f"{number}. ")
            self._lists[-1] = number + 1

    def _link(self, href: str) -> str:
        if not 0 < len(href) <= LINK_LIMIT:
            self._links.append(("", []))
            return ""
        self._links.append((href, []))
        if _host(href) == "matrix.to":  # would look like one of our people or rooms
            return ""
        self.says_more = True
        self._put(f'<a href="{html.escape(href)}">')
        return "</a>"

    def _place(self, tag: str) -> None:
        if tag == "table":
            self._tables.append(_Table())
        elif tag == "tr" and self._tables:
            self._tables[-1].column = 0
        elif tag in {"td", "th"} and self._tables:
            self._put("<td></td>" * self._tables[-1].taken())


def looks_elsewhere(words: str, href: str) -> bool:
    """True when a link's words name another host (or another mailbox) than it leads to."""
    if not href:
        return False
    visible = "".join(c for c in unicodedata.normalize("NFKC", words) if unicodedata.category(c) != "Cf")
    shown = visible.casefold().replace("\u3002", ".")
    host = _host(href)
    if host == "matrix.to":
        return True
    for word in shown.split():
        if len(word) > _WORD_LIMIT:
            return True
        for found in _ADDRESS.finditer(word):
            whole, named = found[0], found[1]
            if "@" in whole and href.casefold().startswith("mailto:"):
                if whole != href.casefold().removeprefix("mailto:").partition("?")[0]:
                    return True
            elif "/" not in whole and named.rpartition(".")[2] in _FILES:
                continue
            elif named.removeprefix("www.") != host.removeprefix("www."):
                return True
    return False


def _host(href: str) -> str:
    """Where a link leads, lower-case; what can't be read, or is read in two ways, is no host."""
    if "\\" in href:
        return ""  # browsers take it for a slash
    try:
        parts = urlsplit(href)
        if parts.scheme.casefold() == "mailto":
            return parts.path.rpartition("@")[2].casefold()
        return (parts.hostname or "").casefold()
    except ValueError:
        return ""


def _number(value: str | None) -> int:
    return int(value) if value and value.isascii() and value.isdecimal() and len(value) < 4 else 1


def _span(value: str | None) -> int:
    return min(max(_number(value), 1), SPAN_LIMIT)
