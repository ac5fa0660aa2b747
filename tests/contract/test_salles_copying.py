"""A copy of a patient room: made once for whoever asked and is still there, gone with the room; on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, MxcUri, RoomId, server_of
from colloque.rooms.archive import read
from colloque.rooms.mark import RoomKind, home_key
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.archive import conversation
from colloque_salles.archive.conversation import Reader
from colloque_salles.archive.copying import Copying
from colloque_salles.store.copies import Copies
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import archive as texts_archive
from colloque_salles.texts import rooms as texts
from tests.pdfa import text_of
from tests.servers.databases import Opener
from tests.servers.salles_library import Library, said, shared
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward

HOME = RoomId("!home-anne")


class Copied(Ward):
    """The ward, and who makes copies."""

    def __init__(self, tmp: Path, db: Any, clock: FrozenClock) -> None:
        super().__init__(tmp, db, clock)
        self.library = self.server = Library(clock)
        self.library.past = [said("La plaie est propre")]
        self.library.inside = {ANNE: "join", BOB: "join", self.library.user: "join"}
        self.copies = Copies(db)
        self.copying = Copying(
            home=self.library,
            reader=Reader(
                home=self.library, offers=self.offers, invites=self.invites, book=self.offering._book, clock=clock
            ),
            patients=self.patients,
            rooms=self.rooms,
            copies=self.copies,
            keys=RoomKeys(db),
            journal=Journal.open(tmp / "copies.jsonl", clock),
        )

    @property
    def handlers(self) -> Any:
        return {**super().handlers, **self.copying.table}

    @property
    def sheets(self) -> list[str]:
        """Addresses of the files sent to ANNE's home room."""
        return [c["file"]["url"] for room, c in self.library.sent.values() if "file" in c and room == HOME]


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Copied:
    ward = Copied(tmp_path, await opened(salles_upgrades()), clock)
    await ward.rooms.put(home_key(ANNE), HOME, RoomKind.HOME, ANNE)
    await ward.add()
    return ward


async def test_what_was_asked_for_is_made_once(ward: Copied) -> None:
    assert await ward.typed(ANNE, "!patient copie", "$ask") == texts_archive.COPYING
    await ward.typed(ANNE, "!patient copie", "$ask")
    await ward.copying.once()
    await ward.copying.once()
    assert "Laplaieestpropre" in text_of(ward.library.files[0])
    assert ward.sheets == ["mxc://h.test/1"]
    assert await ward.copies.files(ROOM) == [MxcUri("mxc://h.test/1")]


async def test_one_event_that_breaks_everything_stands_there_as_unreadable(
    ward: Copied, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: EventId, *rest: Any) -> Any:
        if event == ward.library.past[0].event:
            raise TypeError("some words")
        return read(event, *rest)

    ward.library.past = [said("Avant"), said("La plaie est propre")]
    monkeypatch.setattr(conversation, "read", broken)
    await ward.typed(ANNE, "!patient copie")
    await ward.copying.once()
    printed = text_of(ward.library.files[0])
    assert "Laplaieestpropre" in printed
    assert "n'apaspulire" in printed
    assert "some words" not in caplog.text


async def test_one_asks_from_a_patient_room_and_with_a_home(ward: Copied) -> None:
    assert await ward.typed(BOB, "!patient copie") == texts_archive.NO_HOME
    assert await ward.typed(ANNE, "!patient copie", room=RoomId("!other")) == texts.ONLY_PATIENT_ROOM
    assert await ward.copies.to_make() == []


async def test_who_has_left_meanwhile_gets_none(ward: Copied) -> None:
    await ward.typed(ANNE, "!patient copie")
    ward.library.inside[ANNE] = "leave"
    await ward.copying.once()
    assert ward.library.files == []
    assert await ward.copies.to_make() == []


async def test_a_server_that_is_away_is_asked_again(ward: Copied) -> None:
    await ward.typed(ANNE, "!patient copie")
    ward.library.unread = [HomeUnavailable("away")]
    await ward.copying.once()
    assert ward.sheets == []
    await ward.copying.once()
    assert len(ward.sheets) == 1


async def test_one_that_cannot_be_made_now_holds_back_no_other(ward: Copied) -> None:
    for event in ("$a", "$b", "$c"):
        await ward.typed(ANNE, "!patient copie", event)
    ward.library.unread = [HomeUnavailable("away")]
    await ward.copying.once()
    assert len(ward.sheets) == 2
    assert [asked.event for asked in await ward.copies.to_make()] == ["$a"]
    await ward.copying.once()
    assert await ward.copies.to_make() == []


