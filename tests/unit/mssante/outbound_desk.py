"""What a mail room hears, on a real store: the homeserver, the composer and the choice of addresses are stood for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.identity import EventId, UserId
from colloque.mail.message import Party
from colloque.matrix.home import Incoming, reaction, text
from colloque_mssante.leaving.gathering import Gathering
from colloque_mssante.leaving.outbound import Outbound
from colloque_mssante.leaving.states import States
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line, Option, RoomLocks
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target, follow
from colloque_mssante.rules.sends import Send
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.untold import Untold
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, a_send

THEIRS = [Party("", f"{name}@cabinet.mssante.test") for name in ("b", "c")]
TARGET = Target(BOX, (THEIRS[0],), thread="t", subject="Re: Dose")
NOTICE = EventId("$notice")
AT = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass
class Room:
    """Stands for the homeserver."""

    said: list[str] = field(default_factory=list)
    to_all: list[str] = field(default_factory=list)

    async def send(self, _room: str, content: dict[str, Any], *, txn: str, type_: str = "m.room.message") -> EventId:
        self.said.append(content["body"] if type_ == "m.room.message" else content["m.relates_to"]["key"])
        return EventId(f"$e{txn}")

    async def send_to_all_devices(self, _room: str, content: dict[str, Any], *, txn: str) -> EventId:
        self.to_all.append(content["body"])
        return EventId(f"$e{txn}")


@dataclass
class Rest:
    """Stands for composer and choice of addresses: anybody may write to anybody."""

    remembered: list[Target] = field(default_factory=list)

    def check_writer(self, _user: UserId) -> None: ...

    def check(self, _user: UserId, _target: Target) -> None: ...

    def check_size(self, _target: Target | None, _lines: list[Line]) -> None: ...

    def after(self, before: Target, send: Send) -> Target:
        return follow(before, send.message_id, send.thread)

    async def pairs(self, _room: str, _user: str) -> tuple[Option, ...]:
        return tuple(Option(p.address, Target(BOX, (p,)), remember=True) for p in THEIRS)

    async def remember(self, _room: str, _user: str, target: Target) -> None:
        self.remembered.append(target)


class Desk:
    """Outbound, and what becomes of what it does."""

    def __init__(self, db: Database, clock: FrozenClock) -> None:
        self.clock = clock
        self.room, self.rest = Room(), Rest()
        self.drafts, self.outbox = Drafts(db, clock), Outbox(db, clock)
        self._states = States(home=cast("Any", self.room), untold=Untold(db, clock), handled=cast("Any", None))
        rest, hold = cast("Any", self.rest), timedelta(minutes=1)
        self.outbound = Outbound(
            home=cast("Any", self.room),
            composer=rest,
            where_to=rest,
            drafts=self.drafts,
            outbox=self.outbox,
            clock=clock,
            locks=RoomLocks(),
            gathering=Gathering(composer=rest, where_to=rest, drafts=self.drafts, clock=clock, hold=hold),
            show=self._show,
            wake=lambda: None,
        )

    async def _show(self, _room: str) -> None: ...

    async def begin(self, state: str, *lines: Line, target: Target | None = TARGET, options: Any = ()) -> Draft:
        """A draft, shown."""
        draft = Draft("$d", ROOM, ANNE, state, target, options, next_at=self.clock.now() + timedelta(minutes=1))
        await self.drafts.begin(draft, None)
        for line in lines:
            await self.drafts.add(draft, line, state=state, next_at=draft.next_at)
        await self.drafts.told(draft, NOTICE)
        return draft

    async def gone(self, state: str, *lines: Line, status: str = "", **changes: object) -> None:
        """A mail of these lines stands in the outbox, in that state."""
        draft = await self.begin(states.WAITING, *(lines or (Line(EventId("$1"), "dix"),)))
        made: dict[str, object] = {"event": EventId("$1"), "thread": "t", "target": TARGET.dump()} | changes
        await self.outbox.put(a_send(self.clock, draft.id, **made))
        await self.drafts.end(draft, states.GONE)
        if state != "queued":
            leaving = await self.outbox.leaving(await self.sent())
            if state != "data":
                await self.outbox.move(leaving, state, status=status)

    async def sent(self) -> Send:
        found = await self.outbox.get("$d")
        assert found is not None
        return found

    async def draft(self, key: str = "$d") -> Draft:
        found = await self.drafts.get(key)
        assert found is not None
        return found

    async def told(self) -> list[str]:
        """What the room shows by now."""
        await self._states.once()
        return self.room.said

    async def hear(self, event: str, content: dict[str, Any], type_: str = "m.room.message", **of: bool) -> None:
        how = {"encrypted": type_ == "m.room.message", "device_signed": True} | of
        await self.outbound.hear(Incoming(ROOM, EventId(event), ANNE, AT, type_, content, **how), may=True)

    async def tap(self, key: str, event: str = "$tap", *, on: str = NOTICE) -> None:
        await self.hear(event, reaction(EventId(on), key), "m.reaction")

    async def strike(self, what: str = "$1") -> None:
        await self.hear("$strike", {"redacts": what}, "m.room.redaction")

    async def edit(self, new: str, event: str = "$edit", *, of: str = "$1", **more: Any) -> None:
        content = {"m.new_content": text(new) | more, "m.relates_to": {"rel_type": "m.replace", "event_id": of}}
        await self.hear(event, text(f"* {new}") | content)
