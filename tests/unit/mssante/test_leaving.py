"""Drafts at work when something fails: tried again, said, and never in the way of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable, Refused
from colloque.identity import EventId, MssanteAddress, UserId
from colloque.mail.message import Party
from colloque_mssante.leaving.composing import GONE_FROM_DIRECTORY
from colloque_mssante.leaving.leaving import Leaving
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line, RoomLocks
from colloque_mssante.mapping.store_drafts import Drafts
from colloque_mssante.mapping.targets import Target
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.rules.sends import Send
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as texts_writing
from tests.unit.mssante.test_store import ANNE, BOX, ROOM, a_send, db  # noqa: F401

TARGET = Target(MssanteAddress(BOX.value), (Party("B", "b@cabinet.mssante.test"),), subject="Avis", listed=True)


HOLD = timedelta(minutes=1)


@dataclass
class Room:
    """Stands for the homeserver: what it is sent, and how it fails."""

    said: list[dict[str, Any]] = field(default_factory=list)
    fails: BaseException | None = None

    async def send(self, _room: str, content: dict[str, Any], *, txn: str, type_: str = "m.room.message") -> EventId:
        if self.fails is not None:
            raise self.fails
        if type_ == "m.room.message":
            self.said.append(content)
        return EventId(f"$e{txn}")

    def bodies(self) -> list[str]:
        return [content["body"] for content in self.said]


@dataclass
class Making:
    """Stands for the composer."""

    clock: FrozenClock
    fails: BaseException | None = None

    def name(self, _user: UserId) -> str:
        return "Dr Anne MARTIN"

    async def compose(self, draft: Draft, _lines: list[Line]) -> Send:
        if self.fails is not None:
            raise self.fails
        return a_send(self.clock, draft.id, thread=draft.id, target=TARGET.dump())


@dataclass
class Ends:
    """Stands for the conversation: which addresses its correspondent has."""

    others: list[Party] = field(default_factory=list)

    async def of(self, _room: str, _user: str) -> object:
        return object()

    def addresses(self, _conversation: object) -> list[Party]:
        return self.others


@dataclass
class Desk:
    leaving: Leaving
    drafts: Drafts
    outbox: Outbox
    room: Room
    making: Making
    ends: Ends
    clock: FrozenClock
    deaf: bool = False
    """Not everything that people did was heard."""

    async def write(self, key: str = "$1", state: str = states.WAITING) -> None:
        """Shown, and due now."""
        draft = Draft(key, ROOM, UserId(ANNE), state, TARGET, next_at=self.clock.now() + HOLD)
        await self.drafts.begin(draft, Line(EventId(key), "un"))
        await self.leaving.once()
        self.clock.advance(seconds=HOLD.total_seconds())

    async def state(self, key: str = "$1") -> str:
        draft = await self.drafts.get(key)
        assert draft is not None
        return draft.state


@pytest.fixture
def desk(db: Database, clock: FrozenClock) -> Desk:  # noqa: F811
    room, making, ends = Room(), Making(clock), Ends()
    drafts, outbox = Drafts(db, clock), Outbox(db, clock)
    leaving = Leaving(
        db=db,
        home=cast("Any", room),
        drafts=drafts,
        threads=Threads(db, clock),
        outbox=outbox,
        composer=cast("Any", making),
        authors=cast("Any", making),
        conversations=cast("Any", ends),
        clock=clock,
        locks=RoomLocks(),
        has_heard=lambda _room, _moment: not desk.deaf,
        hold=HOLD,
        sent=lambda: None,
    )
    desk = Desk(leaving, drafts, outbox, room, making, ends, clock)
    return desk


async def test_what_is_due_stands_in_the_outbox_once(desk: Desk) -> None:
    await desk.write()
    for _ in range(3):
        await desk.leaving.once()
    assert await desk.state() == states.GONE
    assert len(await desk.outbox.due(BOX)) == 1


async def test_while_a_file_cant_be_fetched_it_waits(desk: Desk) -> None:
    await desk.write()
    desk.making.fails = HomeUnavailable("away")
    await desk.leaving.once()
    assert await desk.state() == states.WAITING
    desk.making.fails = None
    await desk.leaving.once()
    assert await desk.state() == states.WAITING, "not before its pause is over"
    desk.clock.advance(seconds=5)
    await desk.leaving.once()
    assert await desk.state() == states.GONE


async def test_what_may_not_leave_is_said(desk: Desk) -> None:
    await desk.write()
    desk.making.fails = Refused("no_mailbox", texts.NO_MAILBOX)
    await desk.leaving.once()
    assert await desk.state() == states.STOPPED
    assert texts.NO_MAILBOX in desk.room.bodies()


async def test_an_address_gone_from_the_directory_stops_and_asks(desk: Desk) -> None:
    await desk.write()
    desk.making.fails = Refused(GONE_FROM_DIRECTORY, texts_writing.ADDRESS_GONE)
    desk.ends.others = [Party("B", "b@ailleurs.mssante.test")]
    await desk.leaving.once()
    draft = await desk.drafts.get("$1")
    assert draft is not None
    assert draft.state == states.ASKING
    assert [o.target.to[0].address for o in draft.options if o.target] == ["b@ailleurs.mssante.test"]
    assert any(body.startswith("❓ Rien n'est parti") for body in desk.room.bodies())
    desk.ends.others = []
    await desk.drafts.change(draft, state=states.WAITING, next_at=desk.clock.now())
    await desk.leaving.once()
    assert texts_writing.ADDRESS_GONE in desk.room.bodies()


async def test_a_room_that_is_gone_sends_nothing_and_holds_nobody(desk: Desk) -> None:
    await desk.write(state=states.ASKING)
    desk.room.fails = HomeRefused(403, "M_FORBIDDEN")
    await desk.leaving.once()
    assert await desk.state() == states.STOPPED
    assert await desk.drafts.untold() == []


async def test_a_draft_that_breaks_us_is_given_up_and_others_leave(desk: Desk) -> None:
    await desk.write()
    desk.making.fails = ZeroDivisionError()
    for _ in range(4):
        await desk.leaving.once()
        desk.clock.advance(minutes=1)
    assert await desk.state() == states.STOPPED
    assert texts.FAILED in desk.room.bodies()
    desk.making.fails = None
    await desk.write("$2")
    await desk.leaving.once()
    assert await desk.state("$2") == states.GONE


async def test_a_question_nobody_answered_ends_and_is_said(desk: Desk) -> None:
    await desk.write(state=states.ASKING)
    await desk.leaving.once()
    assert await desk.state() == states.CANCELLED
    assert texts_writing.EXPIRED in desk.room.bodies()


async def test_nothing_leaves_before_all_was_heard_that_its_writer_had_done(desk: Desk) -> None:
    await desk.write()
    desk.deaf = True
    for _ in range(3):
        await desk.leaving.once()
        desk.clock.advance(minutes=1)
    assert await desk.state() == states.WAITING
    draft = await desk.drafts.get("$1")
    assert draft is not None
    await desk.drafts.end(draft, states.CANCELLED)  # what was heard last
    desk.deaf = False
    await desk.leaving.once()
    assert await desk.outbox.due(BOX) == []


async def test_what_could_not_be_shown_does_not_leave_and_then_has_its_whole_time(desk: Desk) -> None:
    desk.room.fails = HomeUnavailable("away")
    await desk.write()
    await desk.leaving.once()
    desk.room.fails = None
    await desk.leaving.once()
    assert await desk.state() == states.WAITING
    assert len(desk.room.said) == 1
    desk.clock.advance(seconds=59)
    await desk.leaving.once()
    assert await desk.state() == states.WAITING
    desk.clock.advance(seconds=1)
    await desk.leaving.once()
    assert await desk.state() == states.GONE


async def test_what_cant_be_made_for_long_is_said_and_ends_within_a_day(desk: Desk) -> None:
    await desk.write()
    desk.making.fails = HomeUnavailable("away")
    begun = desk.clock.now()
    while await desk.state() == states.WAITING:
        await desk.leaving.once()
        desk.clock.advance(minutes=5)
        assert desk.clock.now() - begun < timedelta(days=2)
    assert await desk.state() == states.STOPPED
    assert desk.clock.now() - begun > timedelta(hours=20)
    assert [body for body in desk.room.bodies() if body in {texts.PUT_OFF, texts.FAILED}] == [
        texts.PUT_OFF,
        texts.FAILED,
    ]
