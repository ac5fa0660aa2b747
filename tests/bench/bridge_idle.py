"""5,000 mailboxes that wait, in one process of ours: what they cost in memory, and how soon a new mail is seen.

Dovecot hibernates its own side, as an operator's would.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from colloque.attestation import Attestation, Method, snapshot
from colloque.clock import SystemClock, monotonic
from colloque.directory.extract import import_files
from colloque.files import write_private
from colloque.identity import Rpps, UserId
from colloque.snapshot import SnapshotWriter
from tests.bench.idle_program import KEY
from tests.bench.result import Goal, Result, result
from tests.extracts import mailbox, mailbox_file, people_file, person, rpps
from tests.servers.dovecot import Dovecot
from tests.servers.operator import DOMAIN, Operator

BOXES = int(os.environ.get("COLLOQUE_BENCH_BOXES", "5000"))
"""Fewer to try the bench, never to judge by it."""
MAILS = 200
MEMORY, LATENCY = Goal(400.0), Goal(1.0)
_SEEN_S = 60.0
_USERS = 200
"""System users of Dovecot's: each of them may watch 128 mailboxes."""
SETTINGS = """
mail_fsync = never
default_client_limit = 16000
default_process_limit = 5200
mail_max_userip_connections = 12000
imap_hibernate_timeout = 2s
service imap-login {
  service_count = 0
  process_min_avail = 2
  process_limit = 2
  client_limit = 8000
  vsz_limit = 2 G
}
service imap {
  process_limit = 5200
  extra_groups = dovecot
  unix_listener imap-master {
    user = dovecot
  }
}
service imap-hibernate {
  client_limit = 12000
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""


class _Waiting(Dovecot):
    """Inboxes are made by whoever logs in first: nothing is delivered before."""

    def _make_inboxes(self) -> None:
        pass


async def idle() -> tuple[Result, Result]:
    """Megabytes of the process (RSS), the most that it ever had; and the p95 of seconds to a mail's being read.

    Those count from the moment when the operator has taken it (LMTP).
    """
    async with _waiting() as (operator, process, seen):
        waiting = _status(process.pid, "VmRSS")
        took = [await _one(operator, seen, who) for who in random.Random(1).sample(list(operator.accounts), MAILS)]
        most = _status(process.pid, "VmHWM")
    cuts = statistics.quantiles(took, n=20)
    print(f"bridge-idle: {BOXES} mailboxes wait in {waiting:.0f} MB, at most {most:.0f} MB on the way there and after")
    print(f"{MAILS} mails: p50 {cuts[9]:.3f} s, p95 {cuts[18]:.3f} s, slowest {max(took):.3f} s")
    return (
        result("bridge-idle", most, "MB, most ever", MEMORY),
        replace(result("bridge-idle-p95", cuts[18], "s", LATENCY), command="make bench ONLY=bridge-idle"),
    )


async def _one(operator: Operator, seen: asyncio.Queue[tuple[str, float]], who: str) -> float:
    raw = f"From: b@{DOMAIN}\r\nMessage-ID: <{random.getrandbits(64)}@b.example>\r\n\r\n{'Bonjour. ' * 200}\r\n"
    await asyncio.to_thread(operator.deliver, who, raw.encode())
    taken = monotonic()
    async with asyncio.timeout(_SEEN_S):
        found, at = await seen.get()
    assert found == who
    return max(at - taken, 0.0)


@asynccontextmanager
async def _waiting() -> AsyncIterator[tuple[Operator, asyncio.subprocess.Process, asyncio.Queue[tuple[str, float]]]]:
    """The operator, the process whose mailboxes all wait, and what it sees."""
    server = _Waiting(*(f"b{n}" for n in range(BOXES)))
    server.more, server.uids = SETTINGS, _USERS
    try:
        operator = server.start()
        with tempfile.TemporaryDirectory(prefix="clq-idle-", dir="/tmp") as folder:
            await asyncio.to_thread(_prepare, Path(folder), operator)
            command = [sys.executable, "-m", "tests.bench.idle_program", folder]
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            seen: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
            ready = asyncio.Event()
            reading = asyncio.create_task(_read(process, seen, ready))
            try:
                await ready.wait()
                await asyncio.sleep(10.0)  # Dovecot hibernates meanwhile, as it does on a usual day
                yield operator, process, seen
            finally:
                process.kill()
                await process.wait()
                reading.cancel()
    finally:
        await asyncio.to_thread(server.stop)


async def _read(
    process: asyncio.subprocess.Process, seen: asyncio.Queue[tuple[str, float]], ready: asyncio.Event
) -> None:
    assert process.stdout is not None
    began = monotonic()
    async for line in process.stdout:
        what, *more = line.decode().split()
        if what == "ready":
            print(f"every mailbox open after {monotonic() - began:.0f} s", flush=True)
            ready.set()
        elif what == "seen":
            seen.put_nowait((more[0], float(more[1])))
    ready.set()  # it ended: whoever waits for a mail will say so


def _prepare(folder: Path, operator: Operator) -> None:
    clock = SystemClock()
    now, names = clock.now(), list(operator.accounts)
    people = people_file(folder, [person(n) for n in range(len(names))])
    boxes = mailbox_file(folder, [mailbox(name, n) for n, name in enumerate(names)])
    import_files([people, boxes], folder / "directory.sqlite", clock)
    attested = [
        Attestation(
            UserId(f"@p{n}:h.test"), Rpps(rpps(n)), "Dr", Method.PSC, now - timedelta(hours=1), now + timedelta(days=9)
        )
        for n in range(len(names))
    ]
    SnapshotWriter(folder / "snapshot", KEY).publish(snapshot(1, now, attested))
    write_private(folder / "mailboxes.yaml", _credentials(operator.accounts))
    server = operator.imap
    told = {"host": server.host, "port": server.port, "ca": str(server.ca), "addresses": names}
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


def _credentials(accounts: Mapping[str, dict[str, str]]) -> str:
    return "".join(f'"{name}": {{password: "{account["password"]}"}}\n' for name, account in accounts.items())


def _status(pid: int, name: str) -> float:
    """Megabytes."""
    found = re.search(rf"^{name}:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6
