"""Rounds over conversations of two people, and groups, what their people read; on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import UserId
from colloque.rooms.direct import End, Purge
from colloque.rooms.mark import RoomKind
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.talks.rounds import MANY
from colloque_salles.texts import direct as says
from tests.servers.databases import Opener
from tests.servers.salles_direct import ANNE, ANNUAIRE, BOB, DAY, KEEP, THEIRS, Talks


@pytest.fixture
async def talks(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Talks:
    made = Talks(tmp_path, await opened(salles_upgrades()), clock)
    await made.live_here(ANNE, BOB)
    return made


async def test_old_messages_go_a_day_after_they_are_old(talks: Talks) -> None:
    room = talks.talk()
    old = talks.say(room)
    await talks.days(60)
    young = talks.say(room)
    await talks.days(91)
    assert talks.erasing.begun == [], "old since this day only"
    await talks.day(92)
    assert talks.erasing.begun == [(room, Purge((old,), young))]
    assert talks.home.said == [], "they read it at the opening"


async def test_a_conversation_that_is_over_goes_whole(talks: Talks) -> None:
    room = talks.talk()
    last = talks.server.kept[room].said[0].at
    await talks.day(0)
    assert await talks.directs.known() == {room}
    talks.clock.advance(days=2)
    talks.say(room)
    last = talks.clock.now()
    await talks.days(94)
    assert [what for _, what in talks.erasing.begun] == [End(1, last)]


async def test_a_clock_that_jumps_and_is_put_right_erases_nothing(talks: Talks) -> None:
    room = talks.talk()
    talks.say(room)
    await talks.days(10)
    await talks.day(1000)
    assert talks.erasing.begun == [], "the round goes by the one before"
    await talks.day(11)
    await talks.days(60)
    assert talks.erasing.begun == []
    await talks.days(92)
    assert [room for room, _ in talks.erasing.begun][:1] == [room]


async def test_after_weeks_off_only_what_was_old_before_goes_first(talks: Talks) -> None:
    room = talks.talk()
    first = talks.say(room)
    await talks.days(1)
    talks.clock.advance(days=4)
    second = talks.say(room)
    talks.clock.advance(days=80)
    third = talks.say(room)
    await talks.days(90)
    await talks.day(100)
    assert [what for _, what in talks.erasing.begun] == [], "what was old on day 90: nothing"
    await talks.day(101)
    assert talks.erasing.begun == [(room, Purge((first, second), third))]


async def test_many_at_once_wait_for_an_administrator(talks: Talks) -> None:
    rooms = [talks.talk(f"t{number}") for number in range(6)]
    await talks.days(92)
    assert talks.erasing.begun == []
    assert await talks.incidents.current() == [MANY]
    await talks.day(92.5)
    assert talks.erasing.begun == []
    assert await talks.row.allow_many(talks.clock.now()) == 6
    assert await talks.row.allow_many(talks.clock.now()) == 0
    await talks.look()
    assert [room for room, _ in talks.erasing.begun] == rooms
    assert await talks.incidents.current() == []
    # What falls due later is not meant by that word.
    talks.server.kept.clear()
    await talks.look()
    for number in range(6):
        talks.talk(f"u{number}")
    talks.erasing.begun.clear()
    await talks.days(192)
    assert talks.erasing.begun == []
    assert await talks.incidents.current() == [MANY]


async def test_who_has_not_read_it_is_told_and_has_the_whole_time_from_then(talks: Talks) -> None:
    """Conversations of before; one of another server's bot, whose promise is not ours."""
    room = talks.talk(keep_s=None)
    talks.say(room)
    other = talks.talk("o", maker=THEIRS)
    talks.clock.advance(days=200)
    await talks.days(200)
    [told] = talks.read_by(ANNE)
    assert "2 de vos conversations" in told
    assert "au bout de 90 jours" in told
    assert len(talks.read_by(BOB)) == 1
    await talks.days(290)
    assert talks.erasing.begun == []
    await talks.days(292)
    assert {each for each, _ in talks.erasing.begun} == {room, other}
    assert len(talks.read_by(ANNE)) == 1


async def test_another_length_is_told_before_it_holds(talks: Talks) -> None:
    room = talks.talk()
    talks.say(room)
    await talks.days(50)
    talks.open(30 * DAY)
    await talks.days(80)
    assert "au bout de 30 jours" in talks.read_by(BOB)[0]
    assert talks.erasing.begun == []
    await talks.day(81)
    assert len(talks.erasing.begun) == 1


