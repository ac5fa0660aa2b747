"""Whether HTML may be read at all: some that is short costs its readers gigabytes, or minutes.

A browser opens again, in every paragraph, the elements that none of the earlier ones closed; a table's cells are drawn
as wide as their column and as tall as their row. 100 kB of either ended this process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

WORK_LIMIT = 1_000_000
"""Elements to open, as if each tag opened again all that are open: 240 bytes each. A big newsletter has 100,000."""
AREA_LIMIT = 20_000_000
"""Characters of a document's tables and indents as they are drawn, blanks included."""
ATTRIBUTES_LIMIT = 1_000
"""Of one tag; each is compared with all others."""
AMPERSANDS_LIMIT = 50_000
"""Of one document, those that name no character: they are read in the square of their number."""

_BLANK = r"[\t\n\f\r ]"
_VALUE = rf"={_BLANK}*+(?:\"[^\"]*+\"|'[^']*+')"
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<[!?][^>]*+|</(?![a-z])[^>]*+"  # what browsers take for a comment
    rf"|<(style|title|textarea|xmp|iframe|noembed|noframes)(?=[\t\n\f\r />]).*?(?:</\1(?=[\t\n\f\r />])|\Z)"
    rf"|<(/?)([a-z][^\t\n\f\r />]*+)((?:{_VALUE}|[^>])*+)",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)
