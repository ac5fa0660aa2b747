"""What the module inside Synapse costs: a send, a decision, memory.

Two homeservers with the same data, one with the module and one without; a third has in its place a module whose
`check_event_allowed` does nothing. The national numbers: 25,000 people here, 100,000 of other servers.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colloque.book import AttestationBook
from colloque.clock import SystemClock, monotonic
from colloque.identity import UserId
from colloque.policy.admission import Allowed, may_invite
from colloque.synapse.accounts import Accounts
from colloque.synapse.settings import Settings
from tests.bench.module_arms import KEY, SERVER, Arm, arms, publish
from tests.bench.paired import alternate, compare
from tests.bench.result import Goal, Result, result

DECISIONS = 200_000
ROUNDS = 5
SINGLE = 2_000
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Singles:
    """Single sends, ours and the peer's in turn: pairs of processor times of the server, and of wall times, in ms."""

    cost: list[tuple[float, float]]
    wall: list[tuple[float, float]]


async def _in_turn(ours: Arm, peer: Arm) -> Singles:
    """One send here, one there, and so on: whatever drifts on the machine meets both."""
    found = Singles([], [])
    for number in range(-WARM_UP, SINGLE):
        took = {}
        for arm in (ours, peer) if number % 2 else (peer, ours):
            begun, before = monotonic(), _run_ns(arm.pid)
            await arm.send(number)
            took[arm] = (_run_ns(arm.pid) - before) / 1e6, (monotonic() - begun) * 1000
        if number >= 0:
            found.cost.append((took[ours][0], took[peer][0]))
            found.wall.append((took[ours][1], took[peer][1]))
    return found


def send(members: int) -> Callable[[], Awaitable[Result]]:
    """Processor time of Synapse a message, the module on against off."""

    async def run() -> Result:
        async with arms(members, "with", "without") as (ours, bare):
            found = compare((await _in_turn(ours, bare)).cost, 1)
        # `compare` takes seconds and tells milliseconds.
        print(f"{members} members: {found.ours_ms / 1000:.2f} ms a message, without {found.peer_ms / 1000:.2f} ms")
        return result(
            f"module-send-{members}",
            found.ratio,
            "server CPU per send, on / off",
            Goal(1.03),
            peer="the same Synapse, same data, without the module",
            interval=(found.low, found.high),
        )

    return run


async def added() -> Result:
    """How much one message costs more in a room of 400: medians of single sends, in processor time.

    Wall time is printed beside it: on a shared machine its median moves more than what is looked for.
    """
    async with arms(400, "with", "without") as (ours, bare):
        found = await _in_turn(ours, bare)
    cost, wall = (
        [statistics.median(pair[which] for pair in pairs) for which in (0, 1)] for pairs in (found.cost, found.wall)
    )
    print(
        f"processor: {cost[0]:.2f} ms with, {cost[1]:.2f} without; wall: {wall[0]:.2f} ms with, {wall[1]:.2f} without"
    )
    return result(
        "module-added-ms-400",
        cost[0] - cost[1],
        "ms of the server's time added to the median send",
        Goal(0.3),
        peer="the same Synapse, same data, without the module",
        interval=_of_medians([pair[0] for pair in found.cost], [pair[1] for pair in found.cost]),
    )


def _run_ns(pid: int) -> int:
    """Time on a processor of all threads, in nanoseconds (Linux, `schedstat`)."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in files)


def _of_medians(ours: Sequence[float], peer: Sequence[float]) -> tuple[float, float]:
    """95 % of the difference of medians, bootstrapped."""
    draw = random.Random(7)
    found = sorted(
        statistics.median(draw.choices(ours, k=len(ours))) - statistics.median(draw.choices(peer, k=len(peer)))
        for _ in range(2000)
    )
    return found[50], found[-51]


async def state() -> Result:
    """A state event in a room of 400, where both load the room's state."""
    async with arms(400, "with", "noop") as (ours, noop):
        found = await alternate(ours.change, noop.change, pid=ours.pid, peer_pid=noop.pid, pairs=20, operations=20)
    print(f"400 members: {found.ours_ms:.2f} ms of the server's time a state event, no-op {found.peer_ms:.2f} ms")
    return result(
        "module-state-400",
        found.ratio,
        "server CPU per state event, ours / no-op",
        Goal(1.10),
        peer="a check_event_allowed that does nothing",
        interval=(found.low, found.high),
    )


async def decision() -> Result:
    """`may_invite` with all that is asked in memory for it, files looked at included; p99 of many."""
    with tempfile.TemporaryDirectory(prefix="clq-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(publish, folder / "snapshot")
        bots = frozenset({UserId(f"@annuaire:{SERVER}")})
        settings = Settings(folder / "snapshot", folder / "key", folder / "sock", bots, "mss_", frozenset())
        book = AttestationBook(folder / "snapshot", KEY)
        accounts = Accounts(settings, book, SystemClock(), lambda user: user.endswith(":" + SERVER))
        book.refresh()
        draw = random.Random(7)
        users = list(book.state.by_user)
        rounds = []
        gc.freeze()
        for _ in range(ROUNDS):
            pairs = [(draw.choice(users), draw.choice(users)) for _ in range(DECISIONS // ROUNDS)]
            took = []
            for one, other in pairs:
                begun = time.perf_counter_ns()
                us, them = accounts.people(one, other)
                verdict = may_invite(us, them, "patient", blocked=accounts.refuses(other, one))
                took.append(time.perf_counter_ns() - begun)
                assert isinstance(verdict, Allowed)
            rounds.append(statistics.quantiles(took, n=100)[-1] / 1000)
            print(f"p50 {statistics.median(took) / 1000:.1f} µs, p99 {rounds[-1]:.1f} µs")
        gc.unfreeze()
    return result(
        "admission-p99", statistics.median(rounds), "µs a decision, p99", Goal(20), interval=(min(rounds), max(rounds))
    )


async def memory() -> Result:
    """What a Synapse process holds more with the national snapshot: resident, at rest."""
    async with arms(2, "with", "without") as (ours, bare):
        found = []
        for _ in range(ROUNDS):
            for arm in (ours, bare):
                await arm.change(secrets.randbelow(10**9))
            found.append((_resident(ours.pid) - _resident(bare.pid)) / 2**20)
    return result(
        "module-memory",
        statistics.median(found),
        "MiB more, resident",
        Goal(150),
        peer="the same Synapse without the module",
        interval=(min(found), max(found)),
    )


def _resident(pid: int) -> int:
    pages: Any = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
