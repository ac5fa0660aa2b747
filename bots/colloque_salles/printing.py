"""A room's conversation as PDF/A-1: who said what and when, files with their digests. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from colloque.identity import UserId
from colloque.mail.cda import Cell, Paragraph, Section, Table
from colloque.mail.pdf import Sheet, render
from colloque.rooms.archive import Line, What
from colloque_salles import texts_archive as says

_LINES, _LETTERS = 800, 100_000
"""Of one part: what is set in a second or two, far below `pdf`'s limits."""
_LONGEST = 20_000
"""Letters of one message that are printed in one piece; a longer one goes on in the next."""


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


def parts(said: Conversation) -> list[bytes]:
    """One or more PDF/A-1, each with its number; an empty room gives one, which says so."""
    groups = list(_groups(said.lines)) or [[]]
    return [
        render(_sheet(replace(said, lines=group), (rank, len(groups))), said.made_at)
        for rank, group in enumerate(groups, 1)
    ]


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    group: list[Line] = []
    letters = 0
    for line in lines:
        if group and (len(group) >= _LINES or letters + len(line.text) > _LETTERS):
            yield group
            group, letters = [], 0
        group.append(line)
        letters += len(line.text)
    if group:
        yield group


def _sheet(said: Conversation, rank: tuple[int, int]) -> Sheet:
    facts = [
        (says.OPENED, says.moment(said.opened_at)),
        (says.MADE, says.moment(said.made_at)),
        (says.PART, f"{rank[0]} / {rank[1]}"),
        (says.UNREADABLE_COUNT, str(sum(line.what is What.UNREADABLE for line in said.lines))),
    ]
    writers = {said.people[line.sender] for line in said.lines}
    named = [(says.WRITER, says.writer(each.name, each.rpps)) for each in sorted(writers, key=lambda who: who.name)]
    blocks = [block for line in said.lines for block in _blocks(line, said.people[line.sender])]
    return Sheet(
        title=says.title(said.words),
        facts=(tuple(facts), tuple(named)),
        sections=(Section("", 1, tuple(blocks) or (Paragraph(says.NOTHING),)),),
        author=says.AUTHOR,
        footer=says.footer(said.words, rank),
    )


def _blocks(line: Line, writer: Writer) -> Iterator[Table]:
    """A small table a message: when and who above what was said."""
    head: tuple[tuple[Cell, ...], ...] = ((Cell(f"{says.moment(line.at)} · {writer.name}", heading=True),),)
    for piece in _pieces(says.line(line)):
        yield Table((*head, (Cell(piece),)))
        head = ()


def _pieces(text: str) -> Iterator[str]:
    yield text[:_LONGEST]
    for at in range(_LONGEST, len(text), _LONGEST):
        yield text[at : at + _LONGEST]
