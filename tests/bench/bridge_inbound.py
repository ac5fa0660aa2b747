"""Sustained inbound: mails of 2 kB over 8 mailboxes, against bare encrypted sends of the same ghosts in the same rooms.

Both arms are the time from the first to the last event that Synapse took, by its own clock, in turn. The mails
stand in their mailboxes before the bridge, stopped meanwhile (SIGSTOP), goes on: their delivery is not measured.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics

from colloque.matrix.api import JsonDict
from tests.bench.bridge_desk import Desk, Reader, desk
from tests.bench.paired import compare
from tests.bench.result import Goal, Result, result
from tests.soak.bridge_world import members
from tests.waiting import until

BOXES = 8
MAILS = 10
"""A box and batch."""
ROUNDS = 5
GOAL = Goal(1 / 0.85)


async def inbound() -> Result:
    """Ratio of times for as many events, ours to the peer's: 1/0.85 where the rate is 0.85 of the peer's."""
    async with desk() as found:
        people = members(found.world.cast)[:BOXES]
        readers = [await found.reader(person) for person in people]
        await asyncio.gather(*(found.mail(person, 0) for person in people))
        likes = [await reader.after(0) for reader in readers]
        await _ours(found, readers)
        await _peer(found, readers, likes)
        pairs = []
        for turn in range(ROUNDS):
            if turn % 2:
                theirs = await _peer(found, readers, likes)
                pairs.append((await _ours(found, readers), theirs))
            else:
                mine = await _ours(found, readers)
                pairs.append((mine, await _peer(found, readers, likes)))
    measured = compare(pairs, 1)
    ours, peer = (BOXES * MAILS / statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"bridge-inbound: {ours:.1f} mails a second, bare sends {peer:.1f}; load {os.getloadavg()[0]:.1f}")
    return result(
        "bridge-inbound",
        measured.ratio,
        "time a mail, ours / peer",
        GOAL,
        peer="bare encrypted sends of the same ghosts, 8 rooms at once, same server",
        interval=(measured.low, measured.high),
    )


async def _ours(found: Desk, readers: list[Reader]) -> float:
    people = members(found.world.cast)[:BOXES]
    had = [len(reader.events) for reader in readers]
    os.kill(found.world.bridge_pid, signal.SIGSTOP)
    try:
        for number in range(MAILS):
            await asyncio.gather(*(found.mail(person, number) for person in people))
    finally:
        os.kill(found.world.bridge_pid, signal.SIGCONT)
    return await _span(readers, had)


async def _peer(found: Desk, readers: list[Reader], likes: list[JsonDict]) -> float:
    had = [len(reader.events) for reader in readers]

    async def one_room(like: JsonDict) -> None:
        for _ in range(MAILS):
            await found.bare(like)

    await asyncio.gather(*map(one_room, likes))
    return await _span(readers, had)


async def _span(readers: list[Reader], had: list[int]) -> float:
    """Seconds from the first to the last of the batch's events, by the server's own clock."""

    async def all_came() -> bool:
        return all(len(reader.events) >= count + MAILS for reader, count in zip(readers, had, strict=True))

    await until(all_came, "every event in sync", within=180)
    stamps = [
        event["origin_server_ts"]
        for reader, count in zip(readers, had, strict=True)
        for event in reader.events[count : count + MAILS]
    ]
    return float(max(stamps) - min(stamps)) / 1000
