"""A room on a homeserver and @salles by hand, for threads that end: the process may be killed before any call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from colloque.errors import HomeRefused, ServiceUnavailable
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.nio_history import Stood
from colloque.rooms.mail_thread import Said
from colloque.store.incidents import Incidents
from colloque_mssante.access.notices import Notes
from colloque_mssante.ends.ends import ThreadEnds
from colloque_mssante.ends.room_reading import RoomReading
from colloque_mssante.mapping.drafts import RoomLocks
from tests.unit.mssante.test_ends_store import E1, E2, M1, M2, RULE, Shelf
from tests.unit.mssante.test_store import ANNE

BOT, GHOST = UserId("@mssante:h.test"), UserId("@mss_x:h.test")
LOOSE, ENTRY = EventId("$loose"), EventId("$entry")


class Killed(BaseException):
    """The process dies here."""


class World:
    """A room on a homeserver, and @salles. `kills_at`: before which call the process dies."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.user = BOT
        self.calls = 0
        self.kills_at = -1
        self.there = True
        self.state_of: dict[str, Any] = {}
        self.said: list[str] = []
        self.away = False
        self.noted: dict[str, set[Any]] = {}
        self.shared: dict[str, set[Any]] = {}
        self.receipts: dict[str, dict[str, Any]] = {}
        self.forgotten: list[str] = []
        at = shelf.clock.now()
        self.room: list[Stood] = []
        self.put(E1, GHOST, at, files=(M1,))
        self.put(EventId("$event"), ANNE, at, answers=E1, files=(M2,))
        self.put(E2, BOT, at, answers=EventId("$event"), type_="m.reaction")
        self.put(LOOSE, BOT, at)
        self.put(ENTRY, BOT, at)
        shelf.clock.advance(days=91)

    def put(
        self,
        event: EventId,
        sender: UserId,
        at: datetime,
        *,
        answers: EventId | None = None,
        files: tuple[MxcUri, ...] = (),
        type_: str = "m.room.encrypted",
    ) -> None:
        self.room.append(Stood(Said(event, sender, at, None, answers), type_, False, files, True))

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.kills_at:
            raise Killed
        if not self.there:
            raise HomeRefused(403, "M_FORBIDDEN", "not in the room")

    async def everything(self, room: RoomId) -> AsyncIterator[Stood]:
        self._call()
        for stood in list(self.room):
            yield stood

    async def redact(self, room: RoomId, event: EventId, *, txn: str) -> None:
        self._call()
        rank = next(n for n, stood in enumerate(self.room) if stood.said.event == event)
        self.room[rank] = replace(self.room[rank], withdrawn=True, files=())

    async def members(self, room: RoomId) -> dict[UserId, str]:
        return {ANNE: "join", GHOST: "join", BOT: "join"}

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> Any:
        return self.state_of.get(type_)

    async def send(self, room: RoomId, content: Any, *, txn: str) -> EventId:
        self._call()
        if txn not in self.said:
            self.said.append(txn)
            self.said.append(content["body"])
        return EventId(f"$said{len(self.said)}")

    async def room_there(self, room: RoomId) -> Any:
        return {} if self.there else None

    async def note(self, token: str, events: Any, files: Any, shared: Any) -> None:
        self._salles()
        self.noted.setdefault(token, set()).update([*events, *files])
        self.shared.setdefault(token, set()).update(shared)

    async def erase(self, token: str, **said: Any) -> int:
        self._salles()
        new = token not in self.receipts
        self.receipts.setdefault(token, {**said, "serial": len(self.receipts) + 1})
        return 0 if new else int(self.receipts[token]["serial"])

    async def forget(self, token: str) -> None:
        self._salles()
        self.forgotten.append(token)

    def _salles(self) -> None:
        if self.away:
            raise ServiceUnavailable("salles does not answer")
        self.calls += 1
        if self.calls == self.kills_at:
            raise Killed

    def engine(self) -> ThreadEnds:
        """As after a start."""
        shelf, home = self.shelf, cast("Any", self)

        class Admin:
            room = staticmethod(self.room_there)

        class Teams:
            @staticmethod
            def members(_mailbox: object) -> tuple[UserId, ...]:
                return ()

        return ThreadEnds(
            db=shelf.db,
            home=home,
            admin=cast("Any", Admin),
            ends=shelf.ends,
            life=shelf.life,
            reading=RoomReading(shelf.db, home, lambda user: user in {BOT, GHOST}),
            eraser=cast("Any", self),
            notes=Notes(shelf.db),
            incidents=Incidents(shelf.db, shelf.clock),
            teams=cast("Any", Teams),
            locks=RoomLocks(),
            rule=RULE,
            clock=shelf.clock,
        )

    async def answer(self, *, found: bool = True) -> None:
        for wanted in await self.shelf.wanted():
            await self.shelf.seeking.answered(wanted, found=found)

    async def until_over(self, engine: ThreadEnds) -> None:
        """Passes, with time between them, until nothing is to end any more."""
        for _ in range(20):
            await engine.once()
            await self.answer()
            if not await self.shelf.db.fetchval("SELECT 1 FROM thread_end"):
                return
            self.shelf.clock.advance(seconds=30)
        raise AssertionError("it never ends")

    def left(self) -> set[EventId]:
        return {stood.said.event for stood in self.room if not stood.withdrawn}
