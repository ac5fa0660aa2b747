"""`!echanges`: holds of conversations, each one's own; what is kept of them; on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.identity import RoomId
from colloque_salles.store.life import Hold
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.texts import direct as says
from tests.servers.databases import Opener
from tests.servers.salles_direct import ANNE, BOB, DAY, EVE, KEEP, THEIRS, Talks


@pytest.fixture
async def talks(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Talks:
    made = Talks(tmp_path, await opened(salles_upgrades()), clock)
    await made.live_here(ANNE, BOB)
    return made


async def test_a_hold_keeps_everything_and_says_neither_why_nor_to_whom_else(talks: Talks) -> None:
    room = talks.talk()
    talks.say(room)
    listed = await talks.typed(ANNE, "!echanges")
    assert "1. Bob MERLE → messages effacés au bout de 90 jours" in listed
    assert await talks.typed(ANNE, "!echanges suspendre-effacement") == says.which(says.HOLD_EXAMPLE)
    assert await talks.typed(ANNE, "!echanges suspendre-effacement 2 expertise") == says.which(says.HOLD_EXAMPLE)
    assert await talks.typed(ANNE, "!echanges suspendre-effacement 1") == says.WHY
    await talks.days(80)
    said = await talks.typed(ANNE, "!echanges suspendre-effacement 1 expertise du dossier")
    assert "Bob MERLE" in said
    hold = await talks.directs.held(room, ANNE)
    assert hold is not None
    assert hold.reason == "expertise du dossier"
    assert not any("expertise" in words for words in [said, *talks.home.said])
    assert ["Anne PIN" in words for words in talks.read_by(BOB)] == [True]
    assert "expertise" not in (talks.tmp / "journal.jsonl").read_text()
    assert "effacement suspendu jusqu'au" in await talks.typed(BOB, "!echanges")
    assert await talks.typed(BOB, "!echanges reprendre-effacement 1") == says.NOT_YOURS
    await talks.days(162)
    assert len(talks.read_by(ANNE)) == 0, "not announced yet"
    await talks.days(163)
    assert "prend fin le" in talks.read_by(ANNE)[0]
    await talks.days(170)
    assert "a pris fin" in talks.read_by(ANNE)[1]
    assert await talks.directs.holds() == [], "the reason is gone with it"
    await talks.days(177)
    assert talks.erasing.begun == [], "the notice runs after a hold"
    await talks.days(178)
    assert len(talks.erasing.begun) == 1


async def test_each_holds_for_themselves(talks: Talks) -> None:
    room = talks.talk()
    await talks.days(10)
    await talks.typed(ANNE, "!echanges suspendre-effacement 1 un motif")
    await talks.days(20)
    await talks.typed(BOB, "!talks hold 1 un autre")
    assert "reprend" in await talks.typed(ANNE, "!talks resume 1")
    found = await talks.directs.get(room)
    assert found is not None
    assert found.held_until == talks.begin + 110 * DAY
    await talks.days(117)
    assert talks.erasing.begun == []
    await talks.days(119)
    assert len(talks.erasing.begun) == 1


async def test_a_hold_that_was_lifted_leaves_the_notice(talks: Talks) -> None:
    talks.talk()
    await talks.days(85)
    await talks.typed(ANNE, "!echanges suspendre-effacement 1 motif")
    await talks.days(100)
    assert f"avant le {talks.begin + 107 * DAY:%d/%m/%Y}" in await talks.typed(ANNE, "!echanges reprendre-effacement 1")
    await talks.days(107)
    assert talks.erasing.begun == []
    await talks.days(108)
    assert len(talks.erasing.begun) == 1
    assert await talks.typed(ANNE, "!echanges reprendre-effacement 1") == says.NOT_HELD


async def test_numbers_stay_with_their_conversations(talks: Talks) -> None:
    first, second = talks.talk("a"), talks.talk("b")
    await talks.days(0)
    assert await talks.directs.numbered(ANNE) == {1: first, 2: second}
    await talks.jobs.start(first, {"files": []})
    assert await talks.directs.numbered(ANNE) == {2: second}, "one that is being erased can't be held"
    await talks.jobs.forget(first)
    del talks.server.kept[first]
    third = talks.talk("c")
    await talks.typed(ANNE, "!echanges")
    assert await talks.directs.numbered(ANNE) == {2: second, 3: third}
    assert await talks.directs.known() == {second, third}


async def test_what_is_kept_of_a_room_goes_with_it(talks: Talks) -> None:
    room = talks.talk()
    await talks.day(0)
    await talks.typed(ANNE, "!echanges")
    now = talks.clock.now()
    await talks.directs.hold(Hold(room, ANNE, now, now + DAY, "motif"))
    await talks.jobs.start(room, {"files": []})
    await talks.jobs.forget(room)
    assert await talks.directs.known() == set()
    assert await talks.directs.holds() == []
    assert await talks.db.fetchval("SELECT COUNT(*) FROM direct_number") == 0


async def test_a_job_about_messages_is_begun_once_and_stopped_whole(talks: Talks) -> None:
    job = RoomId("purge-1234567890abcdef")
    await talks.jobs.start(job, {"files": [], "n": 1}, step="purge", events=[talks.say(talks.talk())])
    await talks.jobs.start(job, {"files": [], "n": 2}, step="purge", events=[])
    [row] = await talks.jobs.under_way()
    assert (row.step, row.manifest["n"]) == ("purge", 1)
    assert len(await talks.jobs.events(job)) == 1
    await talks.jobs.stop(job)
    assert await talks.jobs.under_way() == []
    assert await talks.jobs.events(job) == []


async def test_the_other_servers_person_is_not_told_by_us(talks: Talks) -> None:
    talks.talk(maker=THEIRS)
    await talks.day(0)
    assert len(talks.home.sent) == 1
    assert "quelqu" not in talks.home.said[0]
    assert says.SOMEBODY in await talks.typed(ANNE, "!echanges")
    assert EVE in (await talks.directs.all())[0].members
    assert (await talks.directs.all())[0].keep == KEEP
    assert timedelta(0) == (await talks.directs.all())[0].promised_at - talks.clock.now()
