"""The attestations in memory, following the snapshot file and its changes. Standard library only.

Read by every Synapse process, the patient-room service and the bridge. What was last good stays in force when a file is
missing, foreign, damaged or older: known people keep working until their attestation ends; the problem is kept in
`problem` for health and logs. A question costs one `stat`; what was appended is read, the rest is not read again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from colloque import signed
from colloque.attestation import Attestation, Change, Kind, Servers
from colloque.errors import ColloqueError, Tampered
from colloque.identity import Rpps, UserId, server_of


def read_secret(path: Path) -> bytes:
    """A secret file's content, stripped. Raises Tampered when others than its owner may read or write it."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Tampered(f"{path.name} is readable by others: its mode must be 0600")
    return path.read_bytes().strip()


def changes_of(path: Path) -> Path:
    """The file of changes beside a snapshot."""
    return path.with_name(path.name + ".changes")


class State:
    """What a snapshot and its changes add up to."""

    def __init__(self) -> None:
        self.by_user: dict[UserId, Attestation] = {}
        self.by_rpps: dict[Rpps, Attestation] = {}
        """Professionals only."""
        self.staff: set[UserId] = set()
        self.blocks: dict[UserId, frozenset[UserId]] = {}
        self.servers: Servers | None = None
        self.listed: frozenset[str] = frozenset()
        self.bots: frozenset[UserId] = frozenset()
        self.ghosts: dict[str, str] = {}
        """How the names of a listed server's ghosts begin, where it has some."""
        self.salles: dict[str, UserId] = {}
        """The @salles of each listed server that has one."""
        self.erases_until: dict[str, datetime] = {}

    def apply(self, change: Change) -> None:
        """Take a change in."""
        for user in change.ended:
            self._forget(user)
        for each in change.attested:
            self._forget(each.user)
            self.by_user[each.user] = each
            if each.kind is Kind.PROFESSIONAL:
                self._index(each)
            elif each.kind is Kind.STAFF:
                self.staff.add(each.user)
        for user, refused in change.blocks.items():
            if refused:
                self.blocks[user] = refused
            else:
                self.blocks.pop(user, None)
        if change.servers is not None:
            self.servers = change.servers
            self.listed = frozenset(s.name for s in change.servers.listed)
            self.bots = frozenset(bot for s in change.servers.listed for bot in s.bots if server_of(bot) == s.name)
            self.ghosts = {s.name: s.ghosts for s in change.servers.listed if s.ghosts}
            named = {s.name: s.salles for s in change.servers.listed}
            self.salles = {name: bot for name, bot in named.items() if bot is not None and bot in self.bots}
            self.erases_until = {s.name: s.erases_until for s in change.servers.listed if s.erases_until is not None}

    def _index(self, new: Attestation) -> None:
        """A number has one holder: of an account that was closed and the one that followed, the later."""
        held = self.by_rpps.get(new.rpps)
        if held is None or held.valid_until <= new.valid_until:
            self.by_rpps[new.rpps] = new

    def _forget(self, user: UserId) -> None:
        old = self.by_user.pop(user, None)
        self.staff.discard(user)
        if old is not None and self.by_rpps.get(old.rpps) is old:
            del self.by_rpps[old.rpps]


