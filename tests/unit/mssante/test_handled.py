"""Who dealt with a mail of a shared mailbox, through crashes and second thoughts: on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.mail.message import Party
from colloque.matrix.home import Incoming, JsonDict
from colloque.store.journal import Journal
from colloque_mssante.rules.sends import Send
from colloque_mssante.rules.teams import SHARED
from colloque_mssante.sharing.handled import Handled
from colloque_mssante.sharing.team_rooms import TeamRooms
from colloque_mssante.store.mailboxes import Cursor, Place
from colloque_mssante.store.mails import Mails, StoredMail
from colloque_mssante.texts import teams as texts
from tests.unit.mssante.test_store import ANNE, BOX, BRUNO, ROOM, SINCE, a_send, db  # noqa: F401

MAIL = EventId("$mail")


@dataclass
class Room:
    """Records what is said; `error` is what the homeserver answers instead."""

    said: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None

    async def send(self, _room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        if self.error is not None:
            raise self.error
        self.said[txn] = content.get("m.new_content", content)["body"]
        return EventId("$note")


class Names:
    """Stands for the authors."""

    def name(self, user: UserId) -> str:
        return str(user)


@dataclass
class Desk:
    handled: Handled
    room: Room
    clock: FrozenClock

    def last(self) -> str:
        return list(self.room.said.values())[-1]

    async def tap(self, user: UserId, event: str) -> bool:
        relation = {"rel_type": "m.annotation", "event_id": MAIL, "key": texts.HANDLED}
        return await self._hear(user, event, "m.reaction", {"m.relates_to": relation})

    async def strike(self, user: UserId, event: str, what: str) -> bool:
        return await self._hear(user, event, "m.room.redaction", {"redacts": what})

    async def _hear(self, user: UserId, event: str, type_: str, content: JsonDict) -> bool:
        now = self.clock.now()
        said = Incoming(ROOM, EventId(event), user, now, type_, content, encrypted=False, device_signed=False)
        return await self.handled.hear(said)

    def answer(self) -> Send:
        return a_send(self.clock, "$answer", owner=ANNE, made_at=self.clock.now())


@pytest.fixture
async def desk(db: Database, clock: FrozenClock, tmp_path: Path) -> Desk:  # noqa: F811
    room, journal = Room(), Journal.open(tmp_path / "journal.jsonl", clock)
    box = Cursor(BOX, SHARED, SINCE, 1, 0, "")
    stored = StoredMail("k", BOX, SHARED, "<1@x>", (), "Avis", Party("", "b@x"), ROOM, thread="t")
    mails = Mails(db, clock)
    await mails.put(stored, Place(box, 1, 1), "00000000000000000001", [MAIL])
    await db.execute("INSERT INTO conversation (room_id, owner, who, team) VALUES ($1, '', 'w', $2)", ROOM, BOX.value)
    handled = Handled(
        db=db, home=cast("Any", room), mails=mails, authors=cast("Any", Names()), journal=journal, clock=clock
    )
    return Desk(handled, room, clock)


async def test_the_first_one_counts_and_alone_takes_their_own_sign_back(desk: Desk) -> None:
    assert await desk.handled.waiting(BOX) == 1
    assert await desk.tap(ANNE, "$tap")
    assert await desk.handled.waiting(BOX) == 0
    assert not await desk.tap(BRUNO, "$late")
    assert f"traité par {ANNE}" in desk.last()
    assert not await desk.strike(BRUNO, "$other", "$tap")
    assert await desk.strike(ANNE, "$back", "$tap")
    assert await desk.handled.waiting(BOX) == 1
    assert "de nouveau à traiter" in desk.last()
    assert await desk.tap(BRUNO, "$again")
    assert f"traité par {BRUNO}" in desk.last()


async def test_what_a_crash_cut_off_is_said_when_the_event_comes_again(desk: Desk) -> None:
    desk.room.error = HomeUnavailable()
    with pytest.raises(HomeUnavailable):
        await desk.tap(ANNE, "$tap")
    desk.room.error = None
    assert await desk.tap(ANNE, "$tap")
    assert await desk.tap(ANNE, "$tap")
    assert len(desk.room.said) == 1


async def test_an_answer_deals_with_the_mail_and_never_undoes_a_later_word(desk: Desk) -> None:
    send = desk.answer()
    desk.clock.advance(seconds=1)
    for _ in range(2):
        await desk.handled.by_answer(send, "<1@x>")
    assert len(desk.room.said) == 1
    assert await desk.handled.waiting(BOX) == 0
    desk.clock.advance(seconds=1)
    assert await desk.strike(ANNE, "$back", send.key)
    await desk.handled.by_answer(send, "<1@x>")
    assert await desk.handled.waiting(BOX) == 1


async def test_a_room_that_is_gone_stops_no_copy_from_being_filed(desk: Desk) -> None:
    desk.room.error = HomeRefused(403, "M_FORBIDDEN")
    await desk.handled.by_answer(desk.answer(), "<1@x>")
    assert await desk.handled.waiting(BOX) == 0
    await desk.handled.by_answer(replace(desk.answer(), owner=None), "<1@x>")
    await desk.handled.by_answer(desk.answer(), "<unknown@x>")


async def test_one_who_may_not_be_invited_yet_keeps_nobody_else_waiting(clock: FrozenClock, tmp_path: Path) -> None:
    inside: list[UserId] = []

    class Home:
        barred = True

        async def members(self, _room: RoomId) -> dict[UserId, str]:
            return dict.fromkeys(inside, "join")

        async def invite(self, _room: RoomId, user: UserId) -> None:
            if user == ANNE and self.barred:
                raise HomeRefused(403, "M_FORBIDDEN")
            inside.append(user)

    class Around:
        async def of_teams(self) -> list[tuple[RoomId, object]]:
            return [(ROOM, BOX)]

        def changed(self, _room: RoomId) -> None:
            pass

        def members(self, _mailbox: object) -> tuple[UserId, ...]:
            return ANNE, BRUNO

        async def token(self, _room: object, _value: object) -> str:
            return "00000000000000000001"

    home, around = Home(), cast("Any", Around())
    rooms = TeamRooms(
        home=cast("Any", home),
        conversations=around,
        teams=around,
        keys=around,
        journal=Journal.open(tmp_path / "journal.jsonl", clock),
        is_ours=lambda _user: False,
    )
    await rooms.once()
    assert inside == [BRUNO]
    home.barred = False
    rooms._later.clear()
    await rooms.once()
    assert inside == [BRUNO, ANNE]
