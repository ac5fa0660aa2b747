"""A room's end that is said twice, prolonged, held; and too many that end at once. By value and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import RoomId, UserId
from colloque.rooms.keeping import Proof
from colloque.rooms.lifecycle import (
    Close,
    Erase,
    LifetimeRule,
    Postpone,
    Remind,
    Warn,
    end_of,
    ends_by_itself,
    is_held,
    is_promised,
    next_step,
    too_many,
    written,
)
from colloque.rooms.patient_room import PatientRoom, RoomState

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RULE = LifetimeRule(idle=30 * DAY, notice=7 * DAY, linger=timedelta(hours=1), reminder=DAY)
ROOM = PatientRoom(room=RoomId("!r"), opener=UserId("@a:h.example"), opened_at=START, last_activity=START)
END = START + 30 * DAY
WARNED = replace(ROOM, state=RoomState.WARNED, warned_for=END, warned_at=START + 23 * DAY)
REMINDED = replace(WARNED, reminded_at=START + 29 * DAY)


@pytest.mark.parametrize(
    ("room", "after", "step"),
    [
        (ROOM, 23 * DAY, Warn(END)),
        (WARNED, 28 * DAY, None),
        (WARNED, 29 * DAY, Remind(END)),
        (REMINDED, 29 * DAY, None),
        (REMINDED, 30 * DAY, Close()),
        # nobody was there to remind: a whole day is left all the same
        (WARNED, 40 * DAY, Remind(START + 41 * DAY)),
        (replace(WARNED, reminded_at=START + 40 * DAY), 40.5 * DAY, None),
        (replace(WARNED, reminded_at=START + 40 * DAY), 41 * DAY, Close()),
        # a reminder of an earlier warning is none of this one
        (replace(WARNED, reminded_at=START + 20 * DAY), 30 * DAY, Remind(START + 31 * DAY)),
        (replace(WARNED, prolonged_until=START + 45 * DAY), 29 * DAY, Postpone(START + 45 * DAY)),
        (replace(ROOM, prolonged_until=START + 45 * DAY), 37 * DAY, None),
        (replace(ROOM, prolonged_until=START + 45 * DAY), 38 * DAY, Warn(START + 45 * DAY)),
        (replace(ROOM, prolonged_until=START + 10 * DAY), 23 * DAY, Warn(END)),
        # held: nothing, then the whole notice
        (replace(REMINDED, held_until=START + 60 * DAY), 59 * DAY, None),
        (replace(REMINDED, held_until=START + 60 * DAY), 60 * DAY, Warn(START + 67 * DAY)),
        (replace(ROOM, held_until=START + 5 * DAY), 22 * DAY, None),
        (replace(ROOM, held_until=START + 5 * DAY), 23 * DAY, Warn(END)),
    ],
)
def test_each_step_in_its_time(room: PatientRoom, after: timedelta, step: object) -> None:
    assert next_step(room, RULE, START + after) == step


def test_a_closed_room_that_was_held_is_erased_after_the_whole_notice() -> None:
    room = replace(REMINDED, state=RoomState.CLOSED, closed_at=END, held_until=END + 10 * DAY, archived=Proof.FILED)
    assert next_step(room, RULE, END + 9 * DAY) is None
    assert next_step(room, RULE, END + 17 * DAY - timedelta(seconds=1)) is None
    assert next_step(room, RULE, END + 17 * DAY) == Erase()
    assert is_held(room, END + 9 * DAY)
    assert not is_held(room, END + 10 * DAY)


@pytest.mark.parametrize(("notice", "reminder"), [(7, 7), (7, 8), (7, -1), (0, 1)])
def test_a_reminder_comes_after_the_warning(notice: int, reminder: int) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        LifetimeRule(30 * DAY, notice * DAY, DAY, reminder * DAY)


def test_what_is_promised() -> None:
    assert is_promised(WARNED, RULE)
    assert not is_promised(ROOM, RULE)
    assert not is_promised(replace(WARNED, last_activity=START + 24 * DAY), RULE)
    assert not is_promised(replace(WARNED, prolonged_until=START + 31 * DAY), RULE)
    assert end_of(replace(WARNED, reminded_at=START + 31 * DAY), RULE) == START + 32 * DAY


@pytest.mark.parametrize(
    ("due", "living", "share", "verdict"),
    [(0, 0, 0.2, False), (5, 5, 0.2, False), (6, 6, 0.2, True), (6, 29, 0.2, True), (6, 30, 0.2, False)],
)
def test_many_at_once(due: int, living: int, share: float, verdict: bool) -> None:
    assert too_many(due, living, share) is verdict


def test_who_ends_by_itself() -> None:
    closed = replace(REMINDED, state=RoomState.CLOSED, closed_at=END, archived=Proof.DELIVERED)
    ended = replace(closed, closed_at=START + 25 * DAY)
    late = END + DAY
    assert ends_by_itself(REMINDED, RULE, late, None)
    assert ends_by_itself(closed, RULE, late, None)
    assert not ends_by_itself(replace(closed, archived=""), RULE, late, None), "it waits for its archive"
    assert not ends_by_itself(replace(closed, archived=Proof.FILED), RULE, late, None), "its referent ends it"
    assert not ends_by_itself(ended, RULE, late, None), "somebody ended it"
    assert not ends_by_itself(REMINDED, RULE, late, END), "an administrator looked"
    assert ends_by_itself(REMINDED, RULE, late, END - DAY)
    assert not ends_by_itself(WARNED, RULE, START + 29 * DAY, None), "it is reminded, not ended"


HAPPENINGS = st.sampled_from(["wait", "write", "back", "prolong", "hold", "lift"])


def _postponed(room: PatientRoom) -> PatientRoom:
    """As who prolongs or holds leaves it, too (`RoomLife`): what was announced is forgotten."""
    return replace(room, state=RoomState.OPEN, warned_for=None, warned_at=None, reminded_at=None)


@given(st.lists(st.tuples(HAPPENINGS, st.integers(0, 40 * 24)), max_size=40))
def test_whatever_happens_nobody_is_cut_off_unwarned(happenings: list[tuple[str, int]]) -> None:
    """A service that sweeps now and then, with all that people and clocks do between."""
    room, now = ROOM, START
    warned: tuple[datetime, datetime] | None = None
    reminded: datetime | None = None
    for what, hours in happenings:
        now += timedelta(hours=-hours if what == "back" else hours)
        if what == "write":
            room, warned = replace(room, last_activity=written(room, now, now)), None
        elif what == "prolong":
            until = end_of(room, RULE) + 15 * DAY
            room, warned = _postponed(replace(room, prolonged_until=until)), None
        elif what == "hold":
            room, warned = _postponed(replace(room, held_until=now + 90 * DAY)), None
        elif what == "lift" and is_held(room, now):
            room = replace(room, held_until=now)
        match next_step(room, RULE, now):
            case Warn(end=end):
                assert end >= now + RULE.notice
                room = replace(room, state=RoomState.WARNED, warned_for=end, warned_at=now)
                warned, reminded = (end, now), None
            case Remind(end=end):
                assert warned is not None
                assert end >= now + RULE.reminder
                room, reminded = replace(room, reminded_at=now), now
            case Postpone(end=end):
                assert warned is None
                assert end > now
                room = _postponed(room)
            case Close():
                assert warned is not None
                assert reminded is not None
                assert not is_held(room, now)
                assert now >= max(warned[0], warned[1] + RULE.notice, reminded + RULE.reminder)
                assert now >= room.last_activity + RULE.idle
                return
