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
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.rooms.lifecycle import LifetimeRule
from colloque.rooms.patient_room import PatientRoom
from colloque.snapshot import SnapshotWriter
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.archive.identifying import Identifying
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.living.care_team import CareTeam
from colloque_salles.living.commands import Commands
from colloque_salles.living.consent import Consent
from colloque_salles.living.evicting import Evicting
from colloque_salles.living.expire import Sweep
from colloque_salles.living.holding import Holding
from colloque_salles.living.membership import Membership
from colloque_salles.living.prolonging import Prolonging
from colloque_salles.living.returning import Returning
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.opening.acquainting import Acquainting
from colloque_salles.opening.inviting import Inviting
from colloque_salles.opening.offering import Offering
from colloque_salles.opening.opening import Opening
from colloque_salles.opening.succeeding import Succeeding
from colloque_salles.store.archive import Archives
from colloque_salles.store.copies import Copies
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.store.elsewhere import Companions as CompanionRows
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.identity import Identities
from colloque_salles.store.invites import Invites
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.life import RoomLife
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import Kept, PatientRooms
from tests.servers.annuaire import Shelf, doctor, rpps
from tests.servers.salles_server import ANNE, BOB, CLEO, Erasing, Server

DAY = timedelta(days=1)
RULE = LifetimeRule(idle=30 * DAY, notice=7 * DAY, linger=timedelta(hours=1), reminder=DAY)
ROOM = RoomId("!room")
_KEY = b"k" * 32


