"""The attestations in memory, re-read from the snapshot file whenever it is replaced. Standard library only.

Read by the Synapse module, the patient-room service and the bridge. The last good snapshot stays in force when
the file is missing, foreign or damaged: known people keep working until their attestation ends; the problem is
kept in `problem` for health and logs.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from pathlib import Path

from colloque.attestation import Attestation, Snapshot
from colloque.errors import ColloqueError, Tampered
from colloque.identity import Rpps, UserId


def read_secret(path: Path) -> bytes:
    """A secret file's content, stripped. Raises Tampered when others than its owner may read or write it."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Tampered(f"{path.name} is readable by others: its mode must be 0600")
    return path.read_bytes().strip()


class AttestationBook:
    """Who is attested, by user and by RPPS. One `stat` a question; a read only when the file changed."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key
        self._seen: tuple[int, int, int] | None = None
        self._by_user: dict[UserId, Attestation] = {}
        self._by_rpps: dict[Rpps, Attestation] = {}
        self.serial = -1
        self.problem = "no snapshot yet"

    def refresh(self) -> bool:
        """Re-read when the file changed. True when a newer snapshot was taken in."""
        try:
            info = self._path.stat()
        except OSError:
            self.problem = "the snapshot file is missing"
            return False
        mark = (info.st_ino, info.st_mtime_ns, info.st_size)
        if mark == self._seen:
            return False
        self._seen = mark
        try:
            if stat.S_IMODE(info.st_mode) & 0o077 or info.st_uid not in {os.geteuid(), 0}:
                raise Tampered("the snapshot file has foreign rights")
            fresh = Snapshot.decode(self._path.read_bytes(), self._key)
            if fresh.serial < self.serial:
                raise Tampered("the snapshot file went back in time")
        except (ColloqueError, OSError, ValueError, KeyError, TypeError) as error:
            self.problem = f"the snapshot file is not usable: {type(error).__name__}"
            return False
        self._by_user = fresh.by_user()
        self._by_rpps = {a.rpps: a for a in fresh.attestations}
        self.serial = fresh.serial
        self.problem = ""
        return True

    def of(self, user: UserId, now: datetime) -> Attestation | None:
        """The user's attestation if it is valid at `now`."""
        self.refresh()
        found = self._by_user.get(user)
        return found if found is not None and found.is_valid(now) else None

    def of_rpps(self, rpps: Rpps, now: datetime) -> Attestation | None:
        """The attestation of that professional, if somebody holds a valid one."""
        self.refresh()
        found = self._by_rpps.get(rpps)
        return found if found is not None and found.is_valid(now) else None

    def all(self, now: datetime) -> list[Attestation]:
        """Every valid attestation."""
        self.refresh()
        return [a for a in self._by_user.values() if a.is_valid(now)]
