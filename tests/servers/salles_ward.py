"""One patient room on a real database, with a homeserver that writes down what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import AttestationBook
from colloque.bot import Handler
from colloque.clock import FrozenClock, to_millis
from colloque.commands import Call, parse
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.home import Incoming, RoomSpec
from colloque.rooms.lifecycle import LifetimeRule
from colloque.rooms.mark import RoomKind, RoomMark, home_key
from colloque.rooms.patient_room import PatientRoom
from colloque.snapshot import SnapshotWriter
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.care_team import CareTeam
from colloque_salles.commands import Commands
from colloque_salles.companions import Companions
from colloque_salles.consent import Consent
from colloque_salles.expire import Sweep
from colloque_salles.holding import Holding
from colloque_salles.inviting import Inviting
from colloque_salles.jobs import Jobs
from colloque_salles.offering import Offering
from colloque_salles.opening import Opening
from colloque_salles.prolonging import Prolonging
from colloque_salles.standing_in import StandingIn
from colloque_salles.store import Kept, PatientRooms
from colloque_salles.store_archive import Archives
from colloque_salles.store_copies import Copies
from colloque_salles.store_elsewhere import Companions as CompanionRows
from colloque_salles.store_invites import Invites
from colloque_salles.store_life import RoomLife
from colloque_salles.store_offers import Offers
from tests.servers.annuaire import rpps
from tests.servers.dispatch import Recorder

DAY = timedelta(days=1)
RULE = LifetimeRule(idle=30 * DAY, notice=7 * DAY, linger=timedelta(hours=1), reminder=DAY)
ROOM = RoomId("!room")
ANNE, BOB, CLEO = UserId("@anne:h.test"), UserId("@bob:h.test"), UserId("@cleo:h.test")
HOMES = {RoomId("!home-anne"): ANNE, RoomId("!home-bob"): BOB}
_KEY = b"k" * 32


class Server(Recorder):
    """Rooms' state and members."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: dict[UserId, str] = {ANNE: "join", BOB: "invite", self.user: "join"}
        self.states: dict[tuple[RoomId, str], dict[str, Any]] = {}
        self.made: dict[str, tuple[RoomId, RoomSpec]] = {}
        self.pictures: list[bytes] = []
        self.invited: list[UserId] = []
        self.reserved = 0

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return dict(self.inside)

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> dict[str, Any] | None:
        return self.states.get((room, type_))

    async def set_state(self, room: RoomId, type_: str, content: dict[str, Any], state_key: str = "") -> EventId:
        self.states[room, type_] = content
        return EventId("$s")

    async def create_room(self, spec: RoomSpec) -> RoomId:
        return self.made.setdefault(spec.mark.key, (RoomId(f"!made{len(self.made)}"), spec))[0]

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        return RoomMark(RoomKind.HOME, home_key(HOMES[room]), HOMES[room]) if room in HOMES else None

    async def invite(self, room: RoomId, user: UserId) -> None:
        self.inside[user] = "invite"
        self.invited.append(user)

    async def reserve_file(self) -> MxcUri:
        self.reserved += 1
        return MxcUri(f"mxc://h.test/{self.reserved}")

    async def upload(self, data: bytes, to: MxcUri) -> MxcUri:
        self.pictures.append(data)
        return to

    @property
    def said(self) -> list[str]:
        return [content["body"] for _, content in self.sent.values() if "body" in content]


class Erasing:
    """An eraser that notes what it was to erase."""

    def __init__(self) -> None:
        self.rooms: list[RoomId] = []

    async def start(self, kept: Kept) -> None:
        self.rooms.append(kept.room.room)

    async def go_on(self) -> None:
        pass


