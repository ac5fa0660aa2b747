"""What stays unread leaves as mail: to where, and only once all was heard that its writer had done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from colloque_mssante.mapping import drafts as states
from tests.unit.mssante.test_store import ANNE, BRUNO, ROOM, db
from tests.unit.mssante.test_talk import OTHER_TARGET, TARGET, Bench, bench, said

__all__ = ["bench", "db"]


async def test_nothing_unread_leaves_before_all_was_heard(bench: Bench) -> None:
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    bench.clock.advance(hours=1)
    bench.deaf = True
    await bench.talk.once()
    assert await bench.live() == []
    assert await bench.talk.hear(said("$r", ANNE, {"redacts": "$1"}, "m.room.redaction"))
    bench.deaf = False
    await bench.talk.once()
    assert await bench.live() == []


async def test_what_is_withdrawn_while_it_waits_for_its_turn_does_not_leave(bench: Bench) -> None:
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    bench.clock.advance(hours=1)
    async with bench.talk._locks[ROOM]:  # a mail of that room is being made
        withdrawn = asyncio.create_task(bench.talk.hear(said("$r", ANNE, {"redacts": "$1"}, "m.room.redaction")))
        await asyncio.sleep(0)
        leaves = asyncio.create_task(bench.talk.once())
        await asyncio.wait([withdrawn, leaves], timeout=0.2)
    await asyncio.gather(withdrawn, leaves)
    assert await bench.live() == []


async def test_where_two_addresses_are_possible_the_writer_is_asked(bench: Bench) -> None:
    bench.where.new = (TARGET, OTHER_TARGET)
    for user in (ANNE, BRUNO):
        await bench.guests.choose(ROOM, user, timedelta(hours=1))
    await bench.talk.hear(said("$1", ANNE, "un"))
    bench.clock.advance(hours=1)
    await bench.talk.once()
    assert [draft.state for draft in await bench.live()] == [states.ASKING]