_AMPERSAND = re.compile(r"&(?!#?[a-z0-9]{1,32};)", re.IGNORECASE)
_BLANKS = re.compile(_BLANK + "+")
_LINE_END = re.compile("\r\n?|[\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_QUOTED = re.compile(_VALUE)
_APART = re.compile(r"[\s/=]+")
_WELL_FORMED = re.compile(r"<(/?)([a-z][a-z0-9]*)[^>]*>")
_ODD = re.compile(r"<(?:svg|math|select|template|frameset|plaintext|noscript|script)", re.IGNORECASE)
"""What is read within these, and what they pass over, is not followed here."""
_SHORT_LIVED = {
    "area", "base", "basefont", "bgsound", "br", "embed", "hr", "html", "head", "body", "img", "input", "li", "link",
    "meta", "p", "param", "source", "track", "wbr", "dd", "dt",
}  # fmt: skip
"""They end by themselves."""
_FORMATS = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
"""Opened again after whatever closed them, but for their own closing tag."""
_BLOCKS = {
    "address", "article", "aside", "blockquote", "button", "center", "details", "dialog", "dir", "div", "dl",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
    "listing", "main", "menu", "nav", "ol", "pre", "search", "section", "summary", "ul",
}  # fmt: skip
_INDENTED, _INDENT = {"ul", "ol", "blockquote"}, 4
_CELLS = {"td", "th", "caption"}
_ROWS = {"tr", "tbody", "thead", "tfoot", "col", "colgroup"}
_SCOPES = {"object", "applet", "marquee"}


def too_heavy(source: str) -> bool:
    """True for HTML that is not to be parsed."""
    if source.count("&") > AMPERSANDS_LIMIT and len(_AMPERSAND.findall(source)) > AMPERSANDS_LIMIT:
        return True
    many = source.count("<") ** 2 > 2 * WORK_LIMIT
    if many and _ODD.search(source) is not None:
        return True
    return (many or len(source) > 2 * ATTRIBUTES_LIMIT) and _Scan(source).is_heavy()


@dataclass
class _Scope:
    """What is open in the page, a table, a cell or an object: no closing tag reaches beyond."""

    kind: str
    open: list[str] = field(default_factory=list)


class _Scan:
    """Follows a browser's stack of open elements; where it is not sure that something was closed, it was not."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._scopes = [_Scope("")]
        self._open = 0
        """Elements open in all scopes, and those of which nobody knows when they end."""

    def is_heavy(self) -> bool:
        work = 0
        for match in _TOKEN.finditer(self._source):
            name = match[3]
            if name is None:
                continue
            if len(match[4]) > ATTRIBUTES_LIMIT and len(_APART.findall(_QUOTED.sub(" ", match[4]))) > ATTRIBUTES_LIMIT:
                return True
            name = name.lower() if name.isascii() else name
            (self._end if match[2] else self._begin)(name)
            work += self._open + len(self._scopes)
            if work > WORK_LIMIT:
                return True
        return False

    def _begin(self, name: str) -> None:
        if name in _CELLS | _ROWS:
            self._to_table(cleared=True)
        if name == "table" or name in _SCOPES:
            self._scopes.append(_Scope(name))
        elif name in _CELLS:
            if any(scope.kind == "table" for scope in self._scopes):
                self._scopes.append(_Scope(name))
        elif name not in _SHORT_LIVED and name not in _ROWS:
            self._scopes[-1].open.append(name)
            self._open += 1

    def _end(self, name: str) -> None:
        if name in _ROWS:
            self._to_table(cleared=False)
        elif name == "table":
            if self._to_table(cleared=True):
                self._scopes.pop()  # what stood in it, but in no cell, goes on after it
        elif name in _CELLS or name in _SCOPES:
            if self._scopes[-1].kind == name:
                self._open -= len(self._scopes.pop().open)
        else:
            self._close(name)

    def _close(self, name: str) -> None:
        opened = self._scopes[-1].open
        at = len(opened) - 1
        while at >= 0 and opened[at] != name:
            if name not in _FORMATS and name not in _BLOCKS and opened[at] in _BLOCKS:
                return
            at -= 1
        if at < 0:
            return
        above = [] if name in _FORMATS else [each for each in opened[at + 1 :] if each in _FORMATS]
        kept = opened[at + 1 :] if name in _FORMATS else above
        self._open -= len(opened) - at - len(kept)
        opened[at:] = kept

    def _to_table(self, *, cleared: bool) -> bool:
        """Leave all scopes within the innermost table; False without any.

        What was open there is open for ever, unless it stood in that table's cell itself and `cleared`.
        """
        if not any(scope.kind == "table" for scope in self._scopes):
            return False
        while self._scopes[-1].kind != "table":
            scope = self._scopes.pop()
            if cleared and scope.kind in _CELLS and self._scopes[-1].kind == "table":
                self._open -= len(scope.open)
        return True


@dataclass
class _Cell:
    """What is drawn in a cell, or in the page."""

    width: int = 0
    height: int = 1
    line: int = 0

    def say(self, words: int) -> None:
        self.line += words
        self.width = max(self.width, self.line)

    def hold(self, width: int, height: int) -> None:
        """Lines of their own."""
        self.width = max(self.width, width)
        self.height += height
        self.line = 0


@dataclass
class _Table:
    """The widths of its columns; its rows' height, the last one's apart."""

    columns: list[int] = field(default_factory=list)
    height: int = 0
    at: int = 0
    row: int = 0

    def begin_row(self) -> None:
        self.height += self.row
        self.at = self.row = 0

    def put(self, cell: _Cell) -> None:
        if self.at == len(self.columns):
            self.columns.append(0)
        self.columns[self.at] = max(self.columns[self.at], cell.width + 2)
        self.at += 1
        self.row = max(self.row, cell.height)


def drawn(clean: str, breaks: set[str]) -> int:
    """Characters, at most, of the tables and indents of well-formed HTML, as text. `breaks`: tags that begin a line."""
    cells, tables = [_Cell()], list[_Table]()
    area = end = indent = 0
    as_it_is = "<pre" in clean
    for tag in _WELL_FORMED.finditer(clean):
        said = clean[end : tag.start()]
        end = tag.end()
        first, *others = _LINE_END.split(said) if as_it_is else [_BLANKS.sub(" ", said)]
        cells[-1].say(len(first))
        for line in others:
            cells[-1].hold(0, 1)
            cells[-1].say(len(line))
        area += indent * (len(others) + 1)
        opens, name = not tag[1], tag[2]
        if name in _INDENTED:
            indent += _INDENT if opens else -_INDENT
        if name == "table" and opens:
            tables.append(_Table())
        elif name == "table" and tables:
            table = tables.pop()
            table.begin_row()
            area += sum(table.columns) * table.height
            cells[-1].hold(sum(table.columns), table.height)
        elif name in {"td", "th"} and opens:
            cells.append(_Cell())
        elif name in {"td", "th"} and tables and len(cells) > 1:
            tables[-1].put(cells.pop())
        elif name == "tr" and opens and tables:
            tables[-1].begin_row()
        elif name in breaks:
            cells[-1].hold(0, 1)
    return area
