"""PDF/A-1 (ISO 19005-1, level b) out of words: typst, with the fonts that it brings (SIL Open Font License).

The words are data for the layout, never part of its program. The same sheet gives the same bytes.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import typst

from colloque.errors import BadInput
from colloque.mail import texts
from colloque.mail.cda import Block, Bullets, Figure, Media, Paragraph, Section, Table

PIECES_LIMIT = 10_000
"""Lines, items and table cells of one sheet: setting as many takes two seconds and 300 MB."""
TEXT_LIMIT = 500_000
"""Characters of one sheet: 150 pages."""
COLUMNS_LIMIT = 40
IMAGES_LIMIT = 2_000_000
"""Bytes of the images that are shown in their place, together."""

_COVERED = (
    (0x20, 0x7E), (0xA0, 0x4FF), (0x1E00, 0x1FFF), (0x2000, 0x200A), (0x2010, 0x2027), (0x202F, 0x2040),
    (0x2044, 0x2052), (0x2070, 0x20BF), (0x2100, 0x211E), (0x2122, 0x2122), (0x2126, 0x2151), (0x2153, 0x2184),
    (0x2190, 0x23FF), (0x2460, 0x25FF), (0x2600, 0x262F), (0x2638, 0x268B), (0xFB00, 0xFB06),
)  # fmt: skip
"""Characters for which the fonts have a glyph; no other is set."""
_UNCOVERED = re.compile(
    "[^" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _COVERED).replace("]", r"\]") + r"\n]"
)
_UNBROKEN = re.compile(r"\S{72}(?=\S)")
"""About as much as fits on a line: the rest of a longer word would be set beyond the page's edge, unseen."""
_MAY_BREAK = "\u200b"

_LAYOUT = b"""
#let d = json(bytes(sys.inputs.sheet))
#let lines(text) = text.split("\\n").join(linebreak())
#set document(title: d.title, author: d.author, date: auto)
#set page(paper: "a4", margin: (x: 18mm, top: 18mm, bottom: 20mm), footer: context [
  #set text(8pt)
  #d.footer #h(1fr) #counter(page).display("1 / 1", both: true)
])
#set text(lang: "fr", size: 10pt, font: ("Libertinus Serif", "DejaVu Sans Mono"), hyphenate: false)
#set table(stroke: 0.4pt, inset: 4pt)
#set heading(numbering: none)
#text(16pt, weight: "bold", d.title)
#v(2mm)
#for group in d.facts {
  let cells = group.map(pair => (strong(pair.at(0)), lines(pair.at(1)))).flatten()
  grid(columns: (38mm, 1fr), row-gutter: 2mm, ..cells)
  line(length: 100%, stroke: 0.4pt)
}
#for section in d.sections {
  if section.title != "" { heading(level: section.level, section.title) }
  for block in section.blocks {
    if block.kind == "text" { par(lines(block.text)) }
    if block.kind == "image" { image(bytes(d.images.at(block.ref)), width: 60mm, alt: block.alt) }
    if block.kind == "bullets" { list(..block.items.map(lines)) }
    if block.kind == "numbers" { enum(..block.items.map(lines)) }
    if block.kind == "table" {
      if block.caption != "" { par(strong(block.caption)) }
      let said(c) = if c.heading { strong(lines(c.text)) } else { lines(c.text) }
      let cell(c) = table.cell(x: c.x, y: c.y, colspan: c.across, rowspan: c.down, said(c))
      table(columns: block.columns, ..block.cells.map(cell))
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document to be read or printed."""

    title: str
    facts: tuple[tuple[tuple[str, str], ...], ...] = field(repr=False)
    """Groups of `(name, value)` under the title."""
    sections: tuple[Section, ...] = field(repr=False)
    author: str = ""
    footer: str = field(default="", repr=False)
    """Stands on every page: a page that gets loose still says whom it is about."""


def render(sheet: Sheet, made_at: datetime, media: Mapping[str, Media] | None = None) -> bytes:
    """Set it as PDF/A-1b. `media` are the images that its figures name; one that PDF/A-1 can't hold is named instead.

    Raises BadInput when it is too long.
    """
    if _pieces(sheet) > PIECES_LIMIT or _length(sheet) > TEXT_LIMIT:
        raise BadInput("the document is too long for a PDF")
    images = _images(media or {})
    # PDF/A-1 knows no transparency, and no list of more than 8,191 things: then without pictures, then without the tags
    # that help reading aloud.
    for shown, tagged in ((images, True), ({}, True), ({}, False)):
        try:
            return _compiled(_data(sheet, shown), made_at, tagged=tagged)
        except typst.TypstError:
            continue
    raise BadInput("the document can't be set as a PDF/A-1")


