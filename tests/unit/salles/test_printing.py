"""A room's conversation as it reads in the end, and as PDF/A-1."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pikepdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from colloque.errors import BadInput
from colloque.identity import EventId, UserId
from colloque.mail.cda import Table
from colloque.mail.pdf import Sheet, render
from colloque.rooms.archive import Change, Line, What, read, settled
from colloque_salles.archive import printing
from colloque_salles.archive.printing import Conversation, Writer, parts
from colloque_salles.texts import archive as says
from tests.pdfa import faults, text_of

ANNE, BOB = UserId("@anne:h.test"), UserId("@bob:h.test")
PEOPLE = {ANNE: Writer("Dr Anne MARTIN · médecin", "89900000008"), BOB: Writer("Bob PETIT · infirmier", "")}
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def said(
    number: int, content: dict[str, Any], who: UserId = ANNE, type_: str = "m.room.message"
) -> Line | Change | None:
    return read(EventId(f"${number}"), who, AT + timedelta(minutes=number), type_, content)


def words(text: str, **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": text} | more


def edit(of: int, text: str) -> dict[str, Any]:
    return words(f"* {text}") | {
        "m.new_content": words(text),
        "m.relates_to": {"rel_type": "m.replace", "event_id": f"${of}"},
    }


def lines(*events: Line | Change | None) -> list[Line]:
    return list(settled(each for each in events if each is not None))


def test_the_last_words_of_their_writer_stand() -> None:
    one, two = lines(
        said(1, words("un")), said(2, words("deux"), BOB), said(3, edit(1, "uno")), said(4, edit(1, "een")),
        said(5, edit(2, "forged"), ANNE), said(6, edit(9, "of nothing")),
    )  # fmt: skip
    assert (one.text, one.changed_at) == ("een", AT + timedelta(minutes=4))
    assert (two.text, two.changed_at) == ("deux", None)


def test_an_edit_that_comes_late_does_not_undo_a_later_one() -> None:
    newer, older = said(4, edit(1, "last")), said(3, edit(1, "before"))
    (line,) = lines(said(1, words("un")), newer, older)
    assert line.text == "last"


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_a_line_is_as_proven_as_its_change(first: bool, second: bool) -> None:
    line, change = said(1, words("un")), said(2, edit(1, "deux"))
    assert isinstance(line, Line)
    assert isinstance(change, Change)
    (end,) = lines(replace(line, proven=first), replace(change, proven=second))
    assert end.proven == (first and second)


def test_what_was_withdrawn_stays_withdrawn() -> None:
    (line,) = lines(said(1, {}), said(2, edit(1, "back again")))
    assert (line.what, line.text) == (What.WITHDRAWN, "")


@pytest.mark.parametrize(
    ("content", "name", "size", "text"),
    [
        ({"msgtype": "m.file", "body": "cr.pdf", "info": {"size": 7}}, "cr.pdf", 7, ""),
        ({"msgtype": "m.image", "body": "la plaie", "filename": "a.jpg", "info": {"size": 7}}, "a.jpg", 7, "la plaie"),
        ({"msgtype": "m.image", "body": "a.jpg", "filename": "a.jpg", "info": {"size": -1}}, "a.jpg", 0, ""),
        ({"msgtype": "m.audio", "info": "?"}, "", 0, ""),
        ({"msgtype": "m.file", "body": [], "filename": {}, "info": {"size": True}, "file": 1}, "", 0, ""),
        ({"msgtype": "m.file", "body": "gros.bin", "info": {"size": 10**5000}}, "gros.bin", 0, ""),
    ],
)
def test_files(content: dict[str, Any], name: str, size: int, text: str) -> None:
    (line,) = lines(said(1, content))
    assert line.file is not None
    assert (line.what, line.file.name, line.file.size, line.text) == (What.FILE, name, size, text)
    assert name not in repr(line) or not name


@pytest.mark.parametrize(
    ("content", "type_", "what"),
    [
        ({"key": 1}, "m.reaction", None),
        ({}, "m.reaction", None),
        ({}, "m.room.message", What.WITHDRAWN),
        ({}, "m.room.encrypted", What.WITHDRAWN),
        ({}, "m.sticker", What.WITHDRAWN),
        ({"a": 1}, "m.call.invite", None),
        ({"url": "mxc://a/b"}, "m.sticker", What.OTHER),
        ({"msgtype": "m.location", "body": "ici"}, "m.room.message", What.OTHER),
        ({"msgtype": "m.text", "body": 7}, "m.room.message", What.TEXT),
        ({"m.relates_to": {"rel_type": "m.replace"}, "m.new_content": 3}, "m.room.message", None),
    ],
)
def test_whatever_else_is_said(content: dict[str, Any], type_: str, what: What | None) -> None:
    found = said(1, content, type_=type_)
    assert (found.what if isinstance(found, Line) else found) is what


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "msgtype": _JSON | st.sampled_from(["m.text", "m.file", "m.image"]),
        "body": _JSON,
        "filename": _JSON,
        "info": _JSON | st.fixed_dictionaries({"size": _JSON}),
        "file": _JSON,
        "m.new_content": _JSON | st.fixed_dictionaries({"body": _JSON}),
        "m.relates_to": _JSON | st.fixed_dictionaries({"rel_type": _JSON | st.just("m.replace"), "event_id": _JSON}),
    },
)


@settings(deadline=None)
@given(
    _JSON | _MESSAGE,
    st.sampled_from(["m.room.message", "m.room.encrypted", "m.sticker", "m.poll.start", "m.reaction", ""]),
)
@example({"msgtype": []}, "m.room.message")
@example({"msgtype": {}, "body": []}, "m.room.message")
@example([], "m.room.message")
@example({"m.relates_to": {"rel_type": [], "event_id": {}}}, "m.room.message")
def test_no_content_of_any_shape_breaks_a_rooms_archive(content: Any, type_: str) -> None:
    found = said(1, content, type_=type_)
    for line in lines(said(0, words("un")), found):
        assert isinstance(says.line(line), str)
    if found is None and "m.replace" not in str(content):
        assert type_ in {"m.reaction", ""}, "what was said is never left out"


def conversation(*what: Line) -> Conversation:
    return Conversation("Pin Merle", AT, what, PEOPLE, AT + timedelta(days=1, microseconds=5))


def test_an_empty_room_says_so() -> None:
    (sheet,) = parts(conversation())
    assert faults(sheet) == []


def test_it_is_pdf_a_and_long_ones_come_in_parts() -> None:
    words = "mot " * 60
    many = [Line(EventId(f"${n}"), (ANNE, BOB)[n % 2], AT, What.TEXT, f"message {n} {words}") for n in range(900)]
    sheets = parts(conversation(*many, Line(EventId("$long"), ANNE, AT, What.TEXT, "x " * 30_000)))
    assert len(sheets) == 3
    for sheet in sheets:
        assert faults(sheet) == []
    with pikepdf.open(io.BytesIO(sheets[0])) as pdf:
        assert "Pin Merle" in str(pdf.docinfo.get("/Title"))


@pytest.mark.parametrize("text", ["\n" * 60_000, "a\n" * 30_000, "x" * 60_000, "🙂" * 15_000])
def test_one_message_of_any_shape_is_printed(text: str) -> None:
    """As long as an event can be (64 KiB); whoever reads a part knows who wrote what it begins with."""
    sheets = parts(conversation(Line(EventId("$a"), ANNE, AT, What.TEXT, text)))
    assert all("AnneMARTIN" in text_of(sheet) for sheet in sheets)


@pytest.mark.parametrize("text", [" " * 60_000, "10\u00a0" * 20_000, "\ud800", "\t" * 60_000])
def test_runs_that_no_page_holds_are_printed_shorter(text: str) -> None:
    (sheet,) = parts(conversation(Line(EventId("$a"), ANNE, AT, What.TEXT, f"Na{text}140")))
    assert faults(sheet) == []
    assert "140" in text_of(sheet)


def test_no_letter_bears_thousands_of_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to set them grows with the square of their number."""
    seen: list[str] = []

    def look(sheet: Sheet, _made_at: datetime) -> bytes:
        tables = [block for block in sheet.sections[0].blocks if isinstance(block, Table)]
        seen.extend(row[0].text for table in tables for row in table.rows)
        return b""

    monkeypatch.setattr(printing, "render", look)
    parts(conversation(Line(EventId("$a"), ANNE, AT, What.TEXT, "e" + "\u0301" * 30_000)))
    assert max(len(word) for text in seen for word in text.split()) <= 51
    assert "".join(seen).count("\u0301") == 30_000


