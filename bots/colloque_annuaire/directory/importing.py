"""Imports asked of the running service: one at a time, journaled, told of in the admin room when refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colloque.audit import SYSTEM
from colloque.calls import JsonDict
from colloque.clock import to_millis
from colloque.directory import told
from colloque.directory.lookup import Directory
from colloque.errors import BadInput, Inconsistent, NotFound, Refused, Temporary
from colloque.logs import event as log_event
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.texts import presence as texts

log = logging.getLogger(__name__)

IMPORT_S = 3 * 3600.0
"""Longer than any import takes."""
_MAX_PATHS = 50
_LINE = 1 << 20
_INCIDENT = "import."


@dataclass(frozen=True, slots=True)
class Where:
    """Into what is imported."""

    directory: str
    cache: Path
    test: bool


class Importing:
    """One instance a service."""

    def __init__(self, *, where: Where, directory: Directory, journal: Journal, incidents: Incidents) -> None:
        self._where = where
        self._directory = directory
        self._journal = journal
        self._incidents = incidents
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._jobs: set[asyncio.Task[JsonDict]] = set()
        self._progress = (0, 0)

    async def settle(self) -> None:
        """At start: an import that a crash interrupted either put a newer directory in place or did nothing."""
        for intent in self._journal.open_intents():
            if intent.kind == told.KIND:
                done = await asyncio.to_thread(self._imported_since, intent.at)
                self._journal.end(intent.act, "imported" if done else "interrupted")

    def _imported_since(self, millis: int) -> bool:
        try:
            return to_millis(self._directory.freshness().imported_at) >= millis
        except (NotFound, Inconsistent):
            return False

    async def close(self) -> None:
        """The service stops: end a running import; nothing of it is kept."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def ask(self, paths: object, force: object = False) -> JsonDict:
        """The verb `import`: absolute paths of files and folders that this service may read; the report.

        Raises BadInput, Refused (an `ImportRefused`'s reason and message; nothing was changed), Temporary. Goes on to
        its end when the caller hangs up.
        """
        if (
            not isinstance(paths, list)
            or not 0 < len(paths) <= _MAX_PATHS
            or not all(isinstance(p, str) and p.startswith("/") and "\0" not in p for p in paths)
            or not isinstance(force, bool)
        ):
            raise BadInput(f"an import needs 1 to {_MAX_PATHS} absolute paths, and force as a boolean")
        if self._lock.locked():
            raise Temporary("another import is running")
        job = asyncio.create_task(self.run([Path(p) for p in paths], force=force))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        job.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(job)

    async def progress(self) -> JsonDict:
        """The verb `import_progress`: is one running, and how many bytes of how many it has read."""
        read, total = self._progress
        return {"running": self._lock.locked(), "read": read, "total": total}

    async def run(self, paths: Sequence[Path], *, force: bool = False, source: str = "command") -> JsonDict:
        """Import, journal, tell. Raises Refused, Temporary."""
        async with self._lock:
            facts = told.intent([path.name for path in paths], forced=force, source=source)
            act = self._journal.begin(told.KIND, actor=SYSTEM, room="", ref="", **facts)
            try:
                report = await self._imported(paths, force=force)
            except Refused as refused:
                self._journal.end(act, "refused", reason=told.file_code(refused.reason))
                await self._failed(refused.reason)
                raise
            except Temporary:
                self._journal.end(act, "failed")
                await self._failed("import.failed")
                raise
            finally:
                self._progress = (0, 0)
            self._journal.end(act, "imported", room="", **told.outcome(report))
            for key in await self._incidents.current():
                if key.startswith(_INCIDENT):
                    await self._incidents.close(key)
            log_event(log, "directory.imported", people=report["people"], mailboxes=report["mailboxes"])
            return report

    async def _failed(self, reason: str) -> None:
        log_event(log, "directory.import_refused", level=logging.WARNING, code=reason)
        await self._incidents.open(_INCIDENT + reason, texts.import_refused(reason))

    async def _imported(self, paths: Sequence[Path], *, force: bool) -> JsonDict:
        job = {
            "paths": [str(p) for p in paths],
            "where": self._where.directory,
            "cache": str(self._where.cache),
            "force": force,
            "test": self._where.test,
        }
        pipe = asyncio.subprocess.PIPE
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "colloque_annuaire.directory.importer", stdin=pipe, stdout=pipe, limit=_LINE
        )
        try:
            last = await self._follow(process, json.dumps(job).encode() + b"\n")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            self._process = None
        if "report" in last:
            report: JsonDict = last["report"]
            return report
        if "refused" in last:
            raise Refused(last["refused"], last["message"])
        raise Temporary(f"the import failed: {last.get('message', 'its process ended')}")

    async def _follow(self, process: asyncio.subprocess.Process, job: bytes) -> dict[str, Any]:
        """Hand over the job; what the process said last, its progress kept meanwhile."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(job)
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        said: dict[str, Any] = {}
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "total" in said:
                self._progress = (said["read"], said["total"])
        return said
