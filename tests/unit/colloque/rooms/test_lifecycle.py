"""When a room is warned, closed and erased, by value; and the promises, by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from colloque.errors import Inconsistent
from colloque.identity import RoomId, UserId
from colloque.rooms.keeping import Proof
from colloque.rooms.lifecycle import (
    Close,
    Erase,
    LifetimeRule,
    Postpone,
    Warn,
    end_of,
    next_step,
    written,
)
from colloque.rooms.patient_room import PatientRoom, RoomState

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULE = LifetimeRule(idle=30 * DAY, notice=7 * DAY, linger=timedelta(hours=1))
ROOM = PatientRoom(
    room=RoomId("!r"), opener=UserId("@a:h.example"), opened_at=START, last_activity=START
)  # fmt: skip


def warned(room: PatientRoom, end: datetime, at: datetime) -> PatientRoom:
    return replace(room, state=RoomState.WARNED, warned_for=end, warned_at=at)


def closed(room: PatientRoom, at: datetime, state: RoomState = RoomState.CLOSED) -> PatientRoom:
    return replace(room, state=state, closed_at=at, archived=Proof.FILED)


END = START + 30 * DAY
WARNED = warned(ROOM, END, START + 23 * DAY)


@pytest.mark.parametrize(
    ("room", "after", "step"),
    [
        (ROOM, timedelta(0), None),
        (ROOM, 23 * DAY - timedelta(seconds=1), None),
        (ROOM, 23 * DAY, Warn(END)),
        (WARNED, 23 * DAY, None),
        (WARNED, 30 * DAY - timedelta(seconds=1), None),
        (WARNED, 30 * DAY, Close()),
        (closed(WARNED, END), 30 * DAY, None),
        (closed(WARNED, END), 30 * DAY + timedelta(minutes=59), None),
        (closed(WARNED, END), 30 * DAY + timedelta(hours=1), Erase()),
        (replace(closed(WARNED, END), archived=""), 300 * DAY, None),
        (closed(WARNED, END, RoomState.ERASING), 60 * DAY, None),
        (closed(WARNED, END, RoomState.ERASED), 60 * DAY, None),
        # ended by its opener, never warned
        (closed(ROOM, START), timedelta(hours=1), Erase()),
    ],
)
def test_each_step_in_its_time(room: PatientRoom, after: timedelta, step: object) -> None:
    assert next_step(room, RULE, START + after) == step


def test_a_late_service_still_gives_the_whole_notice() -> None:
    late = START + 100 * DAY
    assert next_step(ROOM, RULE, late) == Warn(late + 7 * DAY)
    room = warned(ROOM, late + 7 * DAY, late)
    assert next_step(room, RULE, late + 7 * DAY - timedelta(seconds=1)) is None
    assert next_step(room, RULE, late + 7 * DAY) == Close()


def test_a_warning_sent_later_than_decided_counts_from_when_it_was_sent() -> None:
    room = warned(ROOM, END, START + 25 * DAY)
    assert next_step(room, RULE, END) is None
    assert next_step(room, RULE, START + 32 * DAY) == Close()


def test_who_writes_voids_the_promise_and_is_warned_again_in_time() -> None:
    wrote = START + 29 * DAY
    room = replace(WARNED, last_activity=wrote)
    assert next_step(room, RULE, END) == Postpone(wrote + 30 * DAY)
    room = replace(room, state=RoomState.OPEN, warned_for=None, warned_at=None)
    assert next_step(room, RULE, END) is None
    assert next_step(room, RULE, wrote + 23 * DAY) == Warn(wrote + 30 * DAY)
    assert end_of(room, RULE) == wrote + 30 * DAY


def test_a_clock_that_steps_back_only_makes_things_wait() -> None:
    for room in (ROOM, WARNED, closed(WARNED, END), replace(WARNED, held_until=START)):
        assert next_step(room, RULE, START - 400 * DAY) is None


NEVER = datetime(9999, 12, 30, tzinfo=UTC)


def test_another_servers_time_counts_no_later_than_it_was_heard() -> None:
    now = START + 25 * DAY
    assert written(ROOM, NEVER, now) == now
    assert written(ROOM, START - DAY, now) == START
    assert next_step(replace(WARNED, last_activity=written(WARNED, NEVER, now)), RULE, now) == Postpone(now + 30 * DAY)
    at_once = replace(WARNED, last_activity=written(WARNED, NEVER, START + 23 * DAY))
    assert next_step(at_once, RULE, END) == Postpone(START + 53 * DAY), "as the warning was being said"


def test_activity_that_is_known_of_the_future_is_none_before_it_comes() -> None:
    for room in (ROOM, WARNED, replace(WARNED, prolonged_until=NEVER), closed(WARNED, END)):
        known, same = replace(room, last_activity=NEVER), replace(room, last_activity=END + DAY)
        assert next_step(known, RULE, END + DAY) == next_step(same, RULE, END + DAY)


def test_a_shorter_rule_keeps_the_promised_end_a_longer_one_moves_it() -> None:
    shorter = LifetimeRule(idle=10 * DAY, notice=2 * DAY, linger=timedelta(0))
    assert next_step(WARNED, shorter, END - timedelta(seconds=1)) is None
    assert next_step(WARNED, shorter, END) == Close()
    longer = LifetimeRule(idle=60 * DAY, notice=7 * DAY, linger=timedelta(0))
    assert next_step(WARNED, longer, END) == Postpone(START + 60 * DAY)
    assert next_step(WARNED, longer, START + 53 * DAY) == Warn(START + 60 * DAY)


def test_the_end_as_known() -> None:
    assert end_of(ROOM, RULE) == END
    assert end_of(WARNED, RULE) == END
    assert end_of(closed(WARNED, START + DAY), RULE) == START + DAY


@example([("wait", 552), ("back", 552), ("write", 0), ("wait", 720)])
@given(st.lists(st.tuples(st.sampled_from(["wait", "write", "back"]), st.integers(0, 40 * 24)), max_size=30))
def test_whatever_happens_nobody_is_cut_off_unwarned(happenings: list[tuple[str, int]]) -> None:
    room, now, told = ROOM, START, None
    for what, hours in happenings:
        now += timedelta(hours=-hours if what == "back" else hours)
        if what == "write":
            room = replace(room, last_activity=written(room, now, now))
            told = None
        match next_step(room, RULE, now):
            case Warn(end=end):
                assert end >= now + RULE.notice
                assert end >= room.last_activity + RULE.idle
                room, told = warned(room, end, now), (end, now)
                assert end_of(room, RULE) == end
            case Close():
                assert told is not None
                assert now >= max(told[0], told[1] + RULE.notice, room.last_activity + RULE.idle)
                return


@pytest.mark.parametrize(
    ("idle", "notice", "linger"), [(7, 7, 0), (7, 8, 0), (7, -1, 0), (7, 1, -1)]
)  # fmt: skip
def test_a_rule_that_can_not_be_kept_is_refused(idle: int, notice: int, linger: int) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        LifetimeRule(idle * DAY, notice * DAY, linger * DAY)


@pytest.mark.parametrize(
    "fields",
    [
        {"state": RoomState.CLOSED},
        {"closed_at": START},
        {"state": RoomState.WARNED},
        {"warned_for": START},
        {"warned_at": START},
    ],
)
def test_a_room_that_contradicts_itself_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(Inconsistent):
        replace(ROOM, **fields)  # type: ignore[arg-type]
