"""What the kernel says about processes: are they ours, do they listen, how much memory do they hold. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"
"""TCP state LISTEN in /proc/net/tcp."""


def started_at(pid: int) -> int | None:
    """When a process started (clock ticks since boot): with its pid, this names it for good. None when gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def listens(pid: int, port: int) -> bool:
    """True when that very process listens on the loopback port: what answers there is ours, not a stranger."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    with contextlib.suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(handle.readlink()) in inodes:
                    return True
    return False


def memory_mib(pids: Iterable[int]) -> float:
    """Memory of the processes together, in MiB: proportional set size, so that shared pages count once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return round(total / 1024, 1)


def kill_leftovers(named: Iterable[tuple[int, int]]) -> int:
    """Kill those of (pid, start time) that still run; a pid since given to somebody else is left alone. How many."""
    killed = 0
    for pid, start in named:
        if started_at(pid) == start:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
            while started_at(pid) == start:
                time.sleep(0.01)
    return killed
