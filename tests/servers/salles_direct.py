"""Conversations of two people on a real database, with a homeserver by hand: rounds, telling, holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Listed, Method, Servers, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock, to_millis
from colloque.commands import Call, parse
from colloque.errors import HomeRefused
from colloque.identity import EventId, RoomId, UserId, server_of
from colloque.matrix.admin_history import Listed as ListedRoom
from colloque.matrix.home import Incoming
from colloque.rooms.direct import DirectRoom, End, Purge, Said, is_young
from colloque.rooms.mark import ROOM_MARK, RoomKind, RoomMark, home_key
from colloque.snapshot import SnapshotWriter
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.store.jobs import Jobs
from colloque_salles.talks.holds import DirectHolds
from colloque_salles.talks.rounds import DirectRounds
from tests.servers.annuaire import rpps
from tests.servers.dispatch import Recorder

DAY = timedelta(days=1)
KEEP, NOTICE = 90 * DAY, 7 * DAY
ANNE, BOB, EVE = UserId("@anne:h.test"), UserId("@bob:h.test"), UserId("@eve:there.test")
ANNUAIRE, THEIRS = UserId("@annuaire:h.test"), UserId("@annuaire:there.test")
_KEY = b"k" * 32


@dataclass
class Kept:
    """A room as the homeserver has it."""

    maker: UserId
    marker: UserId
    kind: RoomKind
    members: dict[UserId, str]
    opened_at: datetime
    keep_s: int | None = None
    type: str = ""
    said: list[Said] = field(default_factory=list)


class Server:
    """The calls of the admin API that are made."""

    def __init__(self) -> None:
        self.kept: dict[RoomId, Kept] = {}
        self.asked = 0

    async def rooms(self) -> AsyncIterator[ListedRoom]:
        for room, kept in list(self.kept.items()):
            yield ListedRoom(room, kept.maker)

    async def state(self, room: RoomId) -> list[dict[str, Any]]:
        self.asked += 1
        kept = self.kept.get(room)
        if kept is None:
            return []
        mark = RoomMark(kept.kind, f"m{room}", keep_s=kept.keep_s).content()
        at = to_millis(kept.opened_at)
        base = {"state_key": "", "origin_server_ts": at}
        members = [
            base | {"type": "m.room.member", "state_key": user, "sender": user, "content": {"membership": state}}
            for user, state in kept.members.items()
        ]
        return [
            base | {"type": "m.room.create", "sender": kept.maker, "content": {"type": kept.type} if kept.type else {}},
            base | {"type": ROOM_MARK, "sender": kept.marker, "content": mark},
            *members,
        ]

    async def events(self, room: RoomId) -> AsyncIterator[Said]:
        if room not in self.kept:
            raise HomeRefused(404, "M_NOT_FOUND")
        for said in self.kept[room].said:
            yield said

    async def room(self, room: RoomId) -> dict[str, Any] | None:
        return {} if room in self.kept else None

    async def memberships(self, room: RoomId) -> dict[UserId, str]:
        return dict(self.kept[room].members)

    async def rooms_of(self, user: UserId) -> dict[RoomId, str]:
        return {room: kept.members[user] for room, kept in self.kept.items() if user in kept.members}


class Erasing:
    """Notes what was to go."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.begun: list[tuple[RoomId, End | Purge]] = []
        self.errors: list[Exception] = []

    async def start(self, room: DirectRoom, what: End | Purge, cut: int) -> None:
        if self.errors:
            raise self.errors.pop()
        if room.room not in {each for each, _ in self.begun}:  # a room has one job at a time
            self.begun.append((room.room, what))

    async def history(self, room: RoomId, *, cut: int) -> list[Said]:
        found = []
        async for said in self._server.events(room):
            found.append(said)
            if to_millis(said.at) >= cut and is_young(said, said.at):
                break
        return found


