"""One person by RPPS, one mailbox by address, over the whole country: in process, standard library, no thread hop."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from colloque.directory.engine import open_read_only
from colloque.directory.file import DirectoryFile
from colloque.identity import MssanteAddress, Rpps
from tests.bench import national
from tests.bench.result import Goal, Result, result

K = TypeVar("K")

KEYS = 20_000
ROUNDS = 5
GOAL = Goal(0.1)
_RPPS = "SELECT rpps FROM people WHERE rpps IS NOT NULL"
_ADDRESSES = "SELECT address FROM mailbox"


async def by_rpps() -> Result:
    """Everything of a person: names, activities, skills, mailboxes."""
    keys = [Rpps(value) for value in _keys(_RPPS)]
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        return _judged("directory-by-rpps-p99", keys, directory.by_rpps)


async def by_mssante() -> Result:
    """A mailbox and whose it is."""
    keys = [MssanteAddress(value) for value in _keys(_ADDRESSES)]
    with closing(DirectoryFile(national.directory(), national.clock())) as directory:
        return _judged("directory-by-mssante-p99", keys, directory.by_mssante)


def _keys(query: str) -> list[str]:
    """Drawn from all over the country, none twice. Reads the file through: it is in the system's memory afterwards."""
    path = national.directory()
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
    with closing(open_read_only(path)) as db:
        return random.Random(1).sample([value for (value,) in db.execute(query)], KEYS * ROUNDS)


def _judged(name: str, keys: list[K], ask: Callable[[K], object]) -> Result:
    """The 99th percentile: the median of the rounds, the least, the most. Each round asks for others."""
    cuts = sorted(_p99(keys[n::ROUNDS], ask) for n in range(ROUNDS))
    return result(name, cuts[ROUNDS // 2], "ms", GOAL, interval=(cuts[0], cuts[-1]))


def _p99(keys: list[K], ask: Callable[[K], object]) -> float:
    times = []
    for key in keys:
        began = time.perf_counter_ns()
        found = ask(key)
        times.append((time.perf_counter_ns() - began) / 1e6)
        assert found is not None
    cut = statistics.quantiles(times, n=100, method="inclusive")[98]
    print(f"p50 {statistics.median(times):.4f} ms, p99 {cut:.4f} ms, slowest {max(times):.3f} ms")
    return cut
