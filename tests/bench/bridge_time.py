"""The bridge's own time in either direction, against a bare send of an encrypted event on the same server.

In: from the notification read from Dovecot to the event in the reader's sync. Out: from the message heard to Postfix's
250 for the mail. The peer: from a bare send's request to its event in the same sync. One after the other, in turn.
"""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence

from colloque.clock import monotonic
from colloque_demo.clinician import Clinician
from tests.bench.bridge_desk import Desk, Reader, desk
from tests.bench.result import Goal, Result, result
from tests.soak.bridge_world import members
from tests.waiting import until

ROUNDS = 40
WARM = 5
GOAL = Goal(3.0)
RESAMPLES = 2000
SEED = 20260302
PEER = "bare encrypted send of a ghost, request to sync, same server"


async def inward() -> Result:
    """A mail comes in."""
    async with desk() as found:
        person = members(found.world.cast)[0]
        reader = await found.reader(person)
        await found.mail(person, 0)
        await reader.after(0)

        async def once(number: int) -> tuple[float, float]:
            had, told = len(reader.events), len(found.times("notified"))
            began = monotonic()
            await found.mail(person, number)
            arrived = reader.came[(await reader.after(had))["event_id"]]
            noted = next(at for at in found.times("notified")[told:] if at > began)
            return arrived - noted, arrived - began

        return await _measure("bridge-time", found, reader, once)


async def outward() -> Result:
    """A message goes out."""
    async with desk() as found:
        person = members(found.world.cast)[0]
        folder = found.folder / "clinician"
        folder.mkdir()
        author = await Clinician.login(found.session, found.world.url, person, folder)
        found.stack.push_async_callback(author.close)
        reader = await found.reader(person)
        await found.mail(person, 0)
        _, hello = await author.hear(lambda m: "Compte rendu 0" in m.body, "the mail")

        async def once(number: int) -> tuple[float, float]:
            heard, taken = len(found.times("heard")), len(found.times("taken"))
            began = monotonic()
            await author.say(hello.room, f"Réponse {number}", reply_to=hello.event)

            async def left() -> bool:
                return len(found.times("taken")) > taken and len(found.times("heard")) > heard

            await until(left, "the operator's 250")
            end = found.times("taken")[taken]
            return end - found.times("heard")[heard], end - began

        return await _measure("bridge-time-out", found, reader, once)


async def _measure(
    name: str, found: Desk, reader: Reader, once: Callable[[int], Awaitable[tuple[float, float]]]
) -> Result:
    like = reader.events[-1]
    rows = []
    for number in range(1, ROUNDS + WARM + 1):
        own, whole = await once(number)
        began = monotonic()
        event = await found.bare(like)

        async def came(event: str = event) -> bool:
            return event in reader.came

        await until(came, "the bare event in sync")
        rows.append((own, reader.came[event] - began, whole))
    rows = rows[WARM:]
    own_ms, peer_ms, whole_ms = (statistics.median(row[at] for row in rows) * 1000 for at in range(3))
    ratio, low, high = _of_medians([(row[0], row[1]) for row in rows])
    print(
        f"{name}: own p50 {own_ms:.0f} ms, bare send {peer_ms:.0f} ms, "
        f"whole way {whole_ms:.0f} ms; load {os.getloadavg()[0]:.1f}"
    )
    return result(name, ratio, "p50, ours / peer", GOAL, peer=PEER, interval=(low, high))


def _of_medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Ratio of the medians, with its 95 % percentile bootstrap interval over the pairs."""

    def ratio(some: Sequence[tuple[float, float]]) -> float:
        return statistics.median(a for a, _ in some) / statistics.median(b for _, b in some)

    draw = random.Random(SEED)
    resampled = [ratio(draw.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES)]
    cuts = statistics.quantiles(resampled, n=40, method="inclusive")
    return ratio(pairs), cuts[0], cuts[-1]