async def test_a_telling_that_was_cut_off_is_done_again_and_read_once(talks: Talks) -> None:
    talks.talk(keep_s=None)
    talks.home.errors = [HomeUnavailable("away")]
    await talks.day(0)
    assert talks.home.said == []
    assert await talks.directs.all() == []
    await talks.look()
    await talks.look()
    assert (len(talks.read_by(ANNE)), len(talks.read_by(BOB))) == (1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"maker": UserId("@mss_x:h.test"), "marker": UserId("@mss_x:h.test")},
        {"maker": UserId("@salles:h.test"), "marker": ANNUAIRE},
        {"marker": ANNE},
        {"maker": UserId("@annuaire:elsewhere.test"), "marker": UserId("@annuaire:elsewhere.test")},
        {"kind": RoomKind.PATIENT},
        {"kind": RoomKind.HOME},
        {"members": {ANNE: "join", BOB: "invite", ANNUAIRE: "join"}},
    ],
)
async def test_only_what_a_bot_that_we_believe_made_and_left_is_followed(
    talks: Talks, changes: dict[str, object]
) -> None:
    room = talks.talk()
    for name, value in changes.items():
        setattr(talks.server.kept[room], name, value)
    await talks.day(0)
    assert await talks.directs.known() == set()
    assert await talks.typed(ANNE, "!echanges") == says.NONE


async def test_rooms_that_are_none_are_asked_about_once(talks: Talks) -> None:
    talks.talk(kind=RoomKind.HOME)
    await talks.days(5)
    assert talks.server.asked == 1


async def test_a_room_that_somebody_else_deleted_is_forgotten(talks: Talks) -> None:
    room = talks.talk()
    await talks.day(0)
    del talks.server.kept[room]
    await talks.day(1)
    assert await talks.directs.known() == set()


async def test_a_round_that_breaks_off_is_made_again_by_the_same_time(talks: Talks) -> None:
    one, two = talks.talk("one"), talks.talk("two")
    await talks.days(91)
    talks.erasing.errors = [HomeUnavailable("away")]
    await talks.day(92)
    assert talks.erasing.begun == []
    await talks.look()
    assert {room for room, _ in talks.erasing.begun} == {one, two}


# groups


async def test_a_room_that_people_made_themselves_ends_too(talks: Talks) -> None:
    """Whatever mark they put on it: they are told, and have the whole time from then on."""
    room = talks.talk(
        "g", maker=ANNE, marker=ANNE, kind=RoomKind.PATIENT, keep_s=5, members={ANNE: "join", BOB: "join"}
    )
    old = talks.say(room)
    await talks.days(40)
    assert "au bout de 90 jours" in talks.read_by(BOB)[0]
    assert len(talks.read_by(ANNE)) == 1
    young = talks.say(room)
    await talks.days(92)
    assert talks.erasing.begun == [(room, Purge((old,), young))]
    [found] = await talks.directs.all()
    assert (found.group, found.keep) == (True, KEEP)


async def test_who_comes_into_a_group_reads_it_once(talks: Talks) -> None:
    room = talks.talk("g", maker=ANNE, marker=ANNE, members={ANNE: "join"})
    await talks.days(5)
    talks.server.kept[room].members[BOB] = "invite"
    await talks.days(8)
    [told] = talks.read_by(BOB)
    assert "au bout de 90 jours" in told
    assert room in told
    talks.server.kept[room].members[ANNE] = "leave"
    talks.server.kept[room].members[BOB] = "join"
    await talks.days(10)
    assert (len(talks.read_by(BOB)), len(talks.read_by(ANNE))) == (1, 1)
    assert [each.members for each in await talks.directs.all()] == [(BOB,)]
    assert says.NOBODY_ELSE in await talks.typed(BOB, "!echanges")


async def test_a_space_is_no_group(talks: Talks) -> None:
    talks.talk("g", maker=ANNE, marker=ANNE, type="m.space")
    await talks.days(3)
    assert await talks.directs.known() == set()


async def test_what_no_person_made_is_no_group(talks: Talks) -> None:
    """A room of a service's account, or of somebody who has no home room."""
    talks.talk("s", maker=UserId("@salles-admin:h.test"), marker=ANNE)
    await talks.days(3)
    assert await talks.directs.known() == set()