class Ward:
    """ROOM is ANNE's, on day 0."""

    def __init__(self, tmp: Path, db: Database, clock: FrozenClock) -> None:
        self.db, self.clock, self.server, self.eraser = db, clock, Server(), Erasing()
        self.patients, self.life, self.incidents = PatientRooms(db), RoomLife(db), Incidents(db, clock)
        self.begin = clock.now()
        self.count = 0
        self.writer, self.book = SnapshotWriter(tmp / "snapshot", _KEY), AttestationBook(tmp / "snapshot", _KEY)
        book = self.book
        self.everybody = [self.held(1, ANNE), self.held(2, BOB), self.held(3, CLEO, "pharmacien")]
        self.serial = 0
        self._publish()
        common: dict[str, Any] = {
            "home": self.server,
            "patients": self.patients,
            "life": self.life,
            "clock": clock,
        }
        acts: dict[str, Any] = {"keys": RoomKeys(db), "journal": Journal.open(tmp / "journal.jsonl", clock)}
        served = acts | {"home": self.server, "patients": self.patients, "clock": clock}
        self.bridge_absences: dict[str, Any] = {"away": []}
        self.bridge_errors: list[Exception] = []
        self.unknown: dict[str, list[UserId]] = {}
        self.standing_in = StandingIn(self, clock)  # type: ignore[arg-type]  # its socket
        lasts = 90 * DAY
        self.holding = Holding(book=book, rule=RULE, lasts=lasts, standing_in=self.standing_in, **acts, **common)
        self.prolonging = Prolonging(book=book, rule=RULE, **acts, **common)
        self.care_team = CareTeam(book=book, **common)
        self.archives = Archives(db)
        self.membership = Membership(home=self.server, patients=self.patients, life=self.life, is_bot=book.is_bot)
        self.unheard: dict[RoomId, float] = {}
        """Rooms of which nothing was handled that the homeserver has had since that moment."""
        self.sweep = Sweep(
            has_heard=lambda room, moment: moment < self.unheard.get(room, moment + 1),
            membership=self.membership,
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
        self.evicting = Evicting(server=self.server, evicted=Evicted(db), book=book, incidents=self.incidents, **served)
        self.returning = Returning(
            evicted=Evicted(db), evicting=self.evicting, companions=self.companions, book=book, **served
        )
        self.opening = Opening(
            evicting=self.evicting,
            membership=self.membership,
            rooms=self.rooms,
            rule=RULE,
            offers=self.offers,
            copies=Copies(db),
            companions=self.companions,
            where=self.server.rooms_of,
            reserve=self.server.reserve_file,
            upload=self.server.upload,
            **served,
        )
        self.acquainting = Acquainting(self)  # type: ignore[arg-type]  # its socket
        self.offering = Offering(
            home=self.server,
            patients=self.patients,
            offers=self.offers,
            opening=self.opening,
            book=book,
            clock=clock,
            rule=RULE,
            acquainting=self.acquainting,
        )
        self.consent = Consent(
            home=self.server,
            patients=self.patients,
            offers=self.offers,
            sweep=self.sweep,
            holding=self.holding,
            book=book,
            **acts,
        )
        self.invites = Invites(db)
        succeeding = Succeeding(
            home=self.server,
            opening=self.opening,
            offers=self.offers,
            invites=self.invites,
            life=self.life,
            holding=self.holding,
            sweep=self.sweep,
            standing_in=self.standing_in,
            book=book,
            clock=clock,
            retire=self.server.retire,
        )
        self.inviting = Inviting(
            evicting=self.evicting,
            home=self.server,
            patients=self.patients,
            invites=self.invites,
            companions=self.companions,
            book=book,
            clock=clock,
            succeeding=succeeding,
            acquainting=self.acquainting,
            **acts,
        )
        self.identities = Identities(db)
        self.directory = Shelf(doctor(1, "ANNE", "Anne"), doctor(2, "BOB", "Bob"))
        self.identifying = Identifying(
            home=self.server,
            patients=self.patients,
            identities=self.identities,
            directory=self.directory,
            standing_in=self.standing_in,
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
            directs=DirectRoundRow(db),
            clock=clock,
            rule=RULE,
        )

    async def call(self, verb: str, **_: object) -> dict[str, Any]:
        """What the bridge, or @annuaire, answers."""
        if self.bridge_errors:
            raise self.bridge_errors.pop()
        return {"away": self.bridge_absences, "acquaint": {"unknown": self.unknown}}[verb]

    async def goes_away(self, who: UserId, by: UserId, days: int) -> None:
        """`!absence`."""
        until = to_millis(self.clock.now() + days * DAY)
        self.bridge_absences = {"away": [[who, by, until]]}
        await self.standing_in.refresh()

    def loses_access(self, who: UserId) -> None:
        """As `@annuaire` publishes it, before it asks for their eviction."""
        self.everybody = [held for held in self.everybody if held.user != who]
        self._publish()

    def has_access(self, number: int, who: UserId) -> None:
        """They are attested once more."""
        self.everybody.append(self.held(number, who))
        self._publish()

    def _publish(self) -> None:
        self.serial += 1
        self.writer.publish(snapshot(self.serial, self.begin, self.everybody))

    def held(self, number: int, user: UserId, trade: str = "médecin") -> Attestation:
        name = f"{user[1:].partition(':')[0].upper()} · {trade}"
        return Attestation(
            user, rpps(number), name, Method.PSC, self.begin, self.begin + 400 * DAY, professions=("10",), category="C"
        )

    @property
    def handlers(self) -> Mapping[str, Handler]:
        answering = (self.commands, self.holding, self.prolonging, self.care_team)
        asking = (self.offering, self.consent, self.inviting, self.identifying)
        return {name: handler for each in (*answering, *asking) for name, handler in each.table.items()}

    async def add(self, room: RoomId = ROOM, words: str = "Pin Merle") -> None:
        """A room that is opened now."""
        now = self.clock.now()
        await self.patients.add(PatientRoom(room=room, opener=ANNE, opened_at=now, last_activity=now), words)
        self.server.stood.append(room)

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
        await self.identifying.tapped(message, reply)
        return "\n".join(self.server.said[before:])

    async def takes_back(self, who: UserId, reaction: str, room: RoomId) -> None:
        """A reaction is withdrawn."""
        self.count += 1
        content = {"redacts": reaction}
        message = self._message(who, f"$x{self.count}", content, room, "m.room.redaction")

        async def reply(body: str, html: str | None = None) -> EventId:
            return await self.server.send(room, {"body": body}, txn=message.event)

        await self.offering.hear(message)
        await self.identifying.tapped(message, reply)

    def _message(
        self, who: UserId, event: str, content: dict[str, Any], room: RoomId = ROOM, type_: str = "m.room.message"
    ) -> Incoming:
        return Incoming(room, EventId(event), who, self.clock.now(), type_, content, True, True)
