"""The sweep, while people act and other servers lie: no room ends unheard, none stops the others; on both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from colloque.clock import FrozenClock, monotonic
from colloque.identity import EventId, RoomId
from colloque.matrix.home import Incoming, MemberChange, Unreadable
from colloque.rooms.keeping import Proof
from colloque.rooms.lifecycle import end_of
from colloque.rooms.patient_room import RoomState
from colloque_salles.living.expire import FAILED
from colloque_salles.living.hearing import Ledger
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.salles_server import ANNE, BOB
from tests.servers.salles_ward import DAY, ROOM, RULE, Ward

OTHER = RoomId("!other")
NEVER = datetime(9999, 12, 30, tzinfo=UTC)
"""The latest that a server can say (`sync_events.sent_at`)."""


@pytest.fixture
async def ward(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ward:
    ward = Ward(tmp_path, await opened(salles_upgrades()), clock)
    await ward.add()
    return ward


@pytest.fixture
def ledger(ward: Ward) -> Ledger:
    return Ledger(ward.patients, ward.membership, ward.clock)


def when_said(ward: Ward, monkeypatch: pytest.MonkeyPatch, sign: str, do: Callable[[RoomId], Awaitable[Any]]) -> None:
    """`do` happens as the first message with that sign is being sent."""
    send, done = ward.server.send, list[RoomId]()

    async def hooked(room: RoomId, content: dict[str, Any], **how: Any) -> EventId:
        if sign in content.get("body", "") and not done:
            done.append(room)
            await do(room)
        return await send(room, content, **how)

    monkeypatch.setattr(ward.server, "send", hooked)


async def ending(ward: Ward) -> None:
    """Every room's end was announced twice, and has come."""
    for day in (23, 29):
        ward.day(day)
        await ward.sweep.once()
    ward.day(30)


async def state(ward: Ward, room: RoomId = ROOM) -> RoomState:
    return (await ward.kept(room)).room.state


# somebody acts meanwhile