class Ward:
    """ROOM is ANNE's, on day 0."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.db, self.clock, self.server, self.eraser = db, clock, Server(), Erasing()
        self.patients, self.life, self.incidents = PatientRooms(db), RoomLife(db), Incidents(db, clock)
        self.begin = clock.now()
        self.count = 0
        self.writer, self.book = SnapshotWriter(tmp / "snapshot", _KEY), AttestationBook(tmp / "snapshot", _KEY)
        book = self.book
        held = [self._held(1, ANNE), self._held(2, BOB), self._held(3, CLEO, "pharmacien")]
        self.writer.publish(snapshot(1, self.begin, held))
        common: dict[str, Any] = {
            "home": self.server,
            "patients": self.patients,
            "life": self.life,
            "clock": clock,
        }
        acts: dict[str, Any] = {"keys": RoomKeys(db), "journal": Journal.open(tmp / "journal.jsonl", clock)}
        self.bridge_absences: dict[str, Any] = {"away": []}
        self.bridge_errors: list[Exception] = []
        self.standing_in = StandingIn(self, clock)  # type: ignore[arg-type]  # its socket
        lasts = 90 * DAY
        self.holding = Holding(book=book, rule=RULE, lasts=lasts, standing_in=self.standing_in, **acts, **common)
        self.prolonging = Prolonging(book=book, rule=RULE, **acts, **common)
        self.care_team = CareTeam(book=book, **common)
        self.archives = Archives(db)
        self.sweep = Sweep(
            holding=self.holding,
            jobs=Jobs(db),
            incidents=self.incidents,
            rule=RULE,
            many_share=0.2,
            eraser=self.eraser,  # type: ignore[arg-type]
            **acts,
            **common,
        )
        self.offers, self.rooms = Offers(db), Rooms(db)
        self.companions = Companions(
            home=self.server, patients=self.patients, rows=CompanionRows(db), book=book, clock=clock
        )
        opening = Opening(
            home=self.server,
            rooms=self.rooms,
            patients=self.patients,
            clock=clock,
            rule=RULE,
            offers=self.offers,
            copies=Copies(db),
            companions=self.companions,
            reserve=self.server.reserve_file,
            upload=self.server.upload,
            **acts,
        )
        self.offering = Offering(
            home=self.server,
            patients=self.patients,
            offers=self.offers,
            opening=opening,
            book=book,
            clock=clock,
            rule=RULE,
        )
        self.consent = Consent(
            home=self.server, patients=self.patients, offers=self.offers, sweep=self.sweep, book=book, **acts
        )
        self.invites = Invites(db)
        self.inviting = Inviting(
            home=self.server,
            patients=self.patients,
            invites=self.invites,
            companions=self.companions,
            book=book,
            clock=clock,
            **acts,
        )
        self.commands = Commands(
            patients=self.patients,
            jobs=Jobs(db),
            sweep=self.sweep,
            holding=self.holding,
            consent=self.consent,
            standing_in=self.standing_in,
            clock=clock,
            rule=RULE,
        )

    async def call(self, verb: str) -> dict[str, Any]:
        """What the bridge answers."""
        assert verb == "away"
        if self.bridge_errors:
            raise self.bridge_errors.pop()
        return self.bridge_absences

    async def goes_away(self, who: UserId, by: UserId, days: int) -> None:
        """`!absence`."""
        until = to_millis(self.clock.now() + days * DAY)
        self.bridge_absences = {"away": [[who, by, until]]}
        await self.standing_in.refresh()

    def _held(self, number: int, user: UserId, trade: str = "médecin") -> Attestation:
        name = f"{user[1:].partition(':')[0].upper()} · {trade}"
        return Attestation(
            user, rpps(number), name, Method.PSC, self.begin, self.begin + 400 * DAY, professions=("10",), category="C"
        )

    @property
    def handlers(self) -> Mapping[str, Handler]:
        answering = (
            self.commands,
            self.holding,
            self.prolonging,
            self.care_team,
            self.offering,
            self.consent,
            self.inviting,
        )
        return {name: handler for each in answering for name, handler in each.table.items()}

    async def add(self, room: RoomId = ROOM, words: str = "Pin Merle") -> None:
        """A room that is opened now."""
        now = self.clock.now()
        await self.patients.add(PatientRoom(room=room, opener=ANNE, opened_at=now, last_activity=now), words)

    def day(self, number: float) -> datetime:
        """It is that many days after the beginning."""
        self.clock.advance(seconds=(self.begin + number * DAY - self.clock.now()).total_seconds())
        return self.clock.now()

    async def kept(self, room: RoomId = ROOM) -> Kept:
        found = await self.patients.get(room)
        assert found is not None
        return found

    async def typed(self, who: UserId, words: str, event: str = "", room: RoomId = ROOM) -> str:
        """What is answered to a command."""
        self.count += 1
        event = event or f"$e{self.count}"
        before = len(self.server.said)
        call = parse(words)
        assert isinstance(call, Call), words

        async def reply(body: str, html: str | None = None) -> EventId:
            return await self.server.send(room, {"body": body}, txn=event)

        await self.handlers[call.command.name](call, self._message(who, event, {"body": words}, room), reply)
        return "\n".join(self.server.said[before:])

    async def taps(self, who: UserId, on: EventId, key: str = "➕", room: RoomId = ROOM) -> str:
        """What is answered to a reaction."""
        self.count += 1
        before = len(self.server.said)
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": on, "key": key}}
        message = self._message(who, f"$r{self.count}", content, room, "m.reaction")

        async def reply(body: str, html: str | None = None) -> EventId:
            return await self.server.send(room, {"body": body}, txn=message.event)

        await self.offering.hear(message)
        await self.prolonging.tapped(message, reply)
        await self.consent.tapped(message)
        await self.inviting.tapped(message, reply)
        return "\n".join(self.server.said[before:])

    async def takes_back(self, who: UserId, reaction: str, room: RoomId) -> None:
        """A reaction is withdrawn."""
        self.count += 1
        content = {"redacts": reaction}
        await self.offering.hear(self._message(who, f"$x{self.count}", content, room, "m.room.redaction"))

    def _message(
        self, who: UserId, event: str, content: dict[str, Any], room: RoomId = ROOM, type_: str = "m.room.message"
    ) -> Incoming:
        return Incoming(room, EventId(event), who, self.clock.now(), type_, content, True, True)
