"""A room's conversation as PDF/A-1: who said what and when, files with their digests. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from colloque.errors import BadInput
from colloque.identity import UserId
from colloque.mail.cda import Cell, Paragraph, Section, Table
from colloque.mail.pdf import Sheet, render
from colloque.rooms.archive import Line, What
from colloque_salles.texts import archive as says

_MESSAGES, _ROWS, _LETTERS = 800, 2_000, 100_000
"""Of one part: what is set in a second or two, far below `pdf`'s limits."""
_LONGEST_ROWS, _LONGEST = 1_000, 20_000
"""Lines and letters of one message that are printed in one piece; a longer one goes on in the next."""
_BLANKS, _WIDEST = re.compile(r"[^\S\n]+"), 100
"""Spaces in a row of which no more are printed: a PDF/A-1 can't hold 8,000. Those that bind words are plain ones."""
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489]{50}(?=[\u0300-\u036f\u0483-\u0489])")
"""Accents on one letter: the time to set them grows with the square of their number, half a minute for 20,000."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote, as the directory has them."""

    name: str
    rpps: str
    """Empty for an account of which nothing is attested any more."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is printed: a room's words, its lines, and everybody who wrote them."""

    words: str
    opened_at: datetime
    lines: Sequence[Line] = field(repr=False)
    people: Mapping[UserId, Writer]
    made_at: datetime
    """When it was read."""
    noted: Sequence[str] = ()
    """What was noted of the patient's information and consent, by whom and when."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A message, or what of a long one stands in one cell."""

    line: Line
    text: str = field(repr=False)
    goes_on: bool = False
    """True where the piece before it begins the message."""


def parts(said: Conversation) -> list[bytes]:
    """One or more PDF/A-1, each with its number; an empty room gives one, which says so."""
    groups = list(_groups(said.lines)) or [[]]
    try:
        return _rendered(said, groups)
    except BadInput:  # what can't be set is found, and told: it keeps back nothing else
        return _rendered(said, [part for group in groups for part in _settable(said, group)])


def _rendered(said: Conversation, groups: Sequence[Sequence[_Piece]]) -> list[bytes]:
    return [render(_sheet(said, group, (rank, len(groups))), said.made_at) for rank, group in enumerate(groups, 1)]


def _settable(said: Conversation, group: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    """Its halves, and theirs, until each can be set; of a single message that can't be, that it was there."""
    try:
        _rendered(said, [group])
    except BadInput:
        if not group:
            raise
        if len(group) == 1:
            yield [replace(group[0], line=replace(group[0].line, what=What.UNREADABLE), text=says.UNPRINTABLE)]
            return
        half = len(group) // 2
        yield from _settable(said, group[:half])
        yield from _settable(said, group[half:])
    else:
        yield group


def _groups(lines: Sequence[Line]) -> Iterator[list[_Piece]]:
    group: list[_Piece] = []
    rows = letters = 0
    for piece in (piece for line in lines for piece in _pieces(line)):
        more = 1 + piece.text.count("\n")
        full = len(group) >= _MESSAGES or rows + more > _ROWS or letters + len(piece.text) > _LETTERS
        if group and full:
            yield group
            group, rows, letters = [], 0, 0
        group.append(piece)
        rows += more
        letters += len(piece.text)
    if group:
        yield group


def _pieces(line: Line) -> Iterator[_Piece]:
    spaced = _BLANKS.sub(lambda found: " " * min(len(found[0].expandtabs()), _WIDEST), says.line(line))
    rows = _MARKS.sub(r"\g<0> ", spaced).split("\n")
    goes_on = False
    for first in range(0, len(rows), _LONGEST_ROWS):
        text = "\n".join(rows[first : first + _LONGEST_ROWS])
        for at in range(0, len(text) or 1, _LONGEST):
            yield _Piece(line, text[at : at + _LONGEST], goes_on)
            goes_on = True


def _sheet(said: Conversation, pieces: Sequence[_Piece], rank: tuple[int, int]) -> Sheet:
    facts = [
        (says.OPENED, says.moment(said.opened_at)),
        (says.MADE, says.moment(said.made_at)),
        (says.PART, f"{rank[0]} / {rank[1]}"),
        (says.UNREADABLE_COUNT, str(sum(piece.line.what is What.UNREADABLE for piece in pieces))),
    ]
    writers = {said.people[piece.line.sender] for piece in pieces}
    named = [(says.WRITER, says.writer(each.name, each.rpps)) for each in sorted(writers, key=lambda who: who.name)]
    blocks = [_block(piece, said.people[piece.line.sender], top=not place) for place, piece in enumerate(pieces)]
    notes = [(says.NOTED, each) for each in said.noted]
    return Sheet(
        title=says.title(said.words),
        facts=tuple(filter(None, (tuple(facts), tuple(named), tuple(notes)))),
        sections=(Section("", 1, tuple(blocks) or (Paragraph(says.NOTHING),)),),
        author=says.AUTHOR,
        footer=says.footer(said.words, rank),
    )


def _block(piece: _Piece, writer: Writer, *, top: bool) -> Table:
    """A small table: when and who above what was said, unless that stands just before."""
    said = (Cell(piece.text),)
    if piece.goes_on and not top:
        return Table((said,))
    return Table(((Cell(f"{says.moment(piece.line.at)} · {writer.name}", heading=True),), said))
