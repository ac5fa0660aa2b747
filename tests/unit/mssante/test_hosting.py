"""Who may be brought into a mail room, and how that ends: on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import JsonDict, MemberChange
from colloque.rooms.mark import RoomKind
from colloque.snapshot import SnapshotWriter
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_mssante import texts_guests as texts
from colloque_mssante.authors import Authors
from colloque_mssante.conversations import Conversations
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.guests import Hosting
from colloque_mssante.hints import Hints
from colloque_mssante.neighbours import Neighbours
from colloque_mssante.notices import Notes
from colloque_mssante.store_choices import Choices
from colloque_mssante.store_guests import Guests
from colloque_mssante.store_talk import Sayings
from colloque_mssante.teams import Teams
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_store import db  # noqa: F401

BOT = UserId("@mssante:h.test")
ANNE, BRUNO, ZOE = UserId("@anne:h.test"), UserId("@bruno:h.test"), UserId("@zoe:h.test")
A_BOX, B_BOX = MssanteAddress("anne@medecin.mssante.test"), MssanteAddress("bruno@medecin.mssante.test")
ROOM, OWN = RoomId("!room"), RoomId("!bruno-own")
A_KEY, B_KEY = f"rpps:{rpps(1).value}", f"rpps:{rpps(2).value}"


@dataclass
class Home:
    """Stands for the homeserver: who is in the rooms, what was said; `refuses` invitations."""

    user: UserId = BOT
    inside: dict[RoomId, dict[UserId, str]] = field(default_factory=dict)
    said: list[tuple[RoomId, str]] = field(default_factory=list)
    names: dict[RoomId, str] = field(default_factory=dict)
    refuses: bool = False

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return dict(self.inside.get(room, {}))

    async def invite(self, room: RoomId, user: UserId) -> None:
        if self.refuses:
            raise HomeRefused(403, "M_FORBIDDEN")
        self.inside.setdefault(room, {})[user] = "invite"

    async def state(self, room: RoomId, _type: str, _key: str = "") -> JsonDict | None:
        return {"name": self.names[room]} if room in self.names else None

    async def set_state(self, room: RoomId, type_: str, content: JsonDict, key: str = "") -> EventId:
        if type_ == "m.room.member":
            self.inside[room][UserId(key)] = content["membership"]
        else:
            self.names[room] = content["name"]
        return EventId("$state")

    async def send(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        assert txn
        self.said.append((room, content["body"]))
        return EventId(f"${len(self.said)}")


class Keys:
    """Every mailbox has a password."""

    def of(self, _address: MssanteAddress, _user: UserId | None = None) -> object:
        return object()


class Silent:
    """Nothing is said in the rooms."""

    async def once(self) -> None:
        return


class House:
    def __init__(self, db: Database, folder: Path, clock: FrozenClock) -> None:  # noqa: F811
        self.clock, self.serial, self.home = clock, 0, Home()
        self.writer = SnapshotWriter(folder / "snapshot", b"k" * 32)
        self.book = AttestationBook(folder / "snapshot", b"k" * 32)
        self.guests, self.sayings, self.db = Guests(db, clock), Sayings(db, clock), db
        directory = Shelf(
            doctor(1, "MARTIN", "Anne", mail=[A_BOX.value]), doctor(2, "PETIT", "Bruno", mail=[B_BOX.value])
        )
        authors = Authors(
            book=self.book,
            directory=directory,
            credentials=cast("Any", Keys()),
            choices=Choices(db, clock),
            teams=Teams(db, self.book, clock),
            clock=clock,
        )
        home, nothing = cast("Any", self.home), cast("Any", None)
        self.journal = Journal.open(folder / "journal.jsonl", clock)
        self.conversations = Conversations(
            db=db,
            home=home,
            ghosts=nothing,
            directory=directory,
            rooms=Rooms(db),
            keys=RoomKeys(db),
            journal=self.journal,
            secret=b"k",
            whitelisted=lambda _domain: True,
            teams=nothing,
            authors=authors,
            guests=self.guests,
        )
        neighbours = Neighbours(self.book, directory, clock, "h.test")
        self.hosting = Hosting(
            home=home,
            guests=self.guests,
            talk=cast("Any", Silent()),
            hints=Hints(home, self.guests, neighbours),
            neighbours=neighbours,
            sayings=self.sayings,
            conversations=self.conversations,
            ghosts=Ghosts(db, nothing, nothing, b"k", UserId),
            authors=authors,
            book=self.book,
            directory=directory,
            notices=cast("Any", Notes(db)),
            keys=RoomKeys(db),
            journal=self.journal,
            clock=clock,
        )
        self.hints = Hints(home, self.guests, neighbours)

    def attest(self, *users: UserId, blocks: dict[UserId, frozenset[UserId]] | None = None, **changes: object) -> None:
        now = self.clock.now()
        anne = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=90))
        known = {
            ANNE: anne,
            BRUNO: replace(anne, user=BRUNO, rpps=rpps(2), **changes),  # type: ignore[arg-type]
            ZOE: replace(anne, user=ZOE, kind=Kind.SUPERVISED, under=rpps(2), rpps=rpps(2)),
        }
        self.serial += 1
        self.writer.publish(snapshot(self.serial, now, [known[user] for user in users], blocks))
        self.book.refresh()

    async def come(self, membership: str = "join") -> None:
        self.home.inside[ROOM][BRUNO] = membership
        assert await self.hosting.member(MemberChange(ROOM, BRUNO, BRUNO, membership))

    def heard(self, room: RoomId = ROOM) -> list[str]:
        return [words for where, words in self.home.said if where == room]


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