@pytest.mark.parametrize("words", ["!patient terminer", "!patient opposition"])
async def test_a_room_closed_while_its_end_is_announced_is_closed(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    when_said(ward, monkeypatch, "⏳", lambda room: ward.typed(ANNE, words, room=room))
    ward.day(23)
    await ward.sweep.once()
    (kept,) = await ward.patients.all()
    assert (kept.room.state, kept.room.warned_for) == (RoomState.CLOSED, None)
    await ward.archives.prove(ROOM, Proof.FILED)
    await ward.patients.heard_own(ROOM, EventId(next(f"${txn}" for txn in ward.server.sent if txn.startswith("close"))))
    ward.day(24)
    await ward.sweep.once()
    assert ward.eraser.rooms == [ROOM]


@pytest.mark.parametrize("words", ["!patient suspendre-effacement expertise", "!patient prolonger 10 jours"])
async def test_what_happens_while_other_rooms_are_closed_counts(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    await ward.add(OTHER, "Chat Noir")

    async def act(closing: RoomId) -> None:
        await ward.typed(BOB, words, room=OTHER if closing == ROOM else ROOM)

    when_said(ward, monkeypatch, "🔒", act)
    await ending(ward)
    await ward.sweep.once()
    assert sorted([await state(ward), await state(ward, OTHER)]) == [RoomState.CLOSED, RoomState.OPEN]


async def test_a_room_that_is_gone_meanwhile_is_passed_over(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    await ward.add(OTHER, "Chat Noir")

    async def drop(closing: RoomId) -> None:
        await ward.db.execute("DELETE FROM patient_room WHERE room <> $1", closing)

    when_said(ward, monkeypatch, "🔒", drop)
    await ending(ward)
    await ward.sweep.once()
    assert [kept.room.state for kept in await ward.patients.all()] == [RoomState.CLOSED]
    assert await ward.incidents.current() == []


# nothing ends unheard


async def test_a_room_is_closed_once_all_that_the_server_had_was_heard(ward: Ward) -> None:
    await ending(ward)
    assert not ward.sweep.is_ready(), "nothing was put off"
    ward.unheard[ROOM] = monotonic()
    for _ in range(2):
        await ward.sweep.once()
        assert await state(ward) is RoomState.WARNED
        assert not ward.sweep.is_ready()
    # Heard up to now: what the server has had since does not matter.
    ward.unheard[ROOM] = monotonic()
    assert ward.sweep.is_ready()
    await ward.sweep.once()
    assert await state(ward) is RoomState.CLOSED
    assert not ward.sweep.is_ready()


@pytest.mark.parametrize("what", ["", "!patient prolonger 10 jours", "!patient suspendre-effacement expertise"])
async def test_whoever_acted_before_the_end_is_heard_before_it(ward: Ward, ledger: Ledger, what: str) -> None:
    await ending(ward)
    ward.unheard[ROOM] = 0
    await ward.sweep.once()
    ward.day(29.5)
    said = ward._message(BOB, "$late", {"body": "encore là"})
    ward.day(31)
    await ward.sweep.once()
    await (ward.typed(BOB, what) if what else ledger.hear(said))
    del ward.unheard[ROOM]
    for _ in range(2):
        await ward.sweep.once()
        assert await state(ward) is RoomState.OPEN


async def test_one_room_that_is_not_heard_holds_back_no_other(ward: Ward) -> None:
    await ward.add(OTHER, "Chat Noir")
    await ending(ward)
    ward.unheard[ROOM] = 0
    await ward.sweep.once()
    assert (await state(ward), await state(ward, OTHER)) == (RoomState.WARNED, RoomState.CLOSED)


async def test_what_was_once_waited_for_says_nothing_about_a_later_end(ward: Ward) -> None:
    await ending(ward)
    ward.unheard[ROOM] = 0
    await ward.sweep.once()
    await ward.typed(BOB, "!patient prolonger 10 jours")
    ward.unheard[ROOM] = monotonic()
    for day in (33, 39, 40):
        ward.day(day)
        await ward.sweep.once()
    assert await state(ward) is RoomState.WARNED


async def test_a_closed_room_is_erased_once_all_was_heard(ward: Ward) -> None:
    await ward.patients.closed(ROOM, ward.clock.now(), None)
    await ward.archives.prove(ROOM, Proof.FILED)
    ward.unheard[ROOM] = 0
    ward.day(1)
    await ward.sweep.once()
    assert ward.eraser.rooms == []
    del ward.unheard[ROOM]
    assert ward.sweep.is_ready()
    await ward.sweep.once()
    assert ward.eraser.rooms == [ROOM]


# other servers' times


async def test_a_message_counts_no_later_than_it_was_heard(ward: Ward, ledger: Ledger) -> None:
    heard = ward.day(10)
    said = replace(ward._message(BOB, "$1", {"body": "demain"}), sent_at=NEVER)
    for each in (said, Unreadable(ROOM, EventId("$2"), BOB, NEVER)):
        await ledger.hear(each)
        assert (await ward.kept()).room.last_activity == heard
    await ward.sweep.once()
    assert end_of((await ward.kept()).room, RULE) == heard + 30 * DAY


async def test_a_wish_counts_no_later_than_it_was_heard(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    message = ward._message

    def lies(*said: Any) -> Incoming:
        return replace(message(*said), sent_at=NEVER)

    monkeypatch.setattr(ward, "_message", lies)
    assert "a prolongé" in await ward.typed(BOB, "!patient prolonger 10 jours")
    assert (await ward.kept()).room.prolonged_until == ward.begin + 40 * DAY


async def test_activity_in_the_future_stops_no_sweep(ward: Ward) -> None:
    """As earlier versions wrote it, while our own clock is not believed (`repairs`)."""
    await ward.add(OTHER, "Chat Noir")
    await ward.patients.active(ROOM, NEVER)
    ward.day(23)
    await ward.sweep.once()
    assert (await state(ward), await state(ward, OTHER)) == (RoomState.OPEN, RoomState.WARNED)
    assert await ward.incidents.current() == []


# one room that fails


async def test_a_row_that_can_not_be_read_stops_nothing(ward: Ward, ledger: Ledger) -> None:
    await ward.add(OTHER, "Chat Noir")
    await ward.db.execute("UPDATE patient_room SET members = '{' WHERE room = $1", ROOM)
    ward.day(23)
    await ward.sweep.once()
    assert await state(ward, OTHER) is RoomState.WARNED
    assert "Chat Noir" in await ward.typed(ANNE, "!patients", room=OTHER)
    assert await ward.incidents.current() == [FAILED]
    await ledger.hear(ward._message(BOB, "$1", {"body": "?"}))
    await ledger.hear(MemberChange(ROOM, BOB, BOB, "leave"))
    assert await ward.patients.counts(ROOM) == (1, 0), "what an erasure will have to account for"
    await ward.db.execute("UPDATE patient_room SET members = '[]' WHERE room = $1", ROOM)
    await ward.sweep.once()
    assert await ward.incidents.current() == []
    assert await state(ward) is RoomState.WARNED


async def test_a_room_that_fails_for_no_known_reason_holds_back_nothing(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.add(OTHER, "Chat Noir")
    ward.day(23)
    await ward.sweep.once()
    await ward.db.execute("UPDATE patient_room SET own_idle = 0 WHERE room = $1", ROOM)
    gone_on = list[bool]()

    async def go_on() -> None:
        gone_on.append(True)

    monkeypatch.setattr(ward.eraser, "go_on", go_on)
    ward.day(29)
    await ward.sweep.once()
    assert (await ward.kept(OTHER)).room.reminded_at is not None
    assert gone_on == [True]
    assert await ward.incidents.current() == [FAILED]
    await ward.db.execute("UPDATE patient_room SET own_idle = NULL")
    ward.server.errors = [RuntimeError("once")]
    await ward.sweep.once()
    assert await ward.incidents.current() == [FAILED]
    await ward.sweep.once()
    assert await ward.incidents.current() == []
    assert (await ward.kept()).room.reminded_at is not None
