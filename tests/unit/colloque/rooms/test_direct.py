"""What goes of a conversation of two people, by value; and the promises, by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.direct import DirectRoom, End, Purge, Said, base_of, cut_of, is_astray, plan

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ROOM = DirectRoom(
    room=RoomId("!d"),
    members=(UserId("@a:h.test"), UserId("@b:h.test")),
    opened_at=START,
    keep=90 * DAY,
    promised_at=START,
)


def at(day: float, *, lasting: bool = False) -> Said:
    return Said(EventId(f"$d{day}{'s' if lasting else ''}"), START + day * DAY, lasting)


CREATED = at(0, lasting=True)


@pytest.mark.parametrize(
    ("history", "cut_day", "what"),
    [
        ([CREATED], -1, None),
        ([CREATED], 1, End(0, START)),
        ([CREATED, at(2)], 2, None),
        ([CREATED, at(2)], 3, End(1, START + 2 * DAY)),
        ([CREATED, at(2), at(5), at(9, lasting=True)], 6, End(2, START + 5 * DAY)),
        ([CREATED, at(2), at(7)], 6, Purge((at(2).event,), at(7).event)),
        ([CREATED, at(7), at(2)], 6, None),  # old, but behind a young one in the server's order
        ([CREATED, at(1), at(7), at(2)], 6, Purge((at(1).event,), at(7).event)),
        ([CREATED, at(8, lasting=True), at(7)], 6, None),
    ],
)
def test_what_goes(history: list[Said], cut_day: float, what: End | Purge | None) -> None:
    assert plan(ROOM, history, START + cut_day * DAY) == what


@pytest.mark.parametrize(
    ("room", "base", "now", "cut"),
    [
        (ROOM, 89, 90, None),
        (ROOM, 90, 91, 0),
        (ROOM, 200, 201, 110),
        (replace(ROOM, promised_at=START + 50 * DAY), 139, 140, None),
        (replace(ROOM, promised_at=START + 50 * DAY), 140, 141, 50),
        (replace(ROOM, held_until=START + 150 * DAY), 149, 149, None),
        (replace(ROOM, held_until=START + 150 * DAY), 156, 157, None),
        (replace(ROOM, held_until=START + 150 * DAY), 157, 158, 67),
        (replace(ROOM, held_until=START + 150 * DAY), 300, 149, None),  # the clock was put back
    ],
)
def test_from_when_on(room: DirectRoom, base: float, now: float, cut: float | None) -> None:
    wanted = None if cut is None else START + cut * DAY
    assert cut_of(room, START + base * DAY, START + now * DAY, 7 * DAY) == wanted


@pytest.mark.parametrize(("previous", "now", "base"), [(0, 0.9, None), (0, 1, 0), (0, 30, 0), (5, 4, None)])
def test_a_round_goes_by_the_one_before(previous: float, now: float, base: float | None) -> None:
    before = START + previous * DAY
    assert base_of(before, START + now * DAY, DAY) == (None if base is None else START + base * DAY)
    assert is_astray(before, START + now * DAY) is (previous > now)


days = st.floats(min_value=0, max_value=300, allow_nan=False)
events = st.lists(st.tuples(days, st.booleans()), max_size=30)


@given(events, days)
def test_no_young_message_ever_goes_and_no_old_one_stays_before_it(
    history: list[tuple[float, bool]], day: float
) -> None:
    said = [Said(EventId(f"${n}"), START + d * DAY, lasting) for n, (d, lasting) in enumerate(history)]
    cut = START + day * DAY
    order = {each.event: n for n, each in enumerate(said)}
    young = [each for each in said if not each.lasting and each.at >= cut]
    match plan(ROOM, said, cut):
        case Purge(events=gone, upto=upto):
            assert upto == young[0].event
            assert all(order[event] < order[upto] for event in gone)
            assert all(said[order[event]].at < cut and not said[order[event]].lasting for event in gone)
            assert len(gone) == sum(not each.lasting for each in said[: order[upto]])
        case End(messages=count, last=last):
            assert not young
            assert count == sum(not each.lasting for each in said)
            assert last < cut
        case None:
            assert young or cut <= START


@given(
    st.lists(
        st.tuples(st.floats(min_value=0.01, max_value=2), st.sampled_from([0.0] * 12 + [40.0, -40.0])), max_size=60
    ),
    st.floats(min_value=1, max_value=20),
)
def test_a_clock_that_is_wrong_for_less_than_a_round_erases_nothing_young(
    ticks: list[tuple[float, float]], keep: float
) -> None:
    """The true time and a clock that is wrong for one look now and then: what is erased is truly old."""
    room = replace(ROOM, keep=keep * DAY)
    last: datetime | None = None
    true, before = START, 0.0
    for step, jump in ticks:
        error = jump if before == 0 else 0.0
        before = error
        true += step * DAY
        now = true + error * DAY
        if last is None or is_astray(last, now):
            last = now
            continue
        base = base_of(last, now, DAY)
        if base is None:
            continue
        cut = cut_of(room, base, now, DAY)
        if cut is not None:
            assert cut <= true - room.keep
        last = now
