"""Absence from the directory, over any sequence of directories."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.policy.presence import Grace, Presence, Sight, State, Step, Turn, Word, look, too_many

GRACE = 7
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def seen(day: int, *, listed: bool = False, fresh: bool = True, word: Word = Word.NONE, hour: int = 0) -> Sight:
    return Sight(NOON + timedelta(days=day, hours=hour), fresh, listed, word)


def after(*sights: Sight, grace: int = GRACE) -> list[Step]:
    steps, at = [], Presence()
    for sight in sights:
        steps.append(look(at, sight, Grace(3, grace)))
        at = steps[-1].after
    return steps


def turns(*sights: Sight) -> list[Turn]:
    return [step.turn for step in after(*sights)]


def test_seven_days_of_fresh_directories_end_an_attestation_and_six_do_not() -> None:
    week = [seen(n) for n in range(8)]
    assert turns(*week) == [Turn.MISSING, Turn.NONE, Turn.NONE, Turn.FROZEN, *[Turn.NONE] * 3, Turn.GONE]
    assert [step.after.days for step in after(*week)] == list(range(8))
    assert after(*week)[0].after.since == week[0].made_at


def test_a_stall_of_ten_days_costs_nobody_more_than_the_day_of_the_new_directory() -> None:
    steps = after(seen(0), seen(1), seen(11))
    assert steps[-1].after.days == 2
    assert steps[-1].turn is Turn.NONE


def test_the_same_day_counts_once_whatever_is_imported_again() -> None:
    again = [seen(1, hour=h) for h in (0, 3, 6)]
    assert after(seen(0), *again, seen(1), seen(0), seen(-5))[-1].after.days == 1


def test_days_are_those_of_paris() -> None:
    """23:30 UTC on 2 March is already the 3rd in Paris."""
    evening = Sight(datetime(2026, 3, 2, 23, 30, tzinfo=UTC), fresh=True, listed=False)
    assert look(Presence(), evening, Grace(3, GRACE)).after.counted == date(2026, 3, 3)


def test_what_is_not_fresh_proves_no_absence_and_does_not_move_a_grace() -> None:
    assert turns(seen(0, fresh=False)) == [Turn.NONE]
    assert after(seen(0), *(seen(n, fresh=False) for n in range(1, 60)))[-1].after.days == 0


@pytest.mark.parametrize("fresh", [True, False])
def test_whoever_is_listed_again_has_lost_nothing(fresh: bool) -> None:
    steps = after(seen(0), seen(1), seen(2, listed=True, fresh=fresh), seen(3))
    assert [s.turn for s in steps] == [Turn.MISSING, Turn.NONE, Turn.BACK, Turn.MISSING]
    assert steps[2].after == Presence()
    assert steps[3].after.days == 0


def test_after_the_end_only_a_listing_counts() -> None:
    gone = [seen(n) for n in range(8)]
    assert turns(*gone, seen(9), seen(10, word=Word.ACTIVE), seen(11, listed=True))[-3:] == [
        Turn.NONE,
        Turn.NONE,
        Turn.RETURNED,
    ]


def test_fhir_settles_a_doubt_as_long_as_it_answers() -> None:
    active = [seen(n, word=Word.ACTIVE) for n in range(30)]
    assert turns(*active) == [Turn.DOUBTED, *[Turn.NONE] * 29]
    then = after(*active, seen(30))[-1]
    assert (then.turn, then.after.days) == (Turn.MISSING, 0)


def test_fhir_restores_somebody_in_their_grace_even_during_a_stall() -> None:
    assert turns(seen(0), seen(1), seen(1, fresh=False, word=Word.ACTIVE)) == [Turn.MISSING, Turn.NONE, Turn.BACK]


def test_active_false_is_handed_on_once_at_its_second_day() -> None:
    inactive = [seen(0, word=Word.INACTIVE), seen(0, word=Word.INACTIVE, hour=2)]
    steps = after(*inactive, seen(1, word=Word.INACTIVE), seen(2, word=Word.INACTIVE))
    assert [s.handed_on for s in steps] == [False, False, True, False]
    assert [s.after.inactive for s in steps] == [1, 1, 2, 2]
    assert steps[-1].after.state is State.MISSING


def test_one_word_of_activity_undoes_what_inactivity_was_noted() -> None:
    steps = after(seen(0, word=Word.INACTIVE), seen(1, word=Word.ACTIVE), seen(2, word=Word.INACTIVE))
    assert not any(s.handed_on for s in steps)


sights = st.builds(
    seen,
    st.integers(-3, 25),
    listed=st.sampled_from([False, False, False, True]),
    fresh=st.sampled_from([True, True, False]),
    word=st.sampled_from([Word.NONE, Word.NONE, Word.NONE, Word.INACTIVE, Word.ACTIVE]),
    hour=st.integers(-12, 11),
)


@given(st.lists(sights, max_size=60), st.integers(1, 7))
def test_nobody_is_gone_without_the_whole_grace_of_fresh_absences(history: list[Sight], grace: int) -> None:
    """Whatever comes in whatever order: before each end stand grace + 1 distinct days that lacked the person."""
    at, days = Presence(), set()
    for sight in history:
        step = look(at, sight, Grace(3, grace))
        if sight.listed or (sight.word is Word.ACTIVE and at.state is not State.GONE):
            days.clear()
        elif sight.fresh:
            days.add(sight.made_at.date())
        if step.turn is Turn.GONE:
            assert len(days) > grace
        at = step.after


@given(st.lists(sights, max_size=30), st.lists(st.integers(-30, 400), max_size=60))
def test_a_stall_of_any_length_ends_nobody(before: list[Sight], looks: list[int]) -> None:
    """However often, and under whatever clock, one and the same directory is looked at."""
    at = after(*before)[-1].after if before else Presence()
    last = before[-1] if before else seen(0)
    at = look(at, last, Grace(3, GRACE)).after
    for _ in looks:
        step = look(at, last, Grace(3, GRACE))
        assert step.turn is Turn.NONE
        assert step.after == at


@given(st.lists(sights, max_size=40))
def test_looking_twice_changes_nothing_more(history: list[Sight]) -> None:
    at = Presence()
    for sight in history:
        at = look(at, sight, Grace(3, GRACE)).after
        again = look(at, sight, Grace(3, GRACE))
        assert (again.after, again.turn, again.handed_on) == (at, Turn.NONE, False)


@pytest.mark.parametrize(
    ("missing", "attested", "answer"),
    [(0, 0, False), (2, 3, False), (3, 3, True), (3, 59, True), (3, 60, False), (50, 1000, False), (51, 1000, True)],
)
def test_a_directory_that_lacks_too_many_is_not_believed(missing: int, attested: int, answer: bool) -> None:
    assert too_many(missing, attested) is answer
