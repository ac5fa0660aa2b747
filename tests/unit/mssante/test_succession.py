"""A conversation that goes on in a room which other servers may enter: made once, said once, whatever is killed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Refused
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import RoomSpec
from colloque.rooms.mark import RoomKind
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_mssante.guests.succession import Succession
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.people.conversations import Conversation, Conversations
from colloque_mssante.people.ghosts import Correspondent
from colloque_mssante.store.guests import Guests, Moves
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.unit.mssante.test_store import db  # noqa: F401

ANNE, GHOST = UserId("@anne:h.test"), UserId("@mss_b:h.test")
OLD, KEY = RoomId("!old"), f"rpps:{rpps(2).value}"
BOX = MssanteAddress("anne@medecin.mssante.test")


class Home:
    """Stands for the homeserver; `trouble` is raised by the next call of that name."""

    def __init__(self) -> None:
        self.federates: dict[RoomId, bool] = {OLD: False}
        self.specs: dict[str, RoomSpec] = {}
        self.said: dict[str, tuple[RoomId, str]] = {}
        self.retired: list[tuple[RoomId, RoomId]] = []
        self.trouble: dict[str, Exception] = {}

    def _may(self, name: str) -> None:
        if name in self.trouble:
            raise self.trouble.pop(name)

    async def state(self, room: RoomId, _type: str) -> dict[str, Any]:
        return {"m.federate": self.federates[room]}

    async def create_room(self, spec: RoomSpec) -> RoomId:
        self.specs[spec.mark.key] = spec
        room = RoomId(f"!{len(self.specs)}")
        self.federates[room] = spec.shared
        self._may("create")
        return room

    async def members(self, _room: RoomId) -> dict[UserId, str]:
        return {ANNE: "join", GHOST: "join"}

    async def send(self, room: RoomId, content: dict[str, Any], *, txn: str) -> EventId:
        self._may("send")
        self.said[txn] = (room, content["body"])
        return EventId("$s")

    async def retire(self, room: RoomId, successor: RoomId) -> None:
        self._may("retire")
        self.retired.append((room, successor))


class Ghosts:
    """One correspondent's."""

    user = GHOST

    async def settled(self, who: Correspondent) -> Correspondent:
        return who

    async def ensure(self, _who: Correspondent) -> Any:
        return self


class Place:
    """ANNE's conversation with her correspondent, in OLD."""

    def __init__(self, db: Database, tmp: Any, clock: FrozenClock) -> None:  # noqa: F811
        self.db, self.home, self.rooms = db, Home(), Rooms(db)
        self.moves, self.drafts = Moves(db), Drafts(db, clock)
        self.journal = Journal.open(tmp / "journal.jsonl", clock)
        other = doctor(2, "PETIT", "Bruno", mail=["b@m.mssante.test"])
        shelf = Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value]), other)
        home, nothing = cast("Any", self.home), cast("Any", None)
        self.conversations = Conversations(
            db=db,
            home=home,
            ghosts=cast("Any", Ghosts()),
            directory=cast("Directory", shelf),
            rooms=self.rooms,
            keys=RoomKeys(db),
            journal=self.journal,
            secret=b"k",
            whitelisted=lambda _domain: True,
            teams=nothing,
            authors=nothing,
            guests=Guests(db, clock),
        )
        self.succession = Succession(home=home, conversations=self.conversations, drafts=self.drafts, moves=self.moves)

    async def conversation(self, room: RoomId = OLD) -> Conversation:
        found = await self.conversations.of(room, ANNE)
        assert found is not None
        return found


@pytest.fixture
async def place(db: Database, tmp_path: Any, clock: FrozenClock) -> Any:  # noqa: F811
    made = Place(db, tmp_path, clock)
    await made.rooms.put("mail-old", OLD, RoomKind.MAIL, ANNE)
    await db.execute(
        "INSERT INTO conversation (room_id, owner, who, sender, recipient) VALUES ($1, $2, $3, $4, 'b@m.mssante.test')",
        OLD,
        ANNE,
        KEY,
        BOX.value,
    )
    yield made
    made.journal.close()


async def test_a_room_that_others_may_enter_stays(place: Place) -> None:
    place.home.federates[OLD] = True
    assert await place.succession.shared(await place.conversation()) == OLD
    assert place.home.specs == {}


async def test_the_successor_has_all_that_the_conversation_had(place: Place) -> None:
    new = await place.succession.shared(await place.conversation())
    (spec,) = place.home.specs.values()
    assert (spec.shared, spec.direct, spec.invite, spec.mark.owner) == (True, True, (ANNE, GHOST), ANNE)
    was, now = await place.conversation(), await place.conversation(new)
    assert (now.who, now.sender, now.recipient, now.team) == (was.who, was.sender, was.recipient, None)
    assert place.home.retired == [(OLD, new)]
    assert [(room, new in words) for room, words in place.home.said.values()] == [(OLD, True)]
    ensured = await place.rooms.get(spec.mark.key.removesuffix("-shared"))
    assert ensured is not None
    assert ensured.room == new, "the next mail stands there"
    assert await place.succession.shared(now) == new


@pytest.mark.parametrize("at", ["create", "send", "retire"])
async def test_killed_anywhere_it_is_one_room_and_said(place: Place, at: str) -> None:
    place.home.trouble[at] = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        await place.succession.shared(await place.conversation())
    if at == "create":
        await place.succession.shared(await place.conversation())
    else:
        await place.succession.once()
    assert len(place.home.specs) == 1
    assert len(place.home.said) == 1
    assert len(place.home.retired) == 1
    assert await place.moves.open() == []


async def test_a_room_that_is_gone_holds_up_nothing(place: Place) -> None:
    place.home.trouble["retire"] = HomeRefused(404, "M_NOT_FOUND")
    await place.succession.shared(await place.conversation())
    assert await place.moves.open() == []


async def test_not_while_a_mail_is_being_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def live(_room: RoomId, _owner: UserId) -> list[str]:
        return ["a draft"]

    monkeypatch.setattr(place.drafts, "live", live)
    with pytest.raises(Refused, match="message en préparation"):
        await place.succession.shared(await place.conversation())
    assert place.home.specs == {}
