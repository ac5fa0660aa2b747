"""Somebody, their mailbox that opens by their word, their home room, and a keeper that does what a test says."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import PARIS, FrozenClock, to_millis
from colloque.errors import Refused
from colloque.files import write_private
from colloque.identity import EventId, MssanteAddress, RoomId, Rpps, UserId
from colloque.snapshot import SnapshotWriter
from colloque.sockets import Client, Server
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.rooms import Rooms
from colloque.store.schema import new_upgrades
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.opening import Holder
from colloque_mssante.access.opening import Opener as Openers
from colloque_mssante.access.sessions import Sessions
from colloque_mssante.access.token_keeper import CLOSED
from colloque_mssante.store.choices import Choices
from colloque_mssante.store.opening import Openings, Stage
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.tables import register_upgrades
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.servers.databases import Opener

ANNE, BOX, OTHER = UserId("@anne:h.test"), MssanteAddress("anne@m.test"), MssanteAddress("anne@elsewhere.test")
HOME = RoomId("!home")
MORNING = datetime(2026, 3, 2, 7, 30, tzinfo=PARIS)


class Script:
    """A keeper that does what a test says."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.sessions: dict[str, str] = {}
        self.questions: dict[str, dict[str, Any]] = {}
        self.asked, self.problem = 0, ""
        self.trouble: Exception | None = None
        self.verbs = {"state": self.state, "ask": self.ask, "drop": self.drop, "token": self.token}

    async def state(self) -> dict[str, Any]:
        return {"sessions": self.sessions, "questions": self.questions, "problem": self.problem}

    async def ask(self, rpps: str) -> dict[str, Any]:
        if self.trouble is not None:
            raise self.trouble
        self.asked += 1
        until = to_millis(self.clock.now() + timedelta(minutes=2))
        self.questions[rpps] = {"id": f"q{self.asked}", "binding": f"{self.asked:02d}", "until": until, "reason": ""}
        return self.questions[rpps]

    async def token(self, rpps: str, refused: str) -> dict[str, Any]:
        if rpps not in self.sessions:
            raise Refused(CLOSED)
        return {"token": f"t{rpps}"}

    async def drop(self, rpps: str) -> dict[str, Any]:
        self.sessions.pop(rpps, None)
        self.questions.pop(rpps, None)
        return {}

    def approve(self, session: str = "s1") -> None:
        self.questions.pop(rpps(1).value, None)
        self.sessions[rpps(1).value] = session


class Chat:
    """A home room: what its messages read, by event."""

    user = UserId("@mssante:h.test")

    def __init__(self) -> None:
        self.txns: dict[str, EventId] = {}
        self.reads: dict[EventId, str] = {}
        self.signs: list[tuple[EventId, str]] = []

    async def send(self, room: RoomId, content: Any, *, txn: str, type_: str = "m.room.message") -> EventId:
        assert room == HOME
        if txn in self.txns:
            return self.txns[txn]
        event = self.txns[txn] = EventId(f"${len(self.txns)}")
        relation = content.get("m.relates_to", {})
        if type_ == "m.reaction":
            self.signs.append((relation["event_id"], relation["key"]))
        elif relation.get("rel_type") == "m.replace":
            self.reads[relation["event_id"]] = content["m.new_content"]["body"]
        else:
            self.reads[event] = content["body"]
        return event

    @property
    def last(self) -> str:
        return list(self.reads.values())[-1]


class Place:
    """Anne, her mailbox, her home room. `restart` is what a killed bridge finds again."""

    def __init__(self, tmp: Path, opened: Opener, clock: FrozenClock) -> None:
        self.tmp, self._opened, self.clock = tmp, opened, clock
        self.keeper, self.chat = Script(clock), Chat()
        self.states: dict[MssanteAddress, str] = {}
        self.old: set[MssanteAddress] = set()
        self.hurried = 0
        self.directory = Shelf(doctor(1, "MARTIN", "Anne", mail=[BOX.value, OTHER.value]))
        self.journal = Journal.open(tmp / "journal.jsonl", clock)
        write_private(tmp / "boxes.yaml", "{}")
        self.attest(ANNE)
        uids = {"mssante": os.geteuid()}
        self.server = Server(tmp / "keeper.sock", uids, {"mssante": self.keeper.verbs})  # type: ignore[dict-item]

    def attest(self, *users: UserId) -> None:
        now = self.clock.now()
        held = [Attestation(u, rpps(1), "Dr Anne", Method.PSC, now, now + timedelta(days=99)) for u in users]
        SnapshotWriter(self.tmp / "snapshot", b"k" * 32).publish(snapshot(to_millis(now), now, held))

    async def restart(self) -> None:
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        self.db: Database = await self._opened(upgrades, "colloque_mssante")
        self.book = AttestationBook(self.tmp / "snapshot", b"k" * 32)
        self.book.refresh()
        self.choices = Choices(self.db, self.clock)
        await self.choices.load()
        self.rooms, self.incidents = Rooms(self.db), Incidents(self.db, self.clock)
        self.sessions = Sessions(Client(self.tmp / "keeper.sock", "mssante"), self.directory, ["m.test"], self.holds)
        self.credentials = Credentials(self.tmp / "boxes.yaml", sessions=self.sessions)
        self.outbox = Outbox(self.db, self.clock)

        def hurry() -> None:
            self.hurried += 1

        self.opener = Openers(
            sessions=self.sessions,
            openings=Openings(self.db),
            credentials=self.credentials,
            book=self.book,
            directory=self.directory,
            choices=self.choices,
            outbox=self.outbox,
            home=self.chat,  # type: ignore[arg-type]
            rooms=self.rooms,
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
            states=self.told_states,
            opened=hurry,
        )
        await self.opener.load()

    async def told_states(self, since: datetime | None) -> dict[MssanteAddress, str]:
        """Those of `old` were noted before it closed."""
        return {box: state for box, state in self.states.items() if since is None or box not in self.old}

    def holds(self, user: UserId, number: Rpps) -> bool:
        held = self.book.of(user, self.clock.now())
        return held is not None and held.rpps == number

    async def look(self, **later: float) -> str:
        self.clock.advance(**later)
        await self.opener.once()
        return self.chat.last

    @property
    def holder(self) -> Holder:
        found = self.opener.holder(ANNE)
        assert found is not None
        return found

    @property
    def stage(self) -> Stage:
        return self.opener.of(ANNE).stage