def _compiled(data: dict[str, Any], made_at: datetime, *, tagged: bool) -> bytes:
    out = typst.compile(
        _LAYOUT,
        sys_inputs={"sheet": json.dumps(data)},
        pdf_standards=["a-1b"],
        ignore_system_fonts=True,
        timestamp=made_at.replace(microsecond=0),
        pdf_tags=tagged,
        format="pdf",
    )
    assert isinstance(out, bytes)
    return out


def _images(media: Mapping[str, Media]) -> dict[str, Media]:
    """Those that can be shown, as far as there is room."""
    found: dict[str, Media] = {}
    room = IMAGES_LIMIT
    for ref, item in media.items():
        if item.mime in {"image/png", "image/jpeg"} and len(item.data) <= room:
            found[ref] = item
            room -= len(item.data)
    return found


def _blocks(sheet: Sheet) -> Iterator[Block]:
    return (block for section in sheet.sections for block in section.blocks)


def _pieces(sheet: Sheet) -> int:
    return len(sheet.sections) + sum(1 + text.count("\n") for block in _blocks(sheet) for text in (*_words(block), ""))


def _length(sheet: Sheet) -> int:
    facts = sum(len(value) for group in sheet.facts for _, value in group)
    titles = sum(len(section.title) for section in sheet.sections)
    return facts + titles + sum(len(text) for block in _blocks(sheet) for text in _words(block))


def _words(block: Block) -> list[str]:
    match block:
        case Paragraph(text):
            return [text]
        case Bullets(items):
            return list(items)
        case Table(rows, caption):
            return [caption, *(cell.text for row in rows for cell in row)]
        case Figure():
            return []


def _data(sheet: Sheet, images: Mapping[str, Media]) -> dict[str, Any]:
    return {
        "title": _set(sheet.title) or "-",
        "author": _set(sheet.author),
        "footer": _set(sheet.footer),
        "facts": [[[_set(name), _set(value)] for name, value in group if value] for group in sheet.facts],
        "images": {ref: list(item.data) for ref, item in images.items()},
        "sections": [
            {
                "title": _set(each.title),
                "level": min(each.level, 6),
                "blocks": [_block(block, images) for block in each.blocks],
            }
            for each in sheet.sections
        ],
    }


def _block(block: Block, images: Mapping[str, Media]) -> dict[str, Any]:
    match block:
        case Paragraph(text):
            return {"kind": "text", "text": _set(text)}
        case Bullets(items, ordered):
            return {"kind": "numbers" if ordered else "bullets", "items": [_set(item) for item in items]}
        case Figure(ref) if ref in images:
            return {"kind": "image", "ref": ref, "alt": texts.IMAGE}
        case Figure():
            return {"kind": "text", "text": texts.IMAGE}
        case Table():
            return _table(block)


def _table(table: Table) -> dict[str, Any]:
    """Cells with their places: rows may be short, and cells reach into the rows below (as in HTML)."""
    cells: list[dict[str, Any]] = []
    taken: set[tuple[int, int]] = set()
    for y, row in enumerate(table.rows):
        x = 0
        for cell in row:
            while (x, y) in taken:
                x += 1
            down = min(cell.down, len(table.rows) - y)
            across = 1
            while across < cell.across and (x + across, y) not in taken:
                across += 1
            taken |= {(x + i, y + j) for i in range(across) for j in range(down)}
            if x + across > COLUMNS_LIMIT:
                raise BadInput("the document has a table too wide for a PDF")
            cells.append(
                {"x": x, "y": y, "across": across, "down": down, "heading": cell.heading, "text": _set(cell.text)}
            )
            x += across
    columns = max((cell["x"] + cell["across"] for cell in cells), default=1)
    return {"kind": "table", "columns": columns, "cells": cells, "caption": _set(table.caption)}


def _set(text: str) -> str:
    """The text with every character that has no glyph written out, none that only steers others, and room to break."""
    kept = "".join(
        c for c in unicodedata.normalize("NFC", text) if c == "\n" or unicodedata.category(c) not in {"Cc", "Cf"}
    )
    shown = _UNCOVERED.sub(lambda found: texts.uncovered(ord(found[0])), kept.expandtabs())
    return _UNBROKEN.sub(lambda found: found[0] + _MAY_BREAK, shown)