class AttestationBook:
    """Who is attested, by user and by RPPS; who refuses whom; which servers are listed."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._changes = changes_of(path)
        self._watched = os.fspath(self._changes)
        self._key = key
        self._seen: tuple[int, int, int] | None = None
        self._base = ""
        """MAC of the snapshot that was read."""
        self.chain = ""
        """MAC of the last change applied; empty when there is no file of changes yet."""
        self.end = 0
        """How far into the file of changes, in bytes."""
        self.count = 0
        """Changes applied since the snapshot."""
        self.state = State()
        self.edition = 0
        """Grows whenever something was taken in."""
        self.serial = -1
        self.problem = "no snapshot yet"

    def refresh(self) -> bool:
        """Look at the files, and take in what is new. True when something was."""
        try:
            info = os.stat(self._watched)  # noqa: PTH116 - asked at every decision: pathlib takes twice as long
        except OSError:
            try:
                info = self._path.stat()
            except OSError:
                self.problem = "the snapshot file is missing"
                return False
        mark = (info.st_ino, info.st_mtime_ns, info.st_size)
        if mark == self._seen:
            return False
        self._seen = mark
        before = self.edition
        try:
            self._read()
            self.problem = ""
        except (ColloqueError, OSError, ValueError, KeyError, TypeError) as error:
            self.problem = f"the snapshot file is not usable: {type(error).__name__}"
        return self.edition != before

    def _read(self) -> None:
        with self._path.open("rb") as file:
            _check_rights(file)
            head = signed.header(file.readline(), self._key)
            if head.mac != self._base:
                if head.serial < self.serial:
                    raise Tampered("the snapshot file went back in time")
                if not head.after or head.after != self.chain:
                    self.state = _whole(signed.body(head, file.read()))
                    self.edition += 1
                self._base, self.serial = head.mac, head.serial
                self.chain, self.end, self.count = "", 0, 0
        try:
            with self._changes.open("rb") as file:
                _check_rights(file)
                self._follow(file)
        except FileNotFoundError:
            if self.chain:
                raise Tampered("the file of changes is missing") from None

    def _follow(self, file: BinaryIO) -> None:
        """Take in the complete lines that were appended; half a line waits for the rest."""
        if file.seek(0, os.SEEK_END) < self.end:
            raise Tampered("the file of changes was cut")
        file.seek(self.end)
        for line in file:
            if not line.endswith(b"\n"):
                return
            if not self.chain:
                mac, of = signed.start(line, self._key)
                if of != self._base:
                    return  # Of another snapshot: its writer died between the two, and repairs this at its start.
                self.chain = mac
            else:
                self.chain, serial, change = signed.read_change(line, self._key, self.chain)
                self.state.apply(change)
                self.serial = max(self.serial, serial)
                self.count += 1
                self.edition += 1
            self.end += len(line)

    def of(self, user: UserId, now: datetime) -> Attestation | None:
        """The user's attestation if it is valid at `now`. (Whether their server is listed: `is_listed`.)"""
        self.refresh()
        return self.known(user, now)

    def known(self, user: UserId, now: datetime) -> Attestation | None:
        """The same, without a look at the files."""
        found = self.state.by_user.get(user)
        return found if found is not None and found.is_valid(now) else None

    def of_rpps(self, rpps: Rpps, now: datetime) -> Attestation | None:
        """The attestation of that professional, if somebody holds a valid one."""
        self.refresh()
        found = self.state.by_rpps.get(rpps)
        return found if found is not None and found.is_valid(now) else None

    def all(self, now: datetime) -> list[Attestation]:
        """Every valid attestation, those of other servers too."""
        self.refresh()
        return [a for a in self.state.by_user.values() if a.is_valid(now)]

    def refuses(self, user: UserId, other: UserId) -> bool:
        """Has `user` blocked `other`?"""
        refused = self.state.blocks.get(user)
        return refused is not None and other in refused

    def is_listed(self, server: str, now: datetime) -> bool:
        """Is the server in the federation list, and the list in force?"""
        servers = self.state.servers
        return server in self.state.listed and servers is not None and now < servers.until

    def is_bot(self, user: UserId) -> bool:
        """Is it another server's bot? Those are nobody's, and of no team."""
        self.refresh()
        return user in self.state.bots

    def salles_of(self, server: str, now: datetime) -> UserId | None:
        """The bot of a listed server that makes patient rooms, and keeps account of those of others."""
        return self.state.salles.get(server) if self.is_listed(server, now) else None

    def erases(self, server: str, now: datetime) -> bool:
        """Can that listed server erase its copy of a room, and prove it? It has a @salles, and a key for receipts."""
        until = self.state.erases_until.get(server)
        return until is not None and now < until and self.salles_of(server, now) is not None


def _check_rights(file: BinaryIO) -> None:
    info = os.fstat(file.fileno())
    if stat.S_IMODE(info.st_mode) & 0o077 or info.st_uid not in {os.geteuid(), 0}:
        raise Tampered("the snapshot file has foreign rights")


def _whole(changes: Iterable[Change]) -> State:
    state = State()
    for change in changes:
        state.apply(change)
    return state
