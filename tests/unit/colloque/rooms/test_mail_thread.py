"""When a thread of mails ends, and which events are its own: by value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import EventId, UserId
from colloque.rooms.mail_thread import WEEK, Rule, Said, Standing, Step, ends_at, next_step, places

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RULE = Rule(90 * DAY)
OLD = Standing(last_at=NOW - 90 * DAY, told_at=NOW - WEEK, originals=(True, True))
ANNE = UserId("@anne:h.test")


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, Step.END),
        ({"originals": ()}, Step.END),
        ({"last_at": NOW - 90 * DAY + timedelta(seconds=1)}, Step.KEEP),
        ({"told_at": None}, Step.KEEP),
        ({"told_at": NOW - WEEK + timedelta(seconds=1)}, Step.KEEP),
        ({"held_until": NOW + timedelta(seconds=1)}, Step.KEEP),
        ({"held_until": NOW}, Step.END),
        ({"busy": True}, Step.KEEP),
        ({"originals": (True, None)}, Step.ASK),
        ({"originals": (None, False)}, Step.MISSING),
        ({"originals": (False,), "busy": True}, Step.KEEP),
    ],
)
def test_what_is_to_be_done(changes: dict[str, object], step: Step) -> None:
    assert next_step(replace(OLD, **changes), RULE, NOW) is step  # type: ignore[arg-type]


def test_old_threads_outlive_the_notice_by_a_week_or_a_whole_short_life() -> None:
    assert ends_at(replace(OLD, last_at=NOW - 900 * DAY, told_at=NOW), RULE) == NOW + WEEK
    assert ends_at(replace(OLD, told_at=NOW), Rule(DAY)) == NOW + DAY


moments = st.datetimes(NOW.replace(tzinfo=None) - 400 * DAY, NOW.replace(tzinfo=None) + 400 * DAY).map(
    lambda at: at.replace(tzinfo=UTC)
)
standings = st.builds(
    Standing,
    last_at=moments,
    told_at=st.none() | moments,
    held_until=st.none() | moments,
    busy=st.booleans(),
    originals=st.lists(st.sampled_from([True, False, None]), max_size=4).map(tuple),
)


@given(standings, st.integers(1, 200).map(lambda days: Rule(days * DAY)), moments)
def test_nothing_ends_that_is_young_untold_held_under_way_or_the_only_copy(
    thread: Standing, rule: Rule, now: datetime
) -> None:
    if next_step(thread, rule, now) is Step.END:
        assert now - thread.last_at >= rule.lifetime
        assert thread.told_at is not None
        assert now - thread.told_at >= rule.notice
        assert thread.held_until is None or thread.held_until <= now
        assert not thread.busy
        assert all(thread.originals)


@given(
    standings, st.integers(1, 200).map(lambda days: Rule(days * DAY)), moments, st.timedeltas(timedelta(), 900 * DAY)
)
def test_time_alone_never_saves_a_thread(thread: Standing, rule: Rule, now: datetime, later: timedelta) -> None:
    if next_step(thread, rule, now) is Step.END:
        assert next_step(thread, rule, now + later) is Step.END


def said(event: str, *, root: str = "", answers: str = "") -> Said:
    return Said(EventId(event), ANNE, NOW, EventId(root) or None, EventId(answers) or None)


def test_an_event_stands_where_our_tables_say_then_in_its_matrix_thread_then_with_what_it_answers() -> None:
    known = {EventId("$a"): "A", EventId("$b"): "B", EventId("$c"): "B"}
    told = [
        said("$c", root="$a", answers="$a"),
        said("$1", root="$a", answers="$b"),
        said("$2", answers="$b"),
        said("$3", answers="$2"),
        said("$4", root="$1"),
        said("$5", root="$unknown", answers="$a"),
        said("$6", answers="$unknown"),
        said("$7"),
    ]
    found = places(told, known)
    assert {event: found.get(EventId(event)) for event in ("$c", "$1", "$2", "$3", "$4", "$5", "$6", "$7")} == {
        "$c": "B",
        "$1": "A",
        "$2": "B",
        "$3": "B",
        "$4": "A",
        "$5": "A",
        "$6": None,
        "$7": None,
    }


names = st.sampled_from([f"${n}" for n in range(8)])
events = st.builds(said, names, root=st.just("") | names, answers=st.just("") | names)


@given(st.lists(events, max_size=20), st.dictionaries(names.map(EventId), st.sampled_from("AB"), max_size=4))
def test_nothing_moves_what_our_tables_know_and_nothing_is_placed_from_nowhere(
    told: list[Said], known: dict[EventId, str]
) -> None:
    found = places(told, known)
    assert {event: found[event] for event in known} == known
    assert set(found.values()) <= set(known.values())
    assert known or not found
