"""Two ways of doing one thing, compared by what they cost the server, in alternating batches.

Wall time on a shared machine says more about the neighbours than about us. So each batch is measured by the server
process's own processor time, both arms in turn (A B, B A, …), and the ratio is taken pair by pair. The interval is a
percentile bootstrap over the pairs: whatever drifts between pairs (caches, table sizes) is in it.
"""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Arm = Callable[[int], Awaitable[None]]
"""Does the thing once; the number is a fresh one, for transaction ids."""

RESAMPLES = 5000
SEED = 20260302


def cpu_seconds(pid: int) -> float:
    """Processor time (user and system) a process has used, from /proc/PID/stat; steps of 10 ms on most kernels."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ratio of costs, ours to the peer's, with its 95 % interval; costs per operation in milliseconds."""

    ratio: float
    low: float
    high: float
    ours_ms: float
    peer_ms: float


def compare(pairs: Sequence[tuple[float, float]], operations: int) -> Comparison:
    """From (our seconds, peer's seconds) of each pair of batches of `operations`.

    The ratio is the ratio of the sums. Raises ValueError when there are too few pairs to judge.
    """
    if len(pairs) < 5:
        raise ValueError("at least 5 pairs")
    draw = random.Random(SEED)
    resampled = sorted(_ratio(draw.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    cuts = statistics.quantiles(resampled, n=40, method="inclusive")
    per_ms = 1000 / operations / len(pairs)
    return Comparison(
        _ratio(pairs), cuts[0], cuts[-1], sum(a for a, _ in pairs) * per_ms, sum(b for _, b in pairs) * per_ms
    )


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return sum(a for a, _ in pairs) / sum(b for _, b in pairs)


async def alternate(
    ours: Arm, peer: Arm, *, pid: int, pairs: int, operations: int, peer_pid: int | None = None
) -> Comparison:
    """Run both arms in turn against the server `pid`, one untimed batch of each first.

    `peer_pid`: where the peer has a server of its own.
    """
    number = 0

    async def batch(arm: Arm) -> float:
        nonlocal number
        process = peer_pid if arm is peer and peer_pid is not None else pid
        before = cpu_seconds(process)
        for _ in range(operations):
            number += 1
            await arm(number)
        return cpu_seconds(process) - before

    await batch(ours)
    await batch(peer)
    measured = []
    for turn in range(pairs):
        if turn % 2:
            theirs = await batch(peer)
            measured.append((await batch(ours), theirs))
        else:
            mine = await batch(ours)
            measured.append((mine, await batch(peer)))
    return compare(measured, operations)