async def test_files_of_a_server_that_is_gone_are_said_to_be_unread(ward: Copied) -> None:
    """It is asked for one of them a reading, not for each: every one takes a minute."""
    ward.library.stored["mxc://there.test/1"] = b"la radio"
    ward.library.past = [
        *(shared(f"f{n}.png", f"mxc://gone.test/{n}", 7) for n in range(3)),
        shared("radio.png", "mxc://there.test/1", 8),
    ]
    ward.library.away = ("mxc://gone.test/",)
    await ward.typed(ANNE, "!patient copie")
    await ward.copying.once()
    assert ward.library.asked == ["mxc://gone.test/0", "mxc://there.test/1"]
    printed = text_of(ward.library.files[0])
    assert printed.count("contenunonlu") == 3
    assert printed.count("SHA-256") == 1


@pytest.mark.parametrize("ours", [True, False])
async def test_files_are_waited_for_while_our_own_server_does_not_answer(
    ward: Copied, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    url = f"mxc://{server_of(ward.library.user) if ours else 'gone.test'}/1"
    ward.library.stored[url], ward.library.away = b"la radio", ("mxc://",)
    ward.library.past = [shared("radio.png", url, 8)]
    answers = [{ANNE: "join"}, HomeUnavailable("away"), {ANNE: "join"}]

    async def members(room: RoomId) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ward.library, "members", members)
    await ward.typed(ANNE, "!patient copie")
    await ward.copying.once()
    assert ward.sheets == []
    ward.library.away = ()
    await ward.copying.once()
    assert "contenunonlu" not in text_of(ward.library.files[0])


async def test_a_file_that_our_own_server_has_lost_keeps_no_copy_back(ward: Copied) -> None:
    own = server_of(ward.library.user)
    ward.library.past = [shared(f"f{n}.png", f"mxc://{own}/{n}", 7) for n in range(5)]
    ward.library.away = (f"mxc://{own}/",)
    await ward.typed(ANNE, "!patient copie")
    await ward.copying.once()
    assert text_of(ward.library.files[0]).count("contenunonlu") == 5
    assert len(ward.library.asked) == 3, "each takes a minute"


async def test_a_file_is_noted_before_anybody_is_sent_it(ward: Copied) -> None:
    """A crash between upload and message leaves a file that nobody was sent: it ends with the room, too."""
    await ward.typed(ANNE, "!patient copie")
    ward.library.errors = [HomeUnavailable("away")]
    await ward.copying.once()
    await ward.copying.once()
    assert ward.sheets == ["mxc://h.test/2"]
    assert await ward.copies.files(ROOM) == [MxcUri("mxc://h.test/1"), MxcUri("mxc://h.test/2")]


@pytest.mark.parametrize("error", [ValueError("broken"), HomeRefused(403, "M_FORBIDDEN")])
async def test_what_breaks_is_told_and_does_not_hold_the_others(ward: Copied, error: Exception) -> None:
    await ward.typed(ANNE, "!patient copie", "$a")
    await ward.typed(ANNE, "!patient copie", "$b")
    ward.library.unread = [error]
    await ward.copying.once()
    assert len(ward.sheets) == 1
    told = [c["body"] for room, c in ward.library.sent.values() if room == HOME and "référence" in c.get("body", "")]
    assert len(told) == isinstance(error, ValueError)
    assert await ward.copies.to_make() == []


async def test_no_copy_is_sent_of_a_room_that_is_being_erased(ward: Copied) -> None:
    await ward.typed(ANNE, "!patient copie")
    await Jobs(ward.db).start(ROOM, {})
    await ward.copying.once()
    assert ward.sheets == []
    assert await ward.copies.files(ROOM) == []


async def test_nothing_of_it_outlives_the_room(ward: Copied) -> None:
    await ward.typed(ANNE, "!patient copie")
    await ward.copying.once()
    await ward.typed(ANNE, "!patient copie")
    await Jobs(ward.db).forget(ROOM)
    await ward.copying.once()
    assert ward.library.files[1:] == []
    for table in ("copy", "copy_file"):
        assert await ward.db.fetch(f"SELECT * FROM {table}") == []


async def test_somebody_else_reads_no_copy(ward: Copied) -> None:
    await ward.typed(CLEO, "!patient copie")
    await ward.copying.once()
    assert ward.library.files == []
