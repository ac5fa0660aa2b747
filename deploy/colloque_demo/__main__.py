"""`python -m colloque_demo [--once] [--dir .demo]`: the whole house on this machine, and a real scenario in it."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from colloque.clock import monotonic
from colloque.errors import ColloqueError
from colloque_demo import access, processes, stack, steps_settled, welcome
from colloque_demo.layout import Busy, Layout
from colloque_demo.report import Display, Report
from colloque_demo.scenario import STEPS, Script, StepFailed, play
from colloque_demo.supervisor import StackError, Supervisor

EXIT_FAILED = 1
EXIT_BUSY = 75
EXIT_INTERRUPTED = 130


class Demo:
    """One run, from an empty folder to a clean end."""

    def __init__(self, layout: Layout, display: Display, *, once: bool) -> None:
        self._layout = layout
        self._display = display
        self._once = once
        self._began = monotonic()
        self._report = Report()
        self._supervisor = Supervisor(display.note, self._pids_changed)
        self._stack: stack.Stack | None = None
        self._admin_room = ""

    async def run(self) -> int:
        """The exit code: 0 when every step held."""
        script = Script(self._display, self._report)
        try:
            with self._display.shown():
                await self._play(script)
            if self._stack is not None and not self._once:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._report.ready_s is None:
                return EXIT_INTERRUPTED
        finally:
            self._display.note("everything is being stopped")
            await self._supervisor.stop()
            self._layout.close()
        return 0 if self._report.ok else EXIT_FAILED

    async def _play(self, script: Script) -> None:
        try:
            self._stack = await self._build(script)
            self._admin_room = await steps_settled.admin_room(self._stack)
            await play(self._stack, script)
        except StepFailed as error:
            self._display.note(f"the rest needs “{error}” and is left out; see {self._layout.logs}")
        except (StackError, ColloqueError, OSError, RuntimeError) as error:
            self._display.failed(f"{type(error).__name__}: {error}")
        script.close()
        self._ready()

    async def _build(self, script: Script) -> stack.Stack:
        async with script.part("directory") as facts:
            made = await stack.prepare(self._layout)
            facts.append(made.told)
            self._display.fact(made.told)
        self._display.title("   Synapse, the mail operator and the three services start")
        built = await stack.build(self._layout, self._supervisor, made)
        self._display.fact(f"all five answer well, {monotonic() - self._began:.0f} s after the start")
        return built

    def _ready(self) -> None:
        report = self._report
        report.ready_s = round(monotonic() - self._began, 1)
        report.memory_mib = processes.memory_mib([os.getpid(), *self._supervisor.pids()])
        report.restarts = self._supervisor.restarts
        report.write(self._layout.report)
        held = sum(step.ok for step in report.steps)
        self._display.title(
            f"{held} of {len(report.steps)} steps held; ready after {report.ready_s:.0f} s, {report.memory_mib:.0f} MiB"
        )
        if self._stack is not None and self._admin_room:
            self._write_access()
            if not self._once:
                self._display.welcome(welcome.text(self._stack))

    def _write_access(self) -> None:
        assert self._stack is not None
        content = access.describe(
            config=self._stack.config,
            cast=self._stack.cast,
            admin_room=self._admin_room,
            supervisor=self._supervisor,
            public_key=stack.receipts_key(self._stack.config),
        )
        access.write(self._layout.access, content)

    def _pids_changed(self) -> None:
        self._layout.note_processes({p.name: self._supervisor.pid(p.name) for p in self._supervisor.programs()})
        if self._layout.access.exists():
            self._write_access()


async def _run(layout: Layout, *, once: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    told = False

    def end() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
    return await Demo(layout, Display(len(STEPS)), once=once).run()


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser(prog="colloque_demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="leave after the scenario; 0 only if every step held")
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where everything is kept (default: .demo)")
    args = parser.parse_args(argv)
    os.umask(0o077)
    layout = Layout(args.dir)
    try:
        layout.open()
    except Busy as error:
        print(error, file=sys.stderr)
        return EXIT_BUSY
    return asyncio.run(_run(layout, once=args.once))


if __name__ == "__main__":
    sys.exit(main())
