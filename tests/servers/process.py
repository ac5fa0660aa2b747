"""A program that tests start, kill and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

GONE_S = 20.0


@dataclass
class Process:
    """One program; what it prints goes to the end of `log`."""

    command: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.running = subprocess.Popen(self.command, stdout=out, stderr=out)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait(20)

    def stop(self) -> int:
        assert self.running is not None
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGTERM)
        return self.running.wait(20)


def kill_whole(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a program and to everything it started; returns when all are gone.

    Servers of many processes (Postfix, Dovecot, PostgreSQL) would otherwise outlive their master for a moment, and hold
    its ports and locks against the next one.
    """
    family = [process.pid, *_offspring(process.pid)]
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(GONE_S)
    end = time.monotonic() + GONE_S
    while any(map(_runs, family)):
        assert time.monotonic() < end, "a killed program does not go"
        time.sleep(0.01)


def _offspring(root: int) -> list[int]:
    """All descendants of a process that live now."""
    parents = {int(p.name): _stat(int(p.name))[1] for p in Path("/proc").iterdir() if p.name.isdigit()}
    found = [root]
    for above in found:
        found += [pid for pid, parent in parents.items() if parent == above]
    return found[1:]


def _runs(pid: int) -> bool:
    return _stat(pid)[0] not in {"", "Z"}


def _stat(pid: int) -> tuple[str, int]:
    """State and parent of a process, from /proc/PID/stat; an empty state when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    return fields[0], int(fields[1])
