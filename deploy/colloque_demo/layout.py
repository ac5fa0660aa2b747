"""Where everything of the demo stands: one folder, made afresh, plus a short-pathed folder for Unix sockets.

A folder that we did not make is never emptied. One demo a folder: a lock on the folder says whether another still
runs there; processes that outlived a killed demo are ended by pid and start time before the folder is emptied.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from colloque.files import write_private
from colloque.identity import UserId, localpart
from colloque_demo import processes

MARKER = ".colloque-demo"
"""File by which we know a folder for ours; it holds the pid of the demo that runs there, or ran last."""
_SOCKETS = "colloque-"


class Busy(RuntimeError):
    """The folder can't be used; the message says why and what to do."""


class Layout:
    """Paths of one demo. `open` makes the folders; `close` removes what must not outlive the demo."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.processes = self.root / "processes.json"
        """Who runs: `{name: [pid, start time in clock ticks]}`."""
        self.access = self.root / "access.json"
        self.report = self.root / "report.json"
        self.config = self.root / "colloque.yaml"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.synapse = self.root / "synapse"
        self.mail = self.root / "mail"
        self.marks = self.root / "marks"
        self.extraction = self.root / "extraction"
        self.directory = self.root / "directory.sqlite"
        self.snapshot = self.root / "attestations.json"
        self.receipts = self.root / "receipts"
        self.sockets = Path()
        self._held: int | None = None

    def state(self, service: str) -> Path:
        """A service's own folder: database, crypto store, journal."""
        return self.root / "state" / service

    def client(self, user: UserId) -> Path:
        """The crypto store of one of the scenario's own Matrix clients."""
        folder = self.root / "clients" / localpart(user)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def secret(self, name: str) -> Path:
        """A secret's file."""
        return self.secrets / name

    def open(self) -> None:
        """Take the folder and make it afresh. Raises Busy."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = self._take()
        try:
            self._clear()
            self.root.chmod(0o700)
            (self.root / MARKER).write_text(str(os.getpid()), encoding="ascii")
            own = (self.logs, self.secrets, self.synapse, self.mail, self.marks, self.extraction)
            for folder in own:
                folder.mkdir(mode=0o700)
            for service in ("annuaire", "salles", "mssante"):
                self.state(service).mkdir(parents=True, mode=0o700)
            self.sockets = Path(tempfile.mkdtemp(prefix=_SOCKETS))
            (self.root / "sockets").symlink_to(self.sockets)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the sockets and `access.json`; let the folder go. Safe to repeat."""
        if self._held is None:
            return
        self.access.unlink(missing_ok=True)
        self.processes.unlink(missing_ok=True)
        if self.sockets != Path():
            shutil.rmtree(self.sockets, ignore_errors=True)
            (self.root / "sockets").unlink(missing_ok=True)
        os.close(self._held)
        self._held = None

    def note_processes(self, pids: Mapping[str, int]) -> None:
        """Write down who runs, for whoever comes after us."""
        known = {name: [pid, processes.started_at(pid)] for name, pid in pids.items()}
        write_private(self.processes, json.dumps(known) + "\n")

    def _take(self) -> int:
        """The locked folder's handle; the kernel lets the lock go when this process ends, however it ends."""
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            marker = self.root / MARKER
            pid = marker.read_text(encoding="ascii") if marker.exists() else "?"
            raise Busy(
                f"a demo already runs in {self.root} (process {pid}): stop it first (Ctrl-C in its terminal, "
                f"or `kill {pid}`), or choose another folder with --dir"
            ) from None
        return handle

    def _clear(self) -> None:
        if not (self.root / MARKER).exists():
            if any(self.root.iterdir()):
                raise Busy(f"{self.root} was not made by the demo and is not empty: it is left alone")
            return
        if self.processes.exists():
            left: dict[str, tuple[int, int]] = json.loads(self.processes.read_text(encoding="utf-8"))
            processes.kill_leftovers((pid, start) for pid, start in left.values())
        old = self.root / "sockets"
        if old.is_symlink() and old.readlink().name.startswith(_SOCKETS):
            shutil.rmtree(old.readlink(), ignore_errors=True)
        # The marker goes last: a crash in the middle leaves a folder that is still known for ours.
        for entry in self.root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARKER:
                entry.unlink()
