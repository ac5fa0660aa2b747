"""The head of the chain of receipts in the admin room: once a day, through crashes; on both databases."""

from __future__ import annotations

import json

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId
from colloque.rooms.anchors import check_anchor, parse_anchor
from colloque.rooms.mark import ADMIN_KEY, RoomKind
from colloque.store.rooms import Rooms
from colloque_salles.erasing.anchoring import Anchoring
from colloque_salles.store.anchors import Anchors, Shown
from colloque_salles.store.jobs import Jobs, ReceiptRow
from colloque_salles.store.tables import salles_upgrades
from tests.receipts import chained
from tests.servers.databases import Opener, count
from tests.servers.dispatch import Recorder
from tests.servers.salles_ward import ROOM

ADMINS = RoomId("!admins")
CHAIN = chained(6)


class Lossy(Recorder):
    """Takes what it is sent, and is then cut off, as often as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = 0

    async def send(
        self, room: RoomId, content: dict[str, object], *, txn: str, type_: str = "m.room.message"
    ) -> EventId:
        event = await super().send(room, content, txn=txn, type_=type_)
        if self.lost:
            self.lost -= 1
            raise HomeUnavailable("cut off")
        return event


class House:
    """The service's part that anchors, with receipts to anchor."""

    def __init__(self, db: Database, clock: FrozenClock, server: Lossy | None = None) -> None:
        self.db, self.clock, self.server = db, clock, server or Lossy()
        self.jobs, self.rooms, self.anchors = Jobs(db), Rooms(db), Anchors(db)
        self.anchoring = Anchoring(
            home=self.server, rooms=self.rooms, jobs=self.jobs, anchors=self.anchors, clock=clock
        )

    async def erased(self, serial: int, *, written: bool = True) -> None:
        """One room more is erased."""
        await self.jobs.add(ReceiptRow(serial, json.dumps(CHAIN[serial - 1]), "Pin Merle", ()), ROOM)
        if written:
            await self.jobs.written(serial)

    async def looks(self) -> list[str]:
        """What the admin room reads, all of it."""
        await self.anchoring.once()
        return self.said

    @property
    def said(self) -> list[str]:
        assert {room for room, _ in self.server.sent.values()} <= {ADMINS}
        return self.server.said


@pytest.fixture
async def house(opened: Opener, clock: FrozenClock) -> House:
    house = House(await opened(salles_upgrades()), clock)
    await house.rooms.put(ADMIN_KEY, ADMINS, RoomKind.ADMIN, None)
    return house


def head(serial: int) -> str:
    return f"{serial}:{CHAIN[serial - 1]['hash']}"


async def test_without_a_receipt_nothing_is_shown(house: House) -> None:
    assert await house.looks() == []
    await house.erased(1, written=False)
    assert await house.looks() == []


async def test_a_head_is_shown_once_a_day_and_once_a_receipt(house: House) -> None:
    await house.erased(1)
    await house.erased(2)
    (first,) = await house.looks()
    assert (
        first.splitlines()[0]
        == f"⚓ Reçus d'effacement au 02/03/2026 : dernier n° 2, 2 reçus en tout, empreinte {head(2)}"
    )
    assert first.splitlines()[1].endswith(f"--anchor {head(2)}")
    await house.erased(3)
    assert await house.looks() == [first]
    house.clock.advance(hours=14, minutes=1)  # 23:01 in UTC: the next day in Paris
    first, second = await house.looks()
    assert ("au 03/03/2026" in second, head(3) in second) == (True, True)
    house.clock.advance(days=1)
    assert await house.looks() == [first, second]
    house.clock.advance(days=5)
    await house.erased(4)
    assert head(4) in (await house.looks())[-1]


async def test_what_is_shown_is_what_the_command_takes(house: House) -> None:
    await house.erased(1)
    (said,) = await house.looks()
    anchor = parse_anchor(said.splitlines()[0].rpartition(" ")[2])
    assert anchor is not None
    check_anchor(CHAIN, anchor)
    assert "1 reçu en tout" in said


@pytest.mark.parametrize("lost", [1, 3])
async def test_what_was_sent_just_before_a_crash_goes_out_once(
    house: House, opened: Opener, clock: FrozenClock, lost: int
) -> None:
    await house.erased(1)
    house.server.lost = lost
    for _ in range(lost):
        with pytest.raises(HomeUnavailable):
            await house.anchoring.once()
    await house.erased(2)
    again = House(await opened(salles_upgrades()), clock, house.server)
    (said,) = await again.looks()
    assert head(1) in said
    clock.advance(days=1)
    assert head(2) in (await again.looks())[-1]
    assert len(again.said) == 2


async def test_a_crash_before_it_is_sent_costs_nothing(house: House, opened: Opener, clock: FrozenClock) -> None:
    await house.erased(1)
    house.server.errors = [HomeUnavailable("away")]
    with pytest.raises(HomeUnavailable):
        await house.anchoring.once()
    clock.advance(days=2)
    again = House(await opened(salles_upgrades()), clock, house.server)
    (said,) = await again.looks()
    assert ("au 02/03/2026" in said, head(1) in said) == (True, True)


async def test_without_the_admin_room_it_waits(opened: Opener, clock: FrozenClock) -> None:
    house = House(await opened(salles_upgrades()), clock)
    await house.erased(1)
    assert await house.looks() == []
    assert await count(house.db, "anchor") == 0
    await house.rooms.put(ADMIN_KEY, ADMINS, RoomKind.ADMIN, None)
    assert len(await house.looks()) == 1


async def test_where_it_is_refused_one_head_waits(house: House) -> None:
    await house.erased(1)
    house.server.errors = [HomeRefused(403, "M_FORBIDDEN") for _ in range(2)]
    assert await house.looks() == []
    house.clock.advance(days=1)
    await house.erased(2)
    assert await house.looks() == []
    assert await count(house.db, "anchor") == 1
    first, second = await house.looks()
    assert (head(1) in first, head(2) in second) == (True, True)


async def test_a_clock_that_was_wrong_repeats_nothing(house: House) -> None:
    house.clock.advance(days=2000)
    await house.erased(1)
    assert len(await house.looks()) == 1
    house.clock.advance(days=-2000)
    for _ in range(3):
        house.clock.advance(days=1)
        assert len(await house.looks()) == 1
    await house.erased(2)
    assert len(await house.looks()) == 2


async def test_receipts_gone_from_the_database_are_told(house: House) -> None:
    for serial in (1, 2, 3):
        await house.erased(serial)
    await house.db.execute("DELETE FROM receipt WHERE serial = 2")
    (said,) = await house.looks()
    assert ("2 reçus en tout" in said, "il en manque" in said) == (True, True)


async def test_a_day_has_one_head(house: House) -> None:
    await house.anchors.add(Shown(1, "2026-03-02", 1, 1, CHAIN[0]["hash"]))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await house.anchors.add(Shown(2, "2026-03-02", 2, 2, CHAIN[1]["hash"]))
