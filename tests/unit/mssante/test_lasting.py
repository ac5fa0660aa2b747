"""What rooms are told of how long threads stay, what they share, and what people keep there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock, to_millis
from colloque.commands import Call, parse
from colloque.errors import HomeRefused, HomeUnavailable, Temporary
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.home import Incoming, MemberChange, Unreadable
from colloque.matrix.nio_history import Stood
from colloque.rooms.mail_thread import Said
from colloque.rooms.mark import HOLD, RoomKind, RoomMark
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.ends.commands import KeepCommands
from colloque_mssante.ends.room_life import RoomsLife
from colloque_mssante.ends.room_reading import RoomReading
from colloque_mssante.rules import drip as drips
from colloque_mssante.rules.drip import Drip
from colloque_mssante.store.mails import Mails
from colloque_mssante.texts import ends as texts
from tests.unit.mssante.test_ends_store import E1, E2, M1, M2, Shelf
from tests.unit.mssante.test_store import ANNE, BRUNO, ROOM, db

__all__ = ["db"]

DAY = timedelta(days=1)


class Rooms:
    """The homeserver's answers; and the commands' conversations, where only Anne takes part."""

    user = UserId("@mssante:h.test")

    def __init__(self, shelf: Shelf, folder: Any) -> None:
        self.shelf, self.began = shelf, shelf.clock.now()
        self.said: dict[str, tuple[RoomId, str]] = {}
        self.states: dict[str, Any] = {}
        self.refuses: HomeRefused | None = None
        self.unreachable = False
        self.kind = RoomKind.MAIL
        home = cast("Any", self)
        self.life = RoomsLife(home=home, life=shelf.life, threads=shelf.threads, lifetime=90 * DAY, clock=shelf.clock)
        self.commands = KeepCommands(
            db=shelf.db,
            home=home,
            life=shelf.life,
            reading=RoomReading(shelf.db, home, lambda _: False),
            mails=Mails(shelf.db, shelf.clock),
            threads=shelf.threads,
            conversations=home,
            keys=RoomKeys(shelf.db),
            journal=Journal.open(folder / "journal.jsonl", shelf.clock),
            clock=shelf.clock,
            lasts=90 * DAY,
        )
        self.past: list[Stood] = []

    def _may(self) -> None:
        if self.unreachable:
            raise HomeUnavailable("away")
        if self.refuses is not None:
            raise self.refuses

    async def send(self, room: RoomId, content: Any, *, txn: str) -> EventId:
        self._may()
        assert content["msgtype"] == "m.notice", "nobody's phone rings for this"
        self.said[txn] = room, content["body"]
        return EventId(f"$said{len(self.said)}")

    async def everything(self, room: RoomId) -> AsyncIterator[Stood]:
        self._may()
        for stood in self.past:
            yield stood

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> Any:
        return self.states.get(type_)

    async def set_state(self, room: RoomId, type_: str, content: Any, state_key: str = "") -> EventId:
        self._may()
        self.states[type_] = content
        return EventId("$state")

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        return RoomMark(self.kind, "k", owner=ANNE)

    async def takes_part(self, user: UserId, room: RoomId, mark: RoomMark) -> bool:
        return user == ANNE

    async def asks(self, line: str, *, by: UserId = ANNE, reply_to: EventId | None = None) -> str:
        content: dict[str, Any] = {"msgtype": "m.text", "body": line}
        if reply_to is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        said = self.incoming(EventId("$command"), content, sender=by)
        call = parse(line)
        assert isinstance(call, Call)
        answers: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            answers.append(body)
            return EventId("$reply")

        await self.commands.table[call.command.name](call, said, reply)
        [answer] = answers
        return answer

    def incoming(
        self, event: EventId, content: dict[str, Any], *, type_: str = "m.room.message", sender: UserId = ANNE
    ) -> Incoming:
        return Incoming(ROOM, event, sender, self.began, type_, content, True, True)

    def bodies(self) -> list[str]:
        return [body for _, body in self.said.values()]


@pytest.fixture
async def rooms(db: Database, clock: FrozenClock, tmp_path: Any) -> Rooms:
    shelf = Shelf(db, clock)
    await shelf.ready()
    return Rooms(shelf, tmp_path)


async def test_each_room_is_told_once_and_again_when_that_changes(rooms: Rooms) -> None:
    await rooms.shelf.db.execute("DELETE FROM room_life")
    await rooms.life.once()
    await rooms.life.once()
    assert rooms.bodies() == [texts.entry(90 * DAY)]
    assert "90 jours" in rooms.bodies()[0]
    rooms.life._lifetime = 30 * DAY
    await rooms.life.once()
    rooms.life._lifetime = 90 * DAY
    await rooms.life.once()
    assert rooms.bodies() == [texts.entry(90 * DAY), texts.entry(30 * DAY), texts.entry(90 * DAY)]


async def test_who_comes_later_reads_it_too(rooms: Rooms) -> None:
    await rooms.life.once()
    before = await rooms.shelf.db.fetchrow("SELECT told_s, told_at FROM room_life")
    assert rooms.bodies() == []
    for _ in range(2):
        await rooms.life.invited(MemberChange(ROOM, BRUNO, ANNE, "invite", EventId("$invited")))
        await rooms.life.invited(MemberChange(ROOM, BRUNO, BRUNO, "join", EventId("$joined")))
        await rooms.life.once()
    assert rooms.bodies() == [texts.entry(90 * DAY)]
    after = await rooms.shelf.db.fetchrow("SELECT told_s, told_at FROM room_life")
    assert tuple(after) == tuple(before), "nobody's threads stay longer for that"
    assert await rooms.shelf.db.fetchval("SELECT told_event FROM room_life") == "$said1"


async def test_a_room_that_can_not_be_told_is_known_as_such_and_one_that_is_away_is_told_later(rooms: Rooms) -> None:
    await rooms.shelf.db.execute("DELETE FROM room_life")
    rooms.unreachable = True
    with pytest.raises(Temporary):
        await rooms.life.once()
    assert await rooms.shelf.life.untold(90 * 86400) != []
    rooms.unreachable, rooms.refuses = False, HomeRefused(403, "M_FORBIDDEN", "not in it")
    await rooms.life.once()
    assert await rooms.shelf.life.untold(90 * 86400) == []
    assert await rooms.shelf.life.unwalked() == []


async def test_the_files_of_a_rooms_past_are_read_once(rooms: Rooms) -> None:
    rooms.past = [
        Stood(Said(event, ANNE, rooms.began), "m.room.encrypted", False, files, True)
        for event, files in ((E1, (M1,)), (E2, (M1, M2)))
    ]
    await rooms.life.once()
    rows = await rooms.shelf.db.fetch("SELECT event_id, mxc FROM room_file ORDER BY event_id, mxc")
    assert [tuple(row) for row in rows] == [(E1, M1), (E2, M1), (E2, M2)]
    rooms.past = []
    await rooms.life.once()
    assert len(await rooms.shelf.db.fetch("SELECT * FROM room_file")) == 3


async def test_a_room_that_refuses_for_now_is_read_later(rooms: Rooms) -> None:
    rooms.refuses = HomeRefused(500, "M_UNKNOWN", "something broke")
    with pytest.raises(Temporary):
        await rooms.life.once()
    assert await rooms.shelf.life.unwalked() == [ROOM]


async def test_what_is_heard_is_known_until_it_is_withdrawn(rooms: Rooms) -> None:
    file = {"msgtype": "m.file", "file": {"url": M1}, "info": {"thumbnail_file": {"url": M2}}}
    for _ in range(2):
        await rooms.life.hear(rooms.incoming(E1, file))
    await rooms.life.hear(rooms.incoming(E2, {"msgtype": "m.text", "body": "rien"}))
    await rooms.life.hear(Unreadable(ROOM, E2, ANNE, rooms.began))
    assert len(await rooms.shelf.db.fetch("SELECT * FROM room_file")) == 2
    rooms.kind = RoomKind.HOME
    await rooms.life.hear(rooms.incoming(E2, file))
    rooms.kind = RoomKind.MAIL
    await rooms.life.hear(rooms.incoming(EventId("$r"), {"redacts": 7}, type_="m.room.redaction"))
    assert len(await rooms.shelf.db.fetch("SELECT * FROM room_file")) == 2
    await rooms.life.hear(rooms.incoming(EventId("$r"), {"redacts": E1}, type_="m.room.redaction"))
    assert await rooms.shelf.db.fetch("SELECT * FROM room_file") == []


async def test_a_thread_is_kept_renewed_and_let_go(rooms: Rooms) -> None:
    assert await rooms.asks("!fil garder", reply_to=E1) == texts.KEEP_WHY
    until = rooms.began + 90 * DAY
    assert await rooms.asks("!fil garder expertise en cours", reply_to=E1) == texts.kept(until, 1)
    assert await rooms.asks("!thread keep encore", reply_to=EventId("$event")) == texts.kept(until, 1)
    hold = await rooms.shelf.life.held(ROOM, "k1")
    assert hold is not None
    assert (hold.by, hold.reason) == (ANNE, "encore")
    assert HOLD not in rooms.states, "other threads of the room go on"
    assert await rooms.asks("!fil ne plus garder") == texts.NOT_KEPT
    assert await rooms.asks("!fil ne plus garder", reply_to=E1) == texts.released(1)
    assert await rooms.asks("!fil ne plus garder", reply_to=E1) == texts.NOT_KEPT


async def test_a_thread_that_is_going_is_not_said_to_be_kept(rooms: Rooms) -> None:
    end = await rooms.shelf.begun()
    await rooms.shelf.ends.read(end, [E1], [])
    await rooms.shelf.forgetting.forget(end)
    assert await rooms.asks("!fil garder x", reply_to=E1) == texts.ENDING
    assert await rooms.shelf.life.holds() == []


async def test_a_room_is_kept_by_its_state_too(rooms: Rooms) -> None:
    until = rooms.began + 90 * DAY
    assert await rooms.asks("!fil garder expertise") == texts.kept(until, None)
    assert rooms.states[HOLD] == {"until": to_millis(until)}
    assert await rooms.asks("!fil ne plus garder") == texts.released(None)
    assert rooms.states[HOLD]["until"] <= to_millis(rooms.shelf.clock.now())


async def test_a_room_whose_state_is_refused_is_not_said_to_be_kept(rooms: Rooms) -> None:
    rooms.refuses = HomeRefused(403, "M_FORBIDDEN", "no")
    assert await rooms.asks("!fil garder expertise") == texts.KEEP_REFUSED
    assert await rooms.shelf.life.holds() == []


async def test_nobody_keeps_what_is_none_of_theirs_or_no_thread(rooms: Rooms) -> None:
    assert await rooms.asks("!fil garder x", by=BRUNO, reply_to=E1) == texts.NOT_YOURS
    assert await rooms.asks("!fil ne plus garder", by=BRUNO, reply_to=E1) == texts.NOT_KEPT
    assert await rooms.asks("!fil garder x", reply_to=EventId("$elsewhere")) == texts.NO_THREAD
    assert await rooms.shelf.life.holds() == []


async def test_the_end_of_what_is_kept_is_announced_once_and_said(rooms: Rooms) -> None:
    await rooms.asks("!fil garder expertise", reply_to=E1)
    await rooms.life.once()
    rooms.said.clear()
    rooms.shelf.clock.advance(days=83, seconds=1)
    for _ in range(2):
        await rooms.life.once()
    assert rooms.bodies() == [texts.kept_until(rooms.began + 90 * DAY, 1)]
    rooms.shelf.clock.advance(days=7)
    for _ in range(2):
        await rooms.life.once()
    assert rooms.bodies()[1:] == [texts.released(1)]
    assert await rooms.shelf.life.holds() == []


def test_so_many_at_once_then_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(drips, "monotonic", lambda: now[0])
    drip = Drip(3, 30.0)
    assert [drip.take() for _ in range(5)] == [True, True, True, False, False]
    now[0] += 9.9
    assert drip.empty
    now[0] += 0.2
    assert [drip.take() for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [drip.take() for _ in range(4)] == [True, True, True, False]


def test_texts_say_days(clock: FrozenClock) -> None:
    assert "un jour après" in texts.entry(DAY)
    assert "moins d'un jour après" in texts.entry(timedelta(hours=3))
    assert "n° " not in texts.ended(3, 0)
    assert "n° 12" in texts.ended(3, 12)
