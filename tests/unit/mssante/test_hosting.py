"""Who may be brought into a mail room, and how that ends: on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, Refused
from colloque.identity import UserId
from colloque.matrix.home import MemberChange
from colloque.rooms.mark import RoomKind
from colloque.store.rooms import Rooms
from colloque_mssante.texts import guests as texts
from tests.servers.hosting import A_KEY, ANNE, B_KEY, BRUNO, FAR, NEW, OWN, ROOM, ZOE, House
from tests.unit.mssante.test_store import db  # noqa: F401


@pytest.fixture
async def house(db: Database, tmp_path: Path, clock: FrozenClock) -> AsyncIterator[House]:  # noqa: F811
    made = House(db, tmp_path, clock)
    made.attest(ANNE, BRUNO, ZOE)
    for key, room, owner, who in (("mail-1", ROOM, ANNE, B_KEY), ("mail-2", OWN, BRUNO, A_KEY)):
        await Rooms(db).put(key, room, RoomKind.MAIL, owner)
        await db.execute("INSERT INTO conversation (room_id, owner, who) VALUES ($1, $2, $3)", room, owner, who)
        made.home.inside[room] = {owner: "join"}
    yield made
    made.journal.close()


async def test_a_colleague_of_another_server_is_brought_into_the_room_that_they_may_enter(house: House) -> None:
    house.attest(ANNE, FAR)
    with pytest.raises(Refused, match="pas de compte vérifié connu"):
        await house.hosting.bring(ROOM, ANNE)  # their server is not listed
    house.attest(ANNE, FAR, listed=("far.test",))
    said = await house.hosting.bring(ROOM, ANNE)
    assert said == texts.invited_elsewhere("Dr Bruno PETIT", f"https://matrix.to/#/{NEW}")
    assert house.home.inside[NEW] == {FAR: "invite"}
    assert await house.guests.of(ROOM) is None
    assert await house.db.fetch("SELECT * FROM notice") == [], "they have no home room here"
    house.home.inside[NEW][FAR] = "join"
    assert await house.hosting.member(MemberChange(NEW, FAR, FAR, "join"))
    assert house.heard(NEW) == [texts.joined("Dr Bruno PETIT")]
    house.attest(ANNE, FAR)
    await house.hosting.once()
    assert house.home.inside[NEW][FAR] == "leave", "whose server is no longer listed is out"
    assert await house.guests.of(NEW) is None


async def test_a_neighbour_needs_no_other_room(house: House) -> None:
    await house.hosting.bring(ROOM, ANNE)
    assert house.succession.asked == 0


async def test_invited_then_come_then_gone(house: House) -> None:
    said = await house.hosting.bring(ROOM, ANNE)
    assert said == texts.invited("Dr Bruno PETIT")
    assert house.home.inside[ROOM][BRUNO] == "invite"
    assert await house.hosting.bring(ROOM, ANNE) == texts.BRING_AGAIN
    notes = await house.db.fetch("SELECT owner, words FROM notice")
    assert [(row["owner"], "vous propose d'échanger" in row["words"]) for row in notes] == [(BRUNO, True)]
    await house.come()
    assert house.heard() == [texts.joined("Dr Bruno PETIT")]
    assert house.heard(OWN) == [texts.moved("Dr Anne MARTIN", f"https://matrix.to/#/{ROOM}")]
    assert house.home.names[ROOM] == texts.room_name("Dr Bruno PETIT", "Dr Anne MARTIN")
    shared = await house.guests.of(ROOM)
    assert shared is not None
    assert shared.joined
    with pytest.raises(Refused, match="déjà dans ce salon"):
        await house.hosting.bring(ROOM, ANNE)
    with pytest.raises(Refused, match="déjà ouvert un salon"):
        await house.hosting.bring(OWN, BRUNO)
    await house.come("leave")
    assert house.heard()[-1] == texts.left("Dr Bruno PETIT", 0)
    assert await house.guests.of(ROOM) is None
    assert house.home.names[ROOM] != texts.room_name("Dr Bruno PETIT", "Dr Anne MARTIN")


async def test_who_does_not_come_is_said(house: House) -> None:
    await house.hosting.bring(ROOM, ANNE)
    await house.come("leave")
    assert house.heard() == [texts.declined("Dr Bruno PETIT")]
    assert not await house.hosting.member(MemberChange(ROOM, BRUNO, BRUNO, "join"))


@pytest.mark.parametrize(
    ("users", "blocks", "changes"),
    [
        ((ANNE,), {}, {}),
        ((ANNE, ZOE), {}, {}),
        ((ANNE, BRUNO), {BRUNO: frozenset({ANNE})}, {}),
        ((ANNE, BRUNO), {}, {"frozen": True}),
    ],
)
async def test_who_may_not_be_brought_in(
    house: House, users: tuple[UserId, ...], blocks: dict[UserId, frozenset[UserId]], changes: dict[str, object]
) -> None:
    """Nobody, an assistant under their number, who refuses the owner, who is no longer listed."""
    house.attest(*users, blocks=blocks, **changes)
    with pytest.raises(Refused):
        await house.hosting.bring(ROOM, ANNE)
    assert (house.home.inside[ROOM], await house.guests.all()) == ({ANNE: "join"}, [])


async def test_only_the_owner_brings_in_and_either_ends_it(house: House) -> None:
    with pytest.raises(Refused):
        await house.hosting.bring(ROOM, BRUNO)
    with pytest.raises(Refused):
        await house.hosting.end(ROOM, ANNE)
    await house.hosting.bring(ROOM, ANNE)
    await house.come()
    with pytest.raises(Refused):
        await house.hosting.end(ROOM, ZOE)
    await house.hosting.end(ROOM, BRUNO)
    assert house.home.inside[ROOM][BRUNO] == "leave"


async def test_an_invitation_that_is_refused_does_not_come_later(house: House) -> None:
    house.home.refuses = True
    with pytest.raises(HomeRefused):
        await house.hosting.bring(ROOM, ANNE)
    house.home.refuses = False
    await house.hosting.once()
    assert house.home.inside[ROOM] == {ANNE: "join"}


@pytest.mark.parametrize("left", [(ANNE,), (BRUNO,)])
async def test_whoever_is_no_longer_verified_ends_it(house: House, left: tuple[UserId, ...]) -> None:
    await house.hosting.bring(ROOM, ANNE)
    await house.come()
    await house.hosting.once()
    assert house.home.inside[ROOM][BRUNO] == "join"
    house.attest(*left)
    await house.hosting.once()
    assert house.home.inside[ROOM][BRUNO] == "leave"


async def test_what_happened_while_we_were_away_is_noticed(house: House) -> None:
    await house.hosting.bring(ROOM, ANNE)
    house.hosting._settled.clear()
    house.home.inside[ROOM][BRUNO] = "join"
    await house.hosting.once()
    assert house.heard() == [texts.joined("Dr Bruno PETIT")]


async def test_a_hint_is_given_once(house: House) -> None:
    await house.hints.once()
    house.hints._next_at = 0.0
    await house.hints.once()
    assert house.heard() == [texts.hint("Dr Bruno PETIT")]
    assert house.heard(OWN) == [texts.hint("Dr Anne MARTIN")]