class Talks:
    """Day 0 is when the service came."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.tmp, self.db, self.clock, self.begin = tmp, db, clock, clock.now()
        self.home, self.server, self.count = Recorder(), Server(), 0
        self.directs, self.row, self.rooms = DirectRooms(db), DirectRoundRow(db), Rooms(db)
        self.incidents, self.jobs = Incidents(db, clock), Jobs(db)
        self.erasing = Erasing(self.server)
        held = [
            Attestation(user, rpps(n), f"{name} · médecin", Method.PSC, self.begin, self.begin + 4000 * DAY)
            for n, (user, name) in enumerate([(ANNE, "Anne PIN"), (BOB, "Bob MERLE")], 1)
        ]
        self.book = AttestationBook(tmp / "snapshot", _KEY)
        listed = Servers(1, self.begin + 4000 * DAY, (Listed("there.test", (THEIRS,)),))
        SnapshotWriter(tmp / "snapshot", _KEY).publish(snapshot(1, self.begin, held, servers=listed))
        self.journal = Journal.open(tmp / "journal.jsonl", clock)
        self.open(KEEP)

    def open(self, keep: timedelta) -> None:
        """The service starts with that configuration."""
        common: dict[str, Any] = {
            "home": self.home,
            "history": self.server,
            "directs": self.directs,
            "rooms": self.rooms,
            "book": self.book,
            "clock": self.clock,
            "notice": NOTICE,
        }
        self.rounds = DirectRounds(
            admin=self.server,  # type: ignore[arg-type]
            row=self.row,
            erasing=self.erasing,  # type: ignore[arg-type]
            incidents=self.incidents,
            annuaire=ANNUAIRE,
            keep=keep,
            every=DAY,
            many_share=0.2,
            **common,
        )
        acts = {"keys": RoomKeys(self.db), "journal": self.journal}
        self.holds = DirectHolds(rounds=self.rounds, lasts=90 * DAY, **acts, **common)

    async def live_here(self, *users: UserId) -> None:
        """They have home rooms."""
        for user in users:
            await self.rooms.put(home_key(user), RoomId(f"!home-{user}"), RoomKind.HOME, user)

    def talk(self, name: str = "t", *, maker: UserId = ANNUAIRE, **changes: Any) -> RoomId:
        """The homeserver has a conversation of Anne and Bob, opened today and known to live so long."""
        own = server_of(maker) == server_of(ANNUAIRE)
        members = {ANNE: "join", (BOB if own else EVE): "join", maker: "leave"}
        room, now = RoomId(f"!{name}"), self.clock.now()
        kept = Kept(maker, maker, RoomKind.DIRECT, members, now, round(KEEP.total_seconds()))
        for change, value in changes.items():
            setattr(kept, change, value)
        kept.said = [Said(EventId(f"$c{room}"), now, True)]
        self.server.kept[room] = kept
        return room

    def say(self, room: RoomId) -> EventId:
        """Somebody writes."""
        self.count += 1
        said = Said(EventId(f"$e{self.count}"), self.clock.now(), False)
        self.server.kept[room].said.append(said)
        return said.event

    async def day(self, number: float) -> None:
        """It is that many days after the beginning, and the service looks."""
        self.clock.advance(seconds=(self.begin + number * DAY - self.clock.now()).total_seconds())
        await self.look()

    async def days(self, until: int) -> None:
        """Every day up to that one."""
        first = (self.clock.now() - self.begin).days
        for number in range(first, until + 1):
            await self.day(number)

    async def look(self) -> None:
        self.rounds._found_at = None
        await self.holds.once()
        await self.rounds.once()

    async def typed(self, who: UserId, words: str) -> str:
        """What is answered to a command in somebody's home room."""
        self.count += 1
        call, answers = parse(words), list[str]()
        assert isinstance(call, Call), words

        async def reply(body: str, html: str | None = None) -> EventId:
            answers.append(body)
            return EventId("$a")

        event, now = EventId(f"$w{self.count}"), self.clock.now()
        message = Incoming(
            RoomId(f"!home-{who}"), event, who, now, "m.room.message", {"msgtype": "m.text", "body": words}, True, True
        )
        await self.handlers[call.command.name](call, message, reply)
        return "\n".join(answers)

    @property
    def handlers(self) -> Mapping[str, Any]:
        return self.holds.table

    def read_by(self, who: UserId) -> list[str]:
        """What somebody was told in their home room."""
        return [content["body"] for room, content in self.home.sent.values() if room == f"!home-{who}"]
