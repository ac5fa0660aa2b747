"""The supervisor, on real processes."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from colloque.files import free_port
from colloque_demo import processes, tied
from colloque_demo.supervisor import Program, StackError, Supervisor
from tests.waiting import until

SERVER = """
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
print("up", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


class Stage:
    """A supervisor and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.changes = 0
        self.supervisor = Supervisor(self.said.append, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    def program(self, name: str, code: str = SERVER, port: int | None = None) -> Program:
        port = port or free_port()
        return Program(
            name,
            (sys.executable, "-c", code, str(port)),
            cwd=self.folder,
            log=self.folder / f"{name}.log",
            ports=(port,),
            health=f"http://127.0.0.1:{port}/health",
        )


@pytest.fixture
async def stage(tmp: Path) -> AsyncIterator[Stage]:
    found = Stage(tmp)
    yield found
    await found.supervisor.stop()


async def test_a_program_is_started_and_stopped(stage: Stage):
    await stage.supervisor.start(stage.program("one"))
    pid = stage.supervisor.pid("one")
    assert await stage.supervisor.is_well("one")
    assert os.getsid(pid) == pid, "Ctrl-C in the terminal must not reach it"
    await stage.supervisor.stop()
    assert processes.started_at(pid) is None
    assert stage.supervisor.restarts == 0


async def test_a_dead_program_is_started_again(stage: Stage):
    await stage.supervisor.start(stage.program("one"))
    for rank in (1, 2):
        old = stage.supervisor.pid("one")
        os.kill(old, signal.SIGKILL)

        async def well_again(old: int = old) -> bool:
            return stage.supervisor.pid("one") != old and await stage.supervisor.is_well("one")

        await until(well_again, "it is well again", within=20)
        assert stage.supervisor.restarts == rank
        # What the supervisor waited: how long the program itself takes to be well is the machine's affair.
        waited = re.search(r"started again after (\d+\.\d) s", stage.said[-1])
        assert waited is not None
        assert float(waited[1]) < 5
    assert "SIGKILL" in stage.said[0]
    assert stage.changes == 3


async def test_a_program_that_ends_at_once_is_reported_with_its_words(stage: Stage):
    with pytest.raises(StackError, match="no such volume"):
        await stage.supervisor.start(stage.program("one", "import sys; sys.exit('no such volume')"))


async def test_a_stranger_on_the_port_is_not_taken_for_ours(stage: Stage):
    port = free_port()
    stranger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert stranger.stdout is not None
        assert await stranger.stdout.readline() == b"up\n"
        with pytest.raises(StackError, match="in use"):
            await stage.supervisor.start(stage.program("one", port=port))
    finally:
        stranger.kill()
        await stranger.communicate()


async def test_a_program_deaf_to_sigterm_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("colloque_demo.supervisor.STOP_S", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVER
    await stage.supervisor.start(stage.program("deaf", deaf))
    pid = stage.supervisor.pid("deaf")
    await stage.supervisor.stop()
    assert processes.started_at(pid) is None


async def test_no_orphan_outlives_a_killed_demo(tmp: Path):
    """A parent that is killed without a word takes its tied child along."""
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-S', {tied.__file__!r}, str(os.getpid()),"
        " '/bin/sleep', '600'])\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())

    def name() -> str:
        return Path(f"/proc/{child}/comm").read_text()

    async def has_become_sleep() -> bool:
        return name() == "sleep\n"

    await until(has_become_sleep, "the tie is made")
    parent.kill()
    await parent.communicate()

    async def gone() -> bool:
        return processes.started_at(child) is None

    await until(gone, "the child is gone", within=10)


async def test_a_child_whose_parent_is_already_gone_does_not_start(tmp: Path):
    out = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", tied.__file__, "1", "/usr/bin/touch", str(tmp / "ran")
    )
    assert await out.wait() == 1
    assert not (tmp / "ran").exists()


def test_memory_counts_a_process_and_forgets_a_gone_one():
    own = processes.memory_mib([os.getpid()])
    assert own > 5
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    assert processes.memory_mib([gone.pid]) == 0
