"""A program that tests start, kill and start again."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


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
