"""No event of one member's keeps a room's archive from leaving, whatever is in it; on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from colloque.errors import Final
from colloque.identity import EventId
from colloque.matrix.home import Past
from colloque.rooms.keeping import Proof
from colloque_salles.archive.archiving import FAILED
from tests.pdfa import text_of
from tests.servers.salles_archive import HOME, Archived
from tests.servers.salles_library import NOON, said, shared
from tests.servers.salles_server import BOB
from tests.servers.salles_ward import ROOM

URL = "mxc://h.test/photo"
HALF = "\ud800"
"""Half a pair of surrogates: JSON may hold it, UTF-8 can't."""


@pytest.fixture
def ward(archived: Archived) -> Archived:
    return archived


def past(content: dict[str, Any], type_: str = "m.room.message", event: str = "$odd") -> Past:
    return Past(EventId(event), BOB, NOON, type_, content, True)


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def odd_file(**more: Any) -> Past:
    content = dict(shared("photo.png", URL, 9).content or {})
    return past(content | more)


ODD = {
    "name": odd_file(filename=f"{HALF}.pdf"),
    "kind": odd_file(info={"mimetype": f"image/{HALF}", "size": 9}),
    "more keys": odd_file(file=odd_file().content["file"] | {HALF: HALF, "nan": float("nan")}),  # type: ignore[index]
    "deep keys": odd_file(file=odd_file().content["file"] | {"deep": deep(700)}),  # type: ignore[index]
    "deep elsewhere": odd_file(info={"mimetype": "image/png", "size": 9, "deep": deep(700)}),
    "lines in its name": odd_file(filename="a\r\nBcc: b\u202e.png"),
    "odd values": odd_file(info={"mimetype": ["image/png"], "size": float("inf")}, body={}, filename=None),
}


@pytest.mark.parametrize("what", ODD)
async def test_a_file_of_any_description_leaves(ward: Archived, what: str) -> None:
    ward.library.past.append(ODD[what])
    ward.library.stored[URL] = b"x" * 2_000
    await ward.handed_over()
    assert await ward.incidents.current() == []
    (mail,) = ward.mails
    assert [file["file"]["url"] for file in mail["files"]][1:] == [URL]
    assert not set("\r\n\u202e") & set(mail["files"][1]["name"])
    "".join(ward.server.said).encode()


async def test_nor_does_one_that_can_not_be_read(ward: Archived) -> None:
    ward.library.past.append(ODD["name"])
    await ward.handed_over()
    assert len(ward.mails) == 1
    assert "– .pdf" in ward.server.said[-1]
    "".join(ward.server.said).encode()


@pytest.mark.parametrize("text", [f"La plaie {HALF}", "Na" + " " * 60_000 + "140", "10\u00a0" * 15_000, "x" * 300_000])
async def test_a_message_of_any_shape_leaves(ward: Archived, text: str) -> None:
    ward.library.past = [said(text), said("La plaie est propre")]
    await ward.handed_over()
    assert await ward.incidents.current() == []
    assert "Laplaieestpropre" in "".join(map(text_of, ward.library.files))


@pytest.mark.parametrize(
    "lone",
    [
        past({"m.new_content": {"body": "corrigé"}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$gone"}}),
        past({"m.new_content": 7, "m.relates_to": {"rel_type": "m.replace"}}),
        past({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$x", "key": "👍"}}, "m.reaction"),
    ],
    ids=["of what is not there", "of no shape", "heard before its key"],
)
async def test_what_alone_was_heard_in_a_room_stands_there_as_unreadable(ward: Archived, lone: Past) -> None:
    """It counted as somebody's words: an encrypted event of which the key comes later does, too."""
    ward.library.past = [lone]
    await ward.patients.active(ROOM, ward.day(0.1))
    await ward.handed_over()
    assert await ward.incidents.current() == []
    assert len(ward.mails) == 1
    assert "n'apaspulire" in text_of(ward.library.files[0])
    assert await ward.proof() == "", "a referent says what becomes of it"


async def test_a_lost_change_stands_among_what_else_was_said(ward: Archived) -> None:
    ward.library.past.append(
        past({"m.new_content": {"body": "b"}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$gone"}})
    )
    ward.library.past.append(past({}, "m.reaction", "$tap"))
    await ward.handed_over()
    assert text_of(ward.library.files[0]).count("n'apaspulire") == 1


@pytest.mark.parametrize(
    "error", [Final("mail.refused"), UnicodeEncodeError("utf-8", HALF, 0, 1, "a name"), KeyError()]
)
async def test_what_can_not_be_queued_comes_to_the_home_room(
    ward: Archived, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    ward.bridge.errors = [error]
    await ward.handed_over()
    await ward.rounds()
    assert await ward.incidents.current() == []
    assert [room for room, c in ward.library.sent.values() if "file" in c] == [HOME]
    assert "archive.not_mailed" in caplog.text
    assert "a name" not in caplog.text
    await ward.tap("ci-dessus", "✅")
    await ward.archiving.once()
    assert await ward.proof() == Proof.FILED


async def test_a_history_that_comes_back_empty_still_proves_nothing(ward: Archived) -> None:
    ward.library.past = []
    await ward.patients.active(ROOM, ward.day(0.1))
    await ward.handed_over()
    assert (await ward.proof(), await ward.incidents.current()) == ("", [FAILED])
