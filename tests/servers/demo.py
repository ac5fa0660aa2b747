"""The demo as an outside program sees it: a process, its output, and `access.json`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Self

from tests.waiting import until

READY_S = 300.0
"""On a busy machine; the goal of 90 s is the bench's business."""


class Demo:
    """`python -m colloque_demo` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._log = folder.with_suffix(".log")

    @property
    def pid(self) -> int:
        """Of the demo itself; the programs it started are in `access`."""
        assert self._process is not None
        return self._process.pid

    @property
    def report(self) -> dict[str, Any]:
        """What the scenario found."""
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return found

    def access(self) -> dict[str, Any]:
        """`access.json` as it is now: pids change when a program is started again."""
        found: dict[str, Any] = json.loads((self.folder / "access.json").read_text(encoding="utf-8"))
        return found

    def service(self, name: str) -> dict[str, Any]:
        """One line of its services."""
        found: dict[str, Any] = next(s for s in self.access()["services"] if s["name"] == name)
        return found

    async def start(self) -> Self:
        """Start and wait until the scenario has ended well. Raises AssertionError with the output's end."""
        with self._log.open("wb") as out:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "colloque_demo", "--dir", self.folder, stdout=out, stderr=out
            )
        try:
            await until(self._ended, "the demo's scenario ends", within=READY_S)
        except BaseException:
            await self.stop()
            raise
        return self

    async def _ended(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, f"the demo died:\n{self.output()}"
        if not (self.folder / "report.json").exists():
            return False
        failed = [step for step in self.report["steps"] if not step["ok"]]
        assert not failed, f"the scenario failed: {failed}\n{self.output()}"
        return (self.folder / "access.json").exists()

    def output(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    async def stop(self) -> int:
        """SIGTERM, as Ctrl-C does; its exit code. Safe to repeat."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(process.wait(), 60)
        except TimeoutError:
            process.kill()
            return await process.wait()
