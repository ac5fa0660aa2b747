"""How long the demo takes until it is ready, and how much memory the whole house holds then."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from colloque.clock import monotonic
from colloque_demo.processes import memory_mib
from tests.bench.result import Goal, Result, result
from tests.servers.demo import Demo

RUNS = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One demo, from its start to the end of its scenario."""

    seconds: float
    mib: float


_runs: list[Run] = []


async def start() -> Result:
    """Seconds until it is ready, everything being installed: the median, and the best and the worst."""
    times = sorted(run.seconds for run in await _measured())
    return result("demo-start", times[len(times) // 2], "s", Goal(90), interval=(times[0], times[-1]))


async def memory() -> Result:
    """MiB (shared pages counted once) of the demo and of all that it started: the median, the least, the most."""
    sizes = sorted(run.mib for run in await _measured())
    return result("demo-memory", sizes[len(sizes) // 2], "MiB", Goal(1024), interval=(sizes[0], sizes[-1]))


async def _measured() -> list[Run]:
    """The runs serve both benches."""
    while len(_runs) < RUNS:
        with tempfile.TemporaryDirectory(prefix="clq-bench-") as folder:
            demo = Demo(Path(folder) / "demo")
            began = monotonic()
            await demo.start()
            try:
                seconds = monotonic() - began
                pids = [demo.pid, *(service["pid"] for service in demo.access()["services"])]
                _runs.append(Run(seconds, memory_mib(pids)))
            finally:
                await demo.stop()
    return _runs
