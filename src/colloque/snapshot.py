"""Writes the snapshot and its changes: by one process only, the annuaire service. Blocking; safe to kill at any byte.

What is published is what the caller's tables say. The file on disk is read first, as readers read it, and only what
differs is appended; the whole is written anew (aside, then renamed) when there is none, when it can't be used, when
much differs, or when many changes have gathered. A half-written line is cut off before the next one is appended.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from colloque import signed
from colloque.attestation import Change, Snapshot
from colloque.book import AttestationBook, State, changes_of
from colloque.files import write_private
from colloque.identity import UserId

MUCH = 2000
"""So many differences are cheaper to read as a new snapshot."""
GATHERED = 5000
"""So many changes are gathered into a new snapshot: a process that starts reads them all."""


class SnapshotWriter:
    """One instance a snapshot. Calls must not overlap."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._changes = changes_of(path)
        self._key = key
        self._book = AttestationBook(path, key)

    @property
    def state(self) -> State:
        """What is published, as its readers see it."""
        self._book.refresh()
        return self._book.state

    def publish(self, whole: Snapshot) -> None:
        """Make the files say `whole`, and nothing else. Costs nothing when they do. Raises OSError."""
        change = difference(self.state, whole)
        much = len(change.attested) + len(change.ended) + len(change.blocks) > MUCH
        closed = whole.servers is None and self._book.state.servers is not None
        if much or closed or not self._can_append(whole.serial):
            self._write(whole)
        else:
            self._append(whole.serial, whole.made_at, change)

    def change(self, serial: int, made_at: datetime, change: Change) -> None:
        """Publish one change, when all before it was published. Raises OSError; then `publish` repairs."""
        if self._can_append(serial):
            self._append(serial, made_at, change)
        else:
            self._write(_with(self.state, serial, made_at, change))

    def _can_append(self, serial: int) -> bool:
        self._book.refresh()
        return not self._book.problem and bool(self._book.chain) and serial >= self._book.serial

    def _append(self, serial: int, made_at: datetime, change: Change) -> None:
        book = self._book
        if change:
            line = signed.encode_change(serial, made_at, change, self._key, book.chain)
            with self._changes.open("r+b") as file:
                file.truncate(book.end)
                file.seek(book.end)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            book.refresh()
        if book.count >= GATHERED and not book.problem:
            # Readers who have followed every change know what stands in it: `after` tells them.
            self._write(_with(book.state, book.serial, made_at, Change()), after=book.chain)

    def _write(self, whole: Snapshot, after: str = "") -> None:
        data = signed.encode(whole, self._key, after)
        write_private(self._path, data)
        write_private(self._changes, signed.encode_start(signed.mac_of(data), self._key))
        if not after:
            self._book = AttestationBook(self._path, self._key)


def difference(before: State, after: Snapshot) -> Change:
    """What turns one into the other."""
    wanted = {a.user: a for a in after.attestations}
    known = before.by_user
    unblocked: dict[UserId, frozenset[UserId]] = dict.fromkeys(before.blocks.keys() - after.blocks.keys(), frozenset())
    return Change(
        attested=tuple(a for user, a in wanted.items() if known.get(user) != a),
        ended=tuple(sorted(known.keys() - wanted.keys())),
        blocks=unblocked | {u: refused for u, refused in after.blocks.items() if before.blocks.get(u) != refused},
        servers=after.servers if after.servers != before.servers else None,
    )


def _with(before: State, serial: int, made_at: datetime, change: Change) -> Snapshot:
    state = State()
    state.apply(Change(tuple(before.by_user.values()), (), before.blocks, before.servers))
    state.apply(change)
    return Snapshot(serial, made_at, tuple(state.by_user.values()), state.blocks, state.servers)
