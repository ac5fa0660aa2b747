"""The journal on disk: append-only, one writer, every entry on the disk before the call returns.

An act that changes people, rooms or mail is written before (`begin`) and after (`end`). When a write fails, it
raises and the act must not happen. After a crash, `open_intents` tells which acts to settle.
"""

from __future__ import annotations

import fcntl
import io
import os
import stat
from pathlib import Path
from typing import Self

from colloque.audit import GENESIS, SYSTEM, Entry, Fact, Phase, chain, read_line, verify_lines
from colloque.clock import Clock, to_millis
from colloque.errors import Inconsistent, Tampered, Temporary
from colloque.files import sync_folder, write_private

_TORN = "journal.torn"


class Held(Inconsistent):
    """Another process is writing this journal."""

    code = "journal.held"


class Journal:
    """One service's journal. Made by `open`. Calls block for the time of one fsync."""

    def __init__(self, path: Path, fd: int, clock: Clock) -> None:
        self._path = path
        self._fd = fd
        self._clock = clock
        self._last: Entry | None = None
        self._size = 0
        self._opened: dict[str, Entry] = {}
        self.problem = ""
        """Why nothing can be written any more; empty while all is well. For health."""

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Self:
        """Open or create, check the whole chain, set a torn last line aside as `<name>.torn-<n>`, and note it.

        Raises Held when another process writes it, Inconsistent when others may read it, Tampered when the chain does
        not hold (nothing is written then), Temporary when the disk refuses.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise Temporary(f"the journal can't be opened: {error.strerror}") from None
        journal = cls(path, fd, clock)
        try:
            journal._take()
        except BaseException:
            os.close(fd)
            raise
        return journal

    def _take(self) -> None:
        if stat.S_IMODE(os.fstat(self._fd).st_mode) & 0o077:
            raise Inconsistent("the journal is readable by others: its mode must be 0600")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held("another process is writing this journal") from None
        try:
            data = self._path.read_bytes()
            self._size = data.rfind(b"\n") + 1
            self._read(data[: self._size])
            noted = self._noted(data[: self._size])
            if data[self._size :]:
                self._set_aside(data[self._size :], noted)
            sync_folder(self._path.parent)
            torn = {number: path.stat().st_size for number, path in self._torn_files()}
        except OSError as error:
            raise Temporary(f"the journal can't be read or repaired: {error.strerror}") from None
        for number, size in torn.items():
            if number not in noted:
                self.note(_TORN, file=number, bytes=size)

    def _read(self, data: bytes) -> None:
        verdict = verify_lines(io.BytesIO(data))
        if not verdict.ok:
            raise Tampered(f"the journal does not hold: {verdict.problem} at line {verdict.line_no}")
        self._last = verdict.last
        self._opened = {entry.act: entry for entry in verdict.open_intents}

    @staticmethod
    def _noted(data: bytes) -> set[Fact]:
        """Numbers of the torn files that a note already tells of."""
        notes = (read_line(line) for line in io.BytesIO(data) if f'"kind":"{_TORN}"'.encode() in line)
        return {note.facts["file"] for note in notes}

    def _torn_files(self) -> list[tuple[int, Path]]:
        prefix = f"{self._path.name}.torn-"
        found = [(p.name.removeprefix(prefix), p) for p in self._path.parent.iterdir() if p.name.startswith(prefix)]
        return sorted((int(number), path) for number, path in found if number.isdecimal())

    def _set_aside(self, torn: bytes, noted: set[Fact]) -> None:
        """Keep what a crash left of a line, then cut it off. A crash in here is repaired by running it again."""
        number, path = (self._torn_files() or [(0, self._path)])[-1]
        if number == 0 or number in noted or path.read_bytes() != torn:
            write_private(self._path.with_name(f"{self._path.name}.torn-{number + 1}"), torn)
        os.ftruncate(self._fd, self._size)
        os.fsync(self._fd)

    def begin(self, kind: str, *, actor: str = SYSTEM, room: str = "", ref: str = "", **facts: Fact) -> str:
        """Write that an act is about to happen; returns the act's id for `end`.

        When an act of this kind with this (non-empty) `ref` is still open, as after a crash, its id comes back
        and nothing is written. Raises ValueError (see `colloque.audit`), Temporary when it can't be written.
        """
        for act, intent in self._opened.items():
            if ref and (intent.kind, intent.ref) == (kind, ref):
                return act
        entry = self._next(kind, Phase.INTENT, actor=actor, room=room, ref=ref, facts=facts)
        self._opened[entry.act] = entry
        return entry.act

    def end(self, act: str, outcome: str, *, room: str = "", **facts: Fact) -> None:
        """Write how an open act ended; `room` when its token is known only now.

        Raises Inconsistent when no such act is open, else as `begin`.
        """
        intent = self._opened.get(act)
        if intent is None:
            raise Inconsistent("no such act is open in the journal")
        self._next(
            intent.kind,
            Phase.RESULT,
            act=act,
            actor=intent.actor,
            room=room or intent.room,
            ref=intent.ref,
            outcome=outcome,
            facts=facts,
        )
        del self._opened[act]

    def note(
        self, kind: str, *, actor: str = SYSTEM, room: str = "", ref: str = "", outcome: str = "", **facts: Fact
    ) -> None:
        """Write what happened by itself. Raises as `begin`."""
        self._next(kind, Phase.NOTE, actor=actor, room=room, ref=ref, outcome=outcome, facts=facts)

    def open_intents(self) -> tuple[Entry, ...]:
        """Acts begun and not ended, oldest first: what a start must settle."""
        return tuple(self._opened.values())

    @property
    def head(self) -> str:
        """Hash of the last entry; note it elsewhere to prove later that nothing was cut."""
        return self._last.hash if self._last else GENESIS

    def close(self) -> None:
        """Let go of the file; harmless when done twice. Nothing can be written afterwards."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self.problem = "the journal is closed"

    def _next(
        self,
        kind: str,
        phase: Phase,
        *,
        actor: str,
        room: str,
        ref: str,
        facts: dict[str, Fact],
        act: str = "",
        outcome: str = "",
    ) -> Entry:
        at = to_millis(self._clock.now())
        entry = chain(
            self._last, at, kind, phase, act=act, actor=actor, room=room, ref=ref, outcome=outcome, facts=facts
        )
        self._write(entry.line())
        self._last = entry
        return entry

    def _write(self, line: bytes) -> None:
        if not self.problem and not self._is_ours():
            self.problem = "the journal's file was changed, moved or cut by somebody else"
        if self.problem:
            raise Temporary(self.problem)
        try:
            written = 0
            while written < len(line):
                written += os.write(self._fd, line[written:])
        except OSError as error:
            self._cut_back()
            raise Temporary(f"the journal can't be written: {error.strerror}") from None
        try:
            os.fsync(self._fd)
        except OSError as error:
            # What reached the disk is unknown after a failed fsync: only reading it again can tell.
            self._cut_back()
            self.problem = f"the journal can't be made durable: {error.strerror}"
            raise Temporary(self.problem) from None
        self._size += len(line)

    def _is_ours(self) -> bool:
        try:
            held, named = os.fstat(self._fd), self._path.stat()
        except OSError:
            return False
        return held.st_size == self._size and (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
            os.fsync(self._fd)
        except OSError as error:
            self.problem = f"the journal can't be repaired: {error.strerror}"
