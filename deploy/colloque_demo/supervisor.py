"""Starts the programs of the stack, says when they are well, starts a dead one again, stops them all.

Each program runs in a session of its own (Ctrl-C in the terminal reaches the demo alone, which stops them in
order) and is tied to the demo by the kernel (`tied`): no orphan, even after `kill -9`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from colloque.clock import monotonic
from colloque_demo import processes, tied
from colloque_demo.homeserver import environment

READY_S = 60.0
"""A program that is not well by then is given up."""
STOP_S = 10.0
"""Between SIGTERM and SIGKILL."""
_STABLE_S = 5.0
_TRIES = 3
"""How often a program may end before it was ever well."""
_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Before the first, second… restart of a program that keeps dying young: always well under 5 s."""


class StackError(RuntimeError):
    """A program of the stack can't be started."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program: how to start it, and how to see that it is well."""

    name: str
    command: tuple[str, ...]
    cwd: Path
    log: Path
    ports: tuple[int, ...]
    """TCP ports on the loopback that it listens on when it is well."""
    health: str | None = None
    """URL that answers 200 when it is well."""
    metrics: str | None = None


@dataclass
class _Running:
    program: Program
    process: asyncio.subprocess.Process
    keeper: asyncio.Task[None] | None = None
    deaths: int = 0
    since: float = field(default_factory=monotonic)


class Supervisor:
    """`say` gets one line a death and a restart; `changed` is called when a pid has changed."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self._say = say
        self._changed = changed
        self._running: dict[str, _Running] = {}
        self._stopping = False
        self.restarts = 0
        """How many times a program was started again."""

    async def start(self, program: Program) -> None:
        """Start it and wait until it is well. Raises StackError with the end of its log."""
        running = _Running(program, await self._spawn(program))
        self._running[program.name] = running
        running.keeper = asyncio.create_task(self._keep(running))
        self._changed()
        try:
            await self._until_well(running, READY_S)
        except TimeoutError:
            said = await _health(program)
            raise StackError(
                f"{program.name} is not well after {READY_S:.0f} s: {said}\n{_tail(program.log)}"
            ) from None

    def pid(self, name: str) -> int:
        """The process's id, now."""
        return self._running[name].process.pid

    def programs(self) -> list[Program]:
        """In the order in which they were started."""
        return [r.program for r in self._running.values()]

    def pids(self) -> list[int]:
        """All process ids, now."""
        return [r.process.pid for r in self._running.values()]

    async def is_well(self, name: str) -> bool:
        """True when the process lives, itself listens on its ports, and its own health says so."""
        return await _is_well(self._running[name])

    async def stop(self) -> None:
        """Stop all, last started first. Safe to repeat."""
        self._stopping = True
        for running in reversed(self._running.values()):
            if running.keeper is not None:
                running.keeper.cancel()
                await asyncio.wait([running.keeper])
            await _stop(running.process)
        self._running.clear()

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        with program.log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                tied.__file__,
                str(os.getpid()),
                *program.command,
                cwd=program.cwd,
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    async def _until_well(self, running: _Running, timeout_s: float) -> None:
        """Raises TimeoutError, StackError when it keeps dying."""
        async with asyncio.timeout(timeout_s):
            while not await _is_well(running):
                if running.deaths >= _TRIES:
                    raise StackError(f"{running.program.name} did not start:\n{_tail(running.program.log)}")
                await asyncio.sleep(0.05)

    async def _keep(self, running: _Running) -> None:
        name = running.program.name
        while True:
            code = await running.process.wait()
            died = monotonic()
            running.deaths = running.deaths + 1 if died - running.since < _STABLE_S else 1
            await asyncio.sleep(_PAUSES_S[min(running.deaths, len(_PAUSES_S)) - 1])
            if self._stopping:
                return
            running.process = await self._spawn(running.program)
            running.since = monotonic()
            self.restarts += 1
            self._say(
                f"{name} ended ({_ending(code)}) and was started again after {running.since - died:.1f} s "
                f"(pid {running.process.pid})"
            )
            self._changed()


async def _is_well(running: _Running) -> bool:
    program = running.program
    if running.process.returncode is not None:
        return False
    if not all(processes.listens(running.process.pid, port) for port in program.ports):
        return False
    return program.health is None or (await _health(program)).startswith("200 ")


async def _health(program: Program) -> str:
    """What the program says of itself: the HTTP status and the answer."""
    if program.health is None:
        return "it does not listen"
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(program.health) as answer:
            return f"{answer.status} {await answer.text()}"
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return type(error).__name__


async def _stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to the program, SIGKILL to its whole group if it lingers."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "(its log is empty)"
