"""What the demo prints and writes down: each step as it happens, and `report.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from colloque.clock import monotonic
from colloque.files import write_private

PACKAGES = ("colloque", "matrix-synapse", "matrix-nio", "mautrix", "pymap", "aiosmtpd")


@dataclass(frozen=True, slots=True)
class StepResult:
    """How one step ended. `detail` says what was seen, or why it failed."""

    name: str
    ok: bool
    seconds: float
    detail: str


@dataclass
class Report:
    """Everything that `report.json` holds."""

    steps: list[StepResult] = field(default_factory=list)
    ready_s: float | None = None
    """From start until everything stood and the scenario had ended."""
    memory_mib: float | None = None
    """Proportional set size of all processes together, the demo's own included."""
    restarts: int = 0

    @property
    def ok(self) -> bool:
        """True when there were steps and every one held."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The file's content."""
        versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
        return {
            "ok": self.ok,
            "steps": [asdict(step) for step in self.steps],
            "ready_s": self.ready_s,
            "memory_mib": self.memory_mib,
            "restarts": self.restarts,
            "versions": versions,
        }

    def write(self, path: Path) -> None:
        """Replace the file."""
        write_private(path, json.dumps(self.as_json(), ensure_ascii=False, indent=1) + "\n")


class Display:
    """Prints lines and, on a terminal, a bar with what is being done now. Plain lines elsewhere."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._progress.add_task("", total=total)
        self._began = monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The bar stands at the bottom while inside."""
        with self._progress:
            yield

    def title(self, text: str) -> None:
        """A step begins."""
        self._progress.update(self._task, description=escape(text))
        self._line(f"[bold]{escape(text)}[/bold]")

    def done(self) -> None:
        """The bar moves on by one."""
        self._progress.advance(self._task)

    def fact(self, text: str) -> None:
        """Something was seen to hold."""
        self._line(f"  [green]✓[/green] {escape(text)}")

    def said(self, who: str, text: str) -> None:
        """What a person or a bot wrote, as people read it."""
        for number, line in enumerate(text.strip().splitlines()):
            name = escape(f"{who} ") if number == 0 else " " * (len(who) + 1)
            self._line(f"      [dim]{name}│[/dim] [cyan]{escape(line)}[/cyan]")

    def failed(self, text: str) -> None:
        """A step did not hold."""
        self._line(f"  [bold red]✗ {escape(text)}[/bold red]")

    def note(self, text: str) -> None:
        """Something an onlooker should know."""
        self._line(f"  [yellow]•[/yellow] {escape(text)}")

    def welcome(self, text: str) -> None:
        """The last words, to be copied from: no line is cut or broken."""
        self.console.print()
        self.console.print(escape(text), crop=False, overflow="ignore", no_wrap=True)
        self.console.print()

    def _line(self, text: str) -> None:
        self.console.print(f"[dim]{monotonic() - self._began:5.1f}s[/dim] {text}")
