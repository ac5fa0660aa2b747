"""The ward, its closed room's archive, and a bridge that writes down what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from colloque.calls import Ask
from colloque.clock import FrozenClock
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.rooms.keeping import KeepingRule
from colloque.rooms.mark import RoomKind, home_key
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_salles.archive.archiving import Archiving
from colloque_salles.archive.conversation import Reader
from colloque_salles.archive.filing import Filing
from colloque_salles.archive.handing import Handing
from colloque_salles.archive.making import Making
from colloque_salles.store.copies import Copies
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.store.taps import EarlyTaps
from tests.servers.annuaire import doctor
from tests.servers.databases import Opener
from tests.servers.salles_library import Library, said
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import DAY, ROOM, RULE, Ward

HOME, OTHER_HOME = RoomId("!home-anne"), RoomId("!home-bob")
BOX = "anne@medecin.mssante.test"
LIMIT = 110_000
"""Bytes of a mail."""


@dataclass
class Bridge:
    """What the bridge was told, and how far it says that each mail got."""

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    state: str = "sent"
    stuck: dict[str, str] = field(default_factory=dict)
    """States of single mails: their number among `sent`, from 1, is the end of their key."""
    errors: list[Exception] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    async def send(
        self,
        *,
        key: str,
        to: MssanteAddress,
        subject: str,
        text: str,
        files: Sequence[Mapping[str, Any]] = (),
        documents: bool = False,
    ) -> None:
        if self.errors:
            raise self.errors.pop(0)
        said = {"to": to.value, "subject": subject, "text": text, "files": list(files), "documents": documents}
        Ask.decode(Ask(1, "salles", "send", said).encode())
        self.sent.setdefault(key, said)

    async def states(self, keys: Sequence[str]) -> Mapping[str, str]:
        if self.errors:
            raise self.errors.pop(0)
        return {key: self.stuck.get(key[-1], self.state) for key in keys if key in self.sent}

    async def withdraw(self, keys: Sequence[str]) -> None:
        self.withdrawn |= set(keys)


class Archived(Ward):
    """The ward, and who archives. ROOM is closed on day 0; nothing lingers."""

    def __init__(self, tmp: Path, db: Any, clock: FrozenClock) -> None:
        super().__init__(tmp, db, clock)
        self.library = self.server = Library(clock)
        self.bridge, self.copies, self.early = Bridge(), Copies(db), EarlyTaps(db)
        self.directory.people = [doctor(1, "ANNE", "Anne", mail=[BOX]), doctor(2, "BOB", "Bob", mail=[])]
        self.there = True
        self.heard: Incoming | None = None
        self.book = self.offering._book
        keys, keeping = RoomKeys(db), KeepingRule(wait=7 * DAY, late=14 * DAY)
        handing = Handing(
            home=self.library,
            archives=self.archives,
            rooms=self.rooms,
            mailer=self.bridge,
            keys=keys,
            clock=clock,
            wait=keeping.wait,
        )
        self.making = Making(
            home=self.library,
            reader=Reader(home=self.library, offers=self.offers, invites=self.invites, book=self.book, clock=clock),
            archives=self.archives,
            copies=self.copies,
            identities=self.identities,
            book=self.book,
            directory=self.directory,
            keys=keys,
            clock=clock,
            rule=RULE,
            limit=LIMIT,
            domain="services.mssante.test",
            exists=self.exists,
        )
        self.archiving = Archiving(
            home=self.library,
            making=self.making,
            patients=self.patients,
            archives=self.archives,
            handing=handing,
            book=self.book,
            directory=self.directory,
            incidents=self.incidents,
            keys=keys,
            journal=Journal.open(tmp / "archives.jsonl", clock),
            clock=clock,
            rule=RULE,
            keeping=keeping,
            standing_in=self.standing_in,
        )
        self.filing = Filing(
            home=self.library,
            patients=self.patients,
            archives=self.archives,
            early=self.early,
            handing=handing,
            book=self.book,
            clock=clock,
        )
        self.library.past = [said("La plaie est propre")]

    async def exists(self, room: RoomId) -> bool:
        return self.there

    async def close(self) -> None:
        await self.patients.closed(ROOM, self.clock.now(), None)

    async def rounds(self, count: int = 3) -> None:
        for _ in range(count):
            await self.archiving.once()

    async def handed_over(self) -> None:
        """Announced, made, on its way."""
        await self.close()
        await self.archiving.once()
        self.clock.advance(seconds=RULE.linger.total_seconds())
        await self.rounds(2)

    async def redelivered(self) -> list[str]:
        """What is answered to the last tap when it is heard again, after a crash."""
        assert self.heard is not None
        before = len(self.server.said)
        await self.filing.hear(self.heard)
        return self.server.said[before:]

    def last(self, words: str) -> EventId:
        """The newest message that holds these words."""
        return [EventId(f"${txn}") for txn, (_, c) in self.library.sent.items() if words in c.get("body", "")][-1]

    async def tap(self, on: str, key: str, who: UserId = ANNE) -> str:
        self.count += 1
        before = len(self.server.said)
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": self.last(on), "key": key}}
        event = EventId(f"$tap{self.count}")
        self.heard = Incoming(HOME, event, who, self.clock.now(), "m.reaction", content, False, False)
        await self.filing.hear(self.heard)
        return "\n".join(self.server.said[before:])

    async def proof(self) -> str:
        return (await self.kept()).room.archived

    @property
    def mails(self) -> list[dict[str, Any]]:
        return list(self.bridge.sent.values())


@pytest.fixture
async def archived(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Archived:
    """ANNE's room with BOB, both with a home room."""
    ward = Archived(tmp_path, await opened(salles_upgrades()), clock)
    await ward.rooms.put(home_key(ANNE), HOME, RoomKind.HOME, ANNE)
    await ward.rooms.put(home_key(BOB), OTHER_HOME, RoomKind.HOME, BOB)
    await ward.add()
    await ward.patients.members(ROOM, (ANNE, BOB))
    await ward.standing_in.refresh()
    return ward
