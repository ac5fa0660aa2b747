"""`python -m colloque_demo --once`, while each service and Synapse are killed in turn: nothing is lost or doubled."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from colloque_demo import processes
from tests.waiting import until

KILLED = ("synapse", "mssante", "annuaire", "salles")
WITHIN_S = 300.0


async def test_every_step_holds_while_processes_are_killed(tmp: Path):
    folder = tmp / "demo"
    log = tmp / "demo.log"
    with log.open("wb") as out:
        demo = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "colloque_demo", "--once", "--dir", folder, stdout=out, stderr=out
        )
    try:
        for name in KILLED:
            await _kill(folder, log, name)
        code = await asyncio.wait_for(demo.wait(), WITHIN_S)
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    failed = [step for step in report["steps"] if not step["ok"]]
    assert (code, failed) == (0, []), log.read_text(errors="replace")[-4000:]
    assert len(report["steps"]) == 6
    assert report["restarts"] == len(KILLED)
    assert report["memory_mib"] < 1024
    assert not (folder / "access.json").exists()
    assert not (folder / "processes.json").exists()


async def _kill(folder: Path, log: Path, name: str) -> None:
    """Once the scenario has come a little further, `kill -9`; then wait until the program runs again."""
    seen = _facts(log)

    async def further() -> bool:
        return _facts(log) >= max(seen, 3) + 2

    await until(further, f"the scenario goes on, before {name} is killed", within=WITHIN_S)
    old = _pid(folder, name)
    os.kill(old, signal.SIGKILL)

    async def again() -> bool:
        return _pid(folder, name) != old

    await until(again, f"{name} is started again", within=5)
    assert processes.started_at(_pid(folder, name)) is not None


def _facts(log: Path) -> int:
    return log.read_text(encoding="utf-8", errors="replace").count("✓")


def _pid(folder: Path, name: str) -> int:
    pid: int = json.loads((folder / "processes.json").read_text(encoding="utf-8"))[name][0]
    return pid
