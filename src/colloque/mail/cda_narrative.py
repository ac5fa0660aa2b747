"""The words of a structured CDA: its sections' narrative blocks (CDA R2, chapter 4.3.5), flattened for reading.

No word is lost. A dose is misread without its signs: 10^9 is not 109, and what was struck out does not stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from colloque.mail.cda import Block, Bullets, Cell, Figure, Paragraph, Section, Table
from colloque.mail.cda_parts import V3

DEPTH_LIMIT = 20
"""Sections within sections, and blocks within blocks; what lies deeper is read as if it stood at this depth."""
_SPAN_LIMIT = 100
_BREAKS = {"br", "paragraph", "item", "list", "table", "tr", "caption"}
_BLOCKS = {"paragraph", "list", "table", "renderMultiMedia"}
_SPACES = re.compile(r"[^\S\n]+")
_BLANKS = re.compile(r"\s+")


def sections(body: etree._Element) -> Iterator[Section]:
    """The sections of a structuredBody, in reading order."""
    stack = [(child, 1) for child in reversed(_inside(body))]
    while stack:
        section, level = stack.pop()
        title, text = section.find(f"{V3}title"), section.find(f"{V3}text")
        blocks = _blocks(text) if text is not None else ()
        name = flat(title).replace("\n", " ") if title is not None else ""
        if name or blocks:
            yield Section(name, min(level, DEPTH_LIMIT), blocks)
        stack += [(child, level + 1) for child in reversed(_inside(section))]


def _inside(parent: etree._Element) -> list[etree._Element]:
    return parent.findall(f"{V3}component/{V3}section")


def _blocks(text: etree._Element, depth: int = 0) -> tuple[Block, ...]:
    """Blocks of a `text`; inline words between two of them make a paragraph."""
    out: list[Block] = []
    run = [text.text or ""]

    def close() -> None:
        if words := _tidy("".join(run)):
            out.append(Paragraph(words))
        run.clear()

    for child in text:
        kind = _name(child)
        if kind in _BLOCKS or next(_blocks_within(child), None) is not None:
            close()
            out += _block(child, kind, depth)
        else:
            run.append(_marked(child))
        run.append(child.tail or "")
    close()
    return tuple(out)


def _blocks_within(element: etree._Element) -> Iterator[etree._Element]:
    return element.iter(f"{V3}table", f"{V3}list", f"{V3}renderMultiMedia")


def _block(element: etree._Element, kind: str, depth: int) -> list[Block]:
    if kind == "table":
        return [_table(element)]
    if kind == "list":
        items = tuple(flat(item) for item in element.findall(f"{V3}item"))
        caption = element.find(f"{V3}caption")
        head = [Paragraph(words)] if caption is not None and (words := flat(caption)) else []
        return [*head, Bullets(items, element.get("listType") == "ordered")] if items else list(head)
    if kind == "renderMultiMedia":
        return [Figure(ref) for ref in element.get("referencedObject", "").split()]
    if depth < DEPTH_LIMIT and next(_blocks_within(element), None) is not None:
        return list(_blocks(element, depth + 1))
    return [Paragraph(words)] if (words := flat(element)) else []


def _table(element: etree._Element) -> Table:
    caption = element.find(f"{V3}caption")
    rows = [_row(row) for row in element.iter(f"{V3}tr") if _nearest(row, "table") is element]
    return Table(tuple(row for row in rows if row), flat(caption) if caption is not None else "")


def _row(row: etree._Element) -> tuple[Cell, ...]:
    cells = [cell for cell in row if _name(cell) in {"td", "th"}]
    return tuple(Cell(flat(c), _name(c) == "th", _span(c, "colspan"), _span(c, "rowspan")) for c in cells)


def _span(cell: etree._Element, name: str) -> int:
    raw = cell.get(name, "1").strip()
    return min(max(int(raw), 1), _SPAN_LIMIT) if raw.isascii() and raw.isdecimal() and len(raw) < 6 else 1


def _nearest(element: etree._Element, name: str) -> etree._Element | None:
    return next(element.iterancestors(f"{V3}{name}"), None)


def flat(element: etree._Element) -> str:
    """Every word inside an element, on as many lines as it has."""
    return _tidy(_marked(element))


def _marked(element: etree._Element) -> str:
    out: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        kind = _name(node)
        struck = node.get("revised") == "delete"
        if event == "start":
            out.append("\n" if kind in _BREAKS else "^" if kind == "sup" else "")
            out.append("~~" if struck else "")
            out.append(_BLANKS.sub(" ", node.text or ""))
        else:
            out.append("~~" if struck else "")
            out.append("\n" if kind in _BREAKS - {"br"} else " " if kind in {"td", "th"} else "")
            out.append(_BLANKS.sub(" ", node.tail or "") if node is not element else "")
    return "".join(out)


def _tidy(text: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _name(element: etree._Element) -> str:
    return str(element.tag).removeprefix(V3)
