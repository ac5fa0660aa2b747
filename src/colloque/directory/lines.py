"""What an import remembers of each line of a file, so that the next one reads again only what changed.

A line is known by a digest of its bytes and by what came of it (`ref`): the id of what it speaks of (a person, a
mailbox, a row), or below zero the reason why it was kept out (`reasons`). Twelve bytes a line, in the file's order.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping
from hashlib import blake2b

from colloque.directory.columns import Kind

DIGEST = 8
"""Bytes: among some millions of lines two different ones with one digest come once in a million imports."""
_PART = 1 << 17
_NEAR = 200
"""How far ahead a line is looked for at once; a longer gap is found by rarer, longer looks."""
_STRIDE = 32
"""Lines held against the old ones in one go."""
NONE = 0
"""The digest that stands for a line to read again whatever the file says."""


def digests(lines: list[bytes]) -> array[int]:
    """One number a line."""
    found = array("Q")
    found.frombytes(b"".join([blake2b(line, digest_size=DIGEST).digest() for line in lines]))
    return found


class Memory:
    """All lines of one file: `digests` and `refs`, of one length."""

    def __init__(self) -> None:
        self.digests = array("Q")
        self.refs = array("i")

    @classmethod
    def load(cls, db: sqlite3.Connection, kind: Kind, base: str = "") -> Memory:
        """As the last import stored it (in the attached file `base`); empty when it did not."""
        memory = cls()
        stored = f"SELECT digests, refs FROM {base}line WHERE kind = ? ORDER BY part"  # noqa: S608 - our own names
        for known, refs in db.execute(stored, (kind,)):
            memory.digests.frombytes(known)
            memory.refs.frombytes(refs)
        return memory

    def store(self, db: sqlite3.Connection, kind: Kind) -> None:
        """In place of what was stored."""
        db.execute("DELETE FROM line WHERE kind = ?", (kind,))
        starts = range(0, len(self.refs), _PART)
        parts = ((kind, n, self.digests[i : i + _PART], self.refs[i : i + _PART]) for n, i in enumerate(starts))
        db.executemany(
            "INSERT INTO line VALUES (?, ?, ?, ?)", ((k, n, d.tobytes(), r.tobytes()) for k, n, d, r in parts)
        )

    def shift(self, by: int) -> None:
        """Ids grew by that much."""
        self.refs = array("i", (ref + by if ref > 0 else ref for ref in self.refs))

    def extend(self, other: Memory) -> None:
        """The lines that follow."""
        self.digests.extend(other.digests)
        self.refs.extend(other.refs)

    def doubt(self, refs: Mapping[int, int]) -> None:
        """Lines with these refs, which become others, are to be read again by the next import that brings the file."""
        for line, ref in enumerate(self.refs):
            if ref in refs:
                self.refs[line] = refs[ref]
                self.digests[line] = NONE


class Matching:
    """Holds the lines of a new file, in order, against those of the old one.

    Only lines in the same order match: what moved counts as gone and as new, which costs time and changes nothing else.
    """

    def __init__(self, old: Memory) -> None:
        self._old = old
        self._at = 0
        self._failures = 0
        self._next_look = _NEAR
        self.unseen = bytearray(b"\1") * len(old.refs)
        """Flags of the old lines that no new line matched so far."""

    def match(self, new: array[int]) -> tuple[array[int], list[int]]:
        """For each line of a block the ref of its twin in the old file; and which have none (their ref is 0)."""
        known, refs = self._old.digests, self._old.refs
        found, missed = array("i"), []
        for start in range(0, len(new), _STRIDE):
            some = new[start : start + _STRIDE]
            at, end = self._at, self._at + len(some)
            if known[at:end] == some:
                found.extend(refs[at:end])
                self.unseen[at:end] = bytes(len(some))
                self._at = end
                continue
            for rank, digest in enumerate(some, start):
                ref = self._one(digest)
                found.append(ref)
                if not ref:
                    missed.append(rank)
        return found, missed

    def _one(self, digest: int) -> int:
        at = self._at
        known = self._old.digests
        if at < len(known) and known[at] == digest:
            found = at
        else:
            try:
                found = known.index(digest, at, at + self._reach())
            except ValueError:
                return 0
        self._failures, self._next_look = 0, _NEAR
        self.unseen[found] = 0
        self._at = found + 1
        return self._old.refs[found]

    def _reach(self) -> int:
        """After many lines in a row without a twin the gap may be long: now and then all that is left is searched."""
        self._failures += 1
        if self._failures < self._next_look:
            return _NEAR
        self._next_look *= 2
        return len(self._old.refs)