def test_what_can_not_be_set_is_named_and_keeps_back_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_but(sheet: Sheet, made_at: datetime) -> bytes:
        tables = [block for block in sheet.sections[0].blocks if isinstance(block, Table)]
        if any("odd" in cell.text for table in tables for row in table.rows for cell in row):
            raise BadInput("the document can't be set as a PDF/A-1")
        return render(sheet, made_at)

    monkeypatch.setattr(printing, "render", set_but)
    texts = ["un", "odd", "deux", "trois", "odd", "quatre"]
    sheets = parts(conversation(*(Line(EventId(f"${n}"), ANNE, AT, What.TEXT, text) for n, text in enumerate(texts))))
    printed = [text_of(sheet) for sheet in sheets]
    assert "".join(printed).count("mettreenpage") == 2
    assert [word for word in texts if any(word in each for each in printed)] == ["un", "deux", "trois", "quatre"]
    assert f"/{len(sheets)}" in printed[0]
    assert sum("illisibles1" in each for each in printed) == 2


def test_what_stands_in_a_line() -> None:
    (file,) = lines(said(1, {"msgtype": "m.file", "body": "cr.pdf", "info": {"size": 7}}))
    assert says.line(file) == "[fichier] cr.pdf (7 octets, contenu non lu)"
    changed, late = lines(said(1, words("un")), said(3, edit(1, "deux")), said(4, words("tard"), BOB))
    assert says.line(changed) == "deux\n[modifié le 02/03/2026 10:03:00]"
    assert says.line(late) == "tard"
    assert "illisible" not in says.line(Line(EventId("$u"), ANNE, AT, What.UNREADABLE))
    assert says.line(Line(EventId("$u"), ANNE, AT, What.TEXT, "a", proven=False)).startswith(
        "a\n[appareil non confirmé"
    )
