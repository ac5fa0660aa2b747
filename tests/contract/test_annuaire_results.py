"""Numbered results, counts, questions and direct rooms, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from colloque.clock import FrozenClock
from colloque.errors import BadInput
from colloque.identity import Adeli, EventId, RoomId, Rpps, UserId
from colloque_annuaire.finding.desk import Desk
from colloque_annuaire.rules.results import Listed
from colloque_annuaire.store.results import DirectRooms, Question, Results
from colloque_annuaire.store.tables import annuaire_upgrades
from tests.servers.databases import Opener

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY, NEXT = date(2026, 3, 2), date(2026, 3, 3)
ANNE, PAUL = UserId("@anne:h.test"), UserId("@paul:h.test")
ONE, TWO, THREE = Listed(Rpps("89900000017"), 1), Listed(Adeli("2A9300012")), Listed(Rpps("89900000025"))
E1, E2, E3 = EventId("$1"), EventId("$2"), EventId("$3")


async def database(opened: Opener):  # type: ignore[no-untyped-def]
    return await opened(annuaire_upgrades(), "colloque_annuaire")


@pytest.fixture
async def results(opened: Opener) -> Results:
    return Results(await database(opened))


@pytest.fixture
async def rooms(opened: Opener) -> DirectRooms:
    return DirectRooms(await database(opened))


async def test_numbers_go_on_all_day_and_begin_again_the_next(results: Results) -> None:
    assert await results.number(ANNE, DAY, E1, [ONE, TWO]) == [1, 2]
    assert await results.number(ANNE, DAY, E2, [THREE]) == [3]
    assert await results.number(PAUL, DAY, E3, [THREE]) == [1]
    assert await results.number(ANNE, NEXT, EventId("$4"), [TWO]) == [1]
    assert await results.get(ANNE, DAY, 2) == TWO
    assert await results.get(ANNE, NEXT, 1) == TWO
    assert await results.get(ANNE, DAY, 4) is None
    assert await results.get(PAUL, DAY, 2) is None


async def test_a_restart_never_gives_a_number_twice(opened: Opener) -> None:
    first = Results(await database(opened))
    assert await first.number(ANNE, DAY, E1, [ONE, TWO]) == [1, 2]
    again = Results(await database(opened))
    assert await again.number(ANNE, DAY, E1, [ONE, TWO]) == [1, 2], "the same page, heard again"
    assert await again.number(ANNE, DAY, E1, [ONE, THREE]) == [3, 4], "the directory was replaced meanwhile"
    assert await again.number(ANNE, DAY, E2, []) == []
    assert await again.get(ANNE, DAY, 2) == TWO


async def test_old_results_go_and_yesterdays_stay_a_while(results: Results) -> None:
    await results.number(ANNE, DAY, E1, [ONE])
    await results.number(ANNE, NEXT, E2, [ONE])
    assert await results.get(ANNE, DAY, 1) == ONE
    await results.ask(ANNE, Question(DAY, 1, NOW))
    await results.forget_old(NOW + timedelta(days=2))
    assert (await results.get(ANNE, DAY, 1), await results.question(ANNE)) == (ONE, Question(DAY, 1, NOW))
    await results.forget_old(NOW + timedelta(days=3))
    assert (await results.get(ANNE, DAY, 1), await results.question(ANNE)) == (None, None)
    assert await results.get(ANNE, NEXT, 1) == ONE


async def test_questions_count_once_an_event(results: Results) -> None:
    for event, minutes in ((E1, 0), (E1, 1), (E2, 2)):
        await results.count(ANNE, "search", event, NOW + timedelta(minutes=minutes))
    await results.count(PAUL, "search", E3, NOW)
    await results.count(ANNE, "other", EventId("$4"), NOW)
    assert await results.counted(ANNE, "search", NOW, but=EventId("$new")) == 2
    assert await results.counted(ANNE, "search", NOW, but=E2) == 1
    assert await results.counted(ANNE, "search", NOW + timedelta(seconds=1), but=EventId("$new")) == 1
    await results.forget_old(NOW + timedelta(days=2, seconds=1))
    assert await results.counted(ANNE, "search", NOW, but=EventId("$new")) == 1


async def test_one_question_at_a_time(results: Results) -> None:
    assert await results.question(ANNE) is None
    await results.ask(ANNE, Question(DAY, 3, NOW))
    await results.ask(ANNE, Question(NEXT, 4, NOW))
    assert await results.question(ANNE) == Question(NEXT, 4, NOW)
    assert await results.question(PAUL) is None
    await results.drop_question(ANNE)
    await results.drop_question(ANNE)
    assert await results.question(ANNE) is None


async def test_a_direct_room_comes_about(rooms: DirectRooms) -> None:
    begun = await rooms.begin("pair", ANNE, PAUL, NOW)
    assert await rooms.get("pair") == begun
    assert await rooms.unready() == [begun]
    assert (begun.room, begun.ready) == (None, False)
    await rooms.created(begun.mark, RoomId("!r"))
    await rooms.ready(begun.mark)
    found = await rooms.by_mark(begun.mark)
    assert found is not None
    assert (found.room, found.ready, found.asker, found.other) == ("!r", True, ANNE, PAUL)
    assert await rooms.unready() == []


async def test_a_new_room_of_the_same_two_takes_the_place_of_the_old(rooms: DirectRooms) -> None:
    old = await rooms.begin("pair", ANNE, PAUL, NOW)
    new = await rooms.begin("pair", PAUL, ANNE, NOW)
    assert new.mark != old.mark
    assert await rooms.by_mark(old.mark) is None
    await rooms.created(old.mark, RoomId("!late"))
    assert await rooms.get("pair") == new
    await rooms.forget(new.mark)
    assert await rooms.get("pair") is None


async def test_the_bridge_learns_whose_number_a_result_of_today_is(results: Results) -> None:
    clock = FrozenClock(NOW)
    nothing = cast("Any", None)  # only the numbers are asked here
    desk = Desk(nothing, nothing, nothing, results, clock)
    await results.number(ANNE, DAY, E1, [ONE, TWO])
    assert await desk.result(user=ANNE, n=1) == {"rpps": "89900000017", "homonyms": 1}
    assert await desk.result(user=ANNE, n=2) == {"adeli": "2A9300012", "homonyms": 0}
    assert await desk.result(user=ANNE, n=3) == {}
    assert await desk.result(user=PAUL, n=1) == {}
    clock.advance(days=1)
    assert await desk.result(user=ANNE, n=1) == {}
    with pytest.raises(BadInput):
        await desk.result(user=ANNE, n="1")  # type: ignore[arg-type]
