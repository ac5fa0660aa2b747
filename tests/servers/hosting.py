"""Shared rooms of one owner and one correspondent, with a homeserver that writes down what happens: a fixture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind, Listed, Method, Servers, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.errors import HomeRefused
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import JsonDict, MemberChange
from colloque.snapshot import SnapshotWriter
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_mssante.access.authors import Authors
from colloque_mssante.access.notices import Notes
from colloque_mssante.guests.guests import Hosting
from colloque_mssante.guests.hints import Hints
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import Ghosts
from colloque_mssante.people.neighbours import Neighbours
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.choices import Choices
from colloque_mssante.store.guests import Guests
from tests.servers.annuaire import Shelf, doctor, rpps

BOT = UserId("@mssante:h.test")
ANNE, BRUNO, ZOE = UserId("@anne:h.test"), UserId("@bruno:h.test"), UserId("@zoe:h.test")
FAR = UserId("@bruno:far.test")
A_BOX, B_BOX = MssanteAddress("anne@medecin.mssante.test"), MssanteAddress("bruno@medecin.mssante.test")
ROOM, OWN, NEW = RoomId("!room"), RoomId("!bruno-own"), RoomId("!new")
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


class Successor(Silent):
    """The room that other servers may enter."""

    asked = 0

    async def shared(self, _conversation: object) -> RoomId:
        self.asked += 1
        return NEW


class House:
    def __init__(self, db: Database, folder: Path, clock: FrozenClock) -> None:
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
        self.succession = Successor()
        self.hosting = Hosting(
            home=home,
            guests=self.guests,
            talk=cast("Any", Silent()),
            hints=Hints(home, self.guests, neighbours),
            succession=cast("Any", self.succession),
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

    def attest(
        self,
        *users: UserId,
        blocks: dict[UserId, frozenset[UserId]] | None = None,
        listed: tuple[str, ...] = (),
        **changes: object,
    ) -> None:
        now = self.clock.now()
        anne = Attestation(ANNE, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=90))
        known = {
            ANNE: anne,
            BRUNO: replace(anne, user=BRUNO, rpps=rpps(2), **changes),  # type: ignore[arg-type]
            FAR: replace(anne, user=FAR, rpps=rpps(2)),
            ZOE: replace(anne, user=ZOE, kind=Kind.SUPERVISED, under=rpps(2), rpps=rpps(2)),
        }
        self.serial += 1
        servers = Servers(self.serial, now + timedelta(days=9), tuple(map(Listed, listed)))
        self.writer.publish(snapshot(self.serial, now, [known[user] for user in users], blocks, servers))
        self.book.refresh()

    async def come(self, membership: str = "join") -> None:
        self.home.inside[ROOM][BRUNO] = membership
        assert await self.hosting.member(MemberChange(ROOM, BRUNO, BRUNO, membership))

    def heard(self, room: RoomId = ROOM) -> list[str]:
        return [words for where, words in self.home.said if where == room]
