"""Keeps the federation list: on disk, verified, never older than before, and fetched only so often.

Whatever asks (the regular refresh, a domain that nobody knows), no more than `PER_HOUR` fetches leave in an hour, also
through restarts; who asks meanwhile is answered from what is there. An operator's own word is not counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from colloque.clock import Clock, from_millis, to_millis
from colloque.errors import ColloqueError, Refused, Tampered, Temporary
from colloque.federation.ed25519 import verify
from colloque.federation.http_list import Fetched
from colloque.files import write_private
from colloque.logs import event as log_event
from colloque.policy.federation import Entry, FederationList, Use, judge
from colloque.policy.federation_list import open_list

PER_HOUR = 3
HOUR = timedelta(hours=1)

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where the list is fetched (`http_list.ListSource`)."""

    async def fetch(self, version: int, etag: str) -> Fetched | None:
        """The list unless it is still of that version. Raises Temporary, Tampered."""
        ...


class Turn(StrEnum):
    """What a refresh came to."""

    NEW = "new"
    SAME = "same"
    RESTING = "resting"
    """Not fetched: fetched often enough of late."""


@dataclass(frozen=True, slots=True)
class _Notes:
    """What is kept beside the list."""

    etag: str = ""
    fetches: tuple[datetime, ...] = ()


class Keeper:
    """One a process. `load` first."""

    def __init__(self, *, source: Source, folder: Path, authority: Mapping[str, bytes], clock: Clock) -> None:
        """`folder` gets two files, `federation-list.jws` and `.json`; `authority`: pinned keys by kid."""
        self._source = source
        self._path = folder / "federation-list.jws"
        self._noted = folder / "federation-list.json"
        self._authority = dict(authority)
        self._clock = clock
        self._kept: FederationList | None = None
        self._notes = _Notes()
        self._running: asyncio.Task[Turn] | None = None
        self.problem = ""
        """Why the last fetch changed nothing, as a code; empty when it went well."""

    def load(self) -> None:
        """Take up what is on disk. A list that no longer verifies is as good as none."""
        try:
            raw = json.loads(self._noted.read_bytes())
            self._notes = _Notes(str(raw["etag"]), tuple(from_millis(int(at)) for at in raw["fetches"]))
        except (OSError, ValueError, KeyError, TypeError):
            self._notes = _Notes()
        try:
            self._kept = open_list(self._path.read_bytes(), self._authority, verify)
        except FileNotFoundError:
            self._kept = None
        except (OSError, Tampered) as error:
            self._kept = None
            log_event(log, "federation.list_unusable", level=logging.ERROR, error=type(error).__name__)
        if self._kept is None:
            # What an unchanged answer would refer to is not there.
            self._notes = _Notes("", self._notes.fetches)

    @property
    def current(self) -> FederationList | None:
        """The list in force; None when there is none, or when it has ended: then nobody is listed."""
        kept = self._kept
        return kept if kept is not None and kept.is_valid(self._clock.now()) else None

    @property
    def health(self) -> str:
        """A code; empty while a list is in force."""
        if self.current is not None:
            return ""
        return "federation.no_list" if self._kept is None else "federation.list_expired"

    def entry(self, server: str) -> Entry | None:
        """A listed server."""
        listed = self.current
        return listed.servers.get(server) if listed is not None else None

    def key_of(self, server: str, kid: str) -> bytes | None:
        """A listed server's key for attestations, valid now."""
        entry = self.entry(server)
        return entry.key(Use.ATTESTATION, kid, self._clock.now()) if entry is not None else None

    async def find(self, server: str) -> Entry | None:
        """A listed server; an unknown one is looked for in a fresh list, if one may be fetched now."""
        found = self.entry(server)
        if found is None:
            try:
                await self.refresh()
            except (Temporary, Tampered, Refused):
                return None  # Told by `problem`; the list in force still counts.
            found = self.entry(server)
        return found

    async def refresh(self, *, ordered: bool = False) -> Turn:
        """Fetch, verify, keep. Who asks while a fetch runs gets that one's outcome. `ordered`: an operator asks.

        Raises Temporary (can't be fetched, can't be kept), Tampered (does not verify), Refused (a `federation.No`):
        the list in use then stays.
        """
        if self._running is None:
            if not ordered and self._resting():
                return Turn.RESTING
            self._running = asyncio.create_task(self._fetch())
            self._running.add_done_callback(self._done)
        return await asyncio.shield(self._running)

    def _done(self, task: asyncio.Task[Turn]) -> None:
        self._running = None
        if not task.cancelled():
            task.exception()  # Whoever waited was told; nobody may be left.

    def _resting(self) -> bool:
        return len(self._lately()) >= PER_HOUR

    def _lately(self) -> tuple[datetime, ...]:
        now = self._clock.now()
        return tuple(at for at in self._notes.fetches if now - HOUR < at <= now)

    async def _fetch(self) -> Turn:
        try:
            turn = await self._fetch_once()
        except ColloqueError as error:
            self.problem = error.reason if isinstance(error, Refused) else error.code
            log_event(log, "federation.list_not_taken", level=logging.WARNING, code=self.problem)
            raise
        self.problem = ""
        return turn

    async def _fetch_once(self) -> Turn:
        # Noted before it leaves: a crash in the middle costs a fetch, never gives one more.
        self._note(_Notes(self._notes.etag, (*self._lately(), self._clock.now())))
        kept = self._kept
        found = await self._source.fetch(kept.version if kept else 0, self._notes.etag)
        if found is None:
            if kept is None:
                raise Tampered("the federation list's server says unchanged, and there was none")
            return Turn.SAME
        fresh = open_list(found.text, self._authority, verify)
        if not judge(kept, fresh, self._clock.now()):
            self._note(_Notes(found.etag, self._notes.fetches))
            return Turn.SAME
        self._write(self._path, found.text)
        self._kept = fresh
        self._note(_Notes(found.etag, self._notes.fetches))
        log_event(log, "federation.list_taken", version=fresh.version, servers=len(fresh.servers))
        return Turn.NEW

    def _note(self, notes: _Notes) -> None:
        told = {"etag": notes.etag, "fetches": [to_millis(at) for at in notes.fetches]}
        self._write(self._noted, json.dumps(told).encode())
        self._notes = notes

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        try:
            write_private(path, data)
        except OSError as error:
            raise Temporary(f"the federation list can't be kept: {error.strerror}") from None
