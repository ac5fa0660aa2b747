"""Who was invited to a patient room and is not there: told once, written to once; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable, NotFound, Refused, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.rooms.mark import RoomKind, home_key
from colloque.store.roomkeys import RoomKeys
from colloque_salles.opening.joining import Joining
from colloque_salles.store.invites import Invited, Invites
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.joining import MissingPeople
from colloque_salles.store.tables import salles_upgrades
from tests.servers.annuaire import Shelf, doctor
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB, CLEO
from tests.servers.salles_ward import ROOM, Ward

HOME = RoomId("!home-anne")
BOX = "bob@medecin.mssante.test"


class Mails:
    """What the bridge was told to send."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[str, str]] = {}
        self.errors: list[Exception] = []

    async def send(self, *, key: str, to: MssanteAddress, subject: str, text: str) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent[key] = (to.value, subject + text)


class Joined(Ward):
    """The ward, and who looks for those who are missing; CLEO's devices are not confirmed."""

    def __init__(self, tmp: Path, db: Any, clock: FrozenClock) -> None:
        super().__init__(tmp, db, clock)
        self.mails, self.missing = Mails(), MissingPeople(db)
        self.deaf = {CLEO}
        self.directory = Shelf(doctor(2, "BOB", "Bob", mail=[BOX]), doctor(3, "CLEO", "Cleo", mail=[]))
        self.joining = Joining(
            home=self.server,
            patients=self.patients,
            rooms=self.rooms,
            missing=self.missing,
            book=self.offering._book,
            directory=self.directory,
            mailer=self.mails,
            keys=RoomKeys(db),
            clock=clock,
            after=timedelta(hours=24),
            reaches=self.reaches,
        )
        self.server.inside = {ANNE: "join", BOB: "invite", CLEO: "join", self.server.user: "join"}

    async def reaches(self, user: UserId) -> bool:
        return user not in self.deaf

    async def tap(self, who: UserId = ANNE, key: str = "✉️") -> str:
        before = len(self.server.said)
        (event,) = [f"${txn}" for txn, (_, c) in self.server.sent.items() if "pas encore venu" in c.get("body", "")]
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": key}}
        message = Incoming(HOME, EventId("$tap"), who, self.clock.now(), "m.reaction", content, False, False)
        await self.joining.hear(message)
        return "\n".join(self.server.said[before:])


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Joined:
    ward = Joined(tmp_path, await opened(salles_upgrades()), clock)
    await ward.rooms.put(home_key(ANNE), HOME, RoomKind.HOME, ANNE)
    await ward.add()
    return ward


async def test_the_referent_is_told_once_a_day_after(ward: Joined) -> None:
    ward.day(0.9)
    await ward.joining.once()
    assert ward.server.said == []
    ward.day(1)
    await ward.joining.once()
    await ward.joining.once()
    (said,) = ward.server.said
    assert "pas encore venu : BOB" in said
    assert "aucun appareil confirmé : CLEO" in said
    assert [room for room, _ in ward.server.sent.values()] == [HOME, HOME], "the message, and its sign"


async def test_a_referent_of_another_server_is_told_in_the_room(ward: Joined) -> None:
    await ward.db.execute("DELETE FROM bot_room")
    ward.day(1)
    await ward.joining.once()
    assert [room for room, _ in ward.server.sent.values()] == [ROOM, ROOM]
    assert "part vers : BOB" in await ward.tap()


async def test_a_tap_on_no_message_finds_no_room(ward: Joined) -> None:
    ward.server.inside[BOB], ward.deaf = "join", set()
    ward.day(1)
    await ward.joining.once()
    assert await ward.missing.of(EventId("")) is None


async def test_where_everybody_is_nothing_is_said(ward: Joined) -> None:
    ward.server.inside[BOB], ward.deaf = "join", set()
    ward.day(2)
    await ward.joining.once()
    ward.server.inside[BOB] = "invite"
    await ward.joining.once()
    assert ward.server.said == []


async def test_who_was_invited_later_is_looked_for_in_their_turn(ward: Joined) -> None:
    ward.server.inside[BOB], ward.deaf = "join", set()
    ward.day(1)
    await ward.joining.once()
    ward.day(3)
    await Invites(ward.db).note(ROOM, Invited(CLEO, "informed", ANNE, ward.clock.now()))
    ward.server.inside[CLEO] = "invite"
    ward.day(3.9)
    await ward.joining.once()
    assert ward.server.said == []
    ward.day(4)
    await ward.joining.once()
    await ward.joining.once()
    (said,) = ward.server.said
    assert "pas encore venu : CLEO" in said


async def test_one_tap_has_them_written_to(ward: Joined) -> None:
    ward.day(1)
    await ward.joining.once()
    assert await ward.tap(BOB) == ""
    assert await ward.tap(key="👍") == ""
    said = await ward.tap()
    assert "part vers : BOB" in said
    assert "Pas de boîte MSSanté connue : CLEO" in said
    ((to, words),) = ward.mails.sent.values()
    assert to == BOX
    assert "Pin" not in words, "neither the room nor who is in it"
    assert "ANNE" not in words
    await ward.tap()
    assert len(ward.mails.sent) == 1, "the bridge knows the mail by its key"


async def test_a_bridge_that_is_away_and_a_refusal_are_said(ward: Joined) -> None:
    ward.day(1)
    await ward.joining.once()
    ward.mails.errors = [Temporary("away")]
    assert "ne répond pas" in await ward.tap()
    ward.mails.errors = [Refused("recipient_not_listed")]
    assert "Pas de boîte MSSanté connue : BOB, CLEO" in await ward.tap()


async def test_without_a_directory_nobody_is_written_to(ward: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_rpps: object) -> None:
        raise NotFound("not imported yet")

    monkeypatch.setattr(ward.directory, "by_rpps", absent)
    ward.day(1)
    await ward.joining.once()
    assert "BOB, CLEO" in await ward.tap()


@pytest.mark.parametrize("error", [HomeRefused(403, "M_FORBIDDEN"), HomeUnavailable("away")])
async def test_a_room_that_refuses_is_passed_over_one_that_is_away_is_looked_at_again(
    ward: Joined, error: Exception
) -> None:
    ward.day(1)
    ward.server.errors = [error]
    if isinstance(error, HomeUnavailable):
        with pytest.raises(HomeUnavailable):
            await ward.joining.once()
    await ward.joining.once()
    assert len(ward.server.said) == isinstance(error, HomeUnavailable)


async def test_nothing_of_it_outlives_the_room(ward: Joined) -> None:
    ward.day(1)
    await ward.joining.once()
    await Jobs(ward.db).forget(ROOM)
    assert await ward.db.fetch("SELECT * FROM missing") == []
