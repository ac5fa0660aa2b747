"""Reads one big mail in each of many mailboxes at once, and tells how much memory that took."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from colloque.config import MailServerConfig
from colloque.mail.access import Password
from colloque.mail.imap import ImapClient
from colloque_mssante.mailboxes import watch
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.mailboxes import Cursor

STORING_S = 0.2
"""As long as a database takes to keep it: the time for which it stands in memory."""
ENDS = 25 << 19
"""Bytes at the end of such a mail, half of it, that its digest is made of (servers put lines of their own above it)."""


class Told(NamedTuple):
    """What is read, and where. `boxes`: passwords by address."""

    host: str
    port: int
    ca: str
    boxes: dict[str, str]
    folder: str


async def read(
    told: Told, box: str, fetching: Fetching, places: asyncio.Semaphore, all_here: asyncio.Barrier
) -> dict[str, Any]:
    """As `Watcher` does."""
    server = MailServerConfig(told.host, told.port, Path(told.ca))
    client = await ImapClient.connect(server, box, Password(told.boxes[box]), timeout_s=60)
    try:
        await client.examine()
        uids = deque(await client.uids(0))
        cursor = cast("Cursor", SimpleNamespace(address=None, since=datetime(2000, 1, 1, tzinfo=UTC), uid=0))
        await all_here.wait()
        async with places, fetching.batch(client, cursor, uids) as (_, [taken]):
            assert taken.raw is not None
            await asyncio.sleep(STORING_S)
            return {"size": len(taken.raw), "ends": hashlib.sha256(taken.raw[-ENDS:]).hexdigest()}
    finally:
        await client.close()


def peak_mb() -> float:
    """The most that this program ever had in memory (`getrusage` would tell its parent's peak where that is more)."""
    [line] = (each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1000


async def main() -> None:
    told = Told(**json.load(sys.stdin))
    fetching, places = Fetching(Path(told.folder), Weights()), asyncio.Semaphore(watch._AT_ONCE)
    all_here = asyncio.Barrier(len(told.boxes))
    before = peak_mb()
    mails = await asyncio.gather(*(read(told, box, fetching, places, all_here) for box in told.boxes))
    json.dump({"mails": dict(zip(told.boxes, mails, strict=True)), "more_mb": peak_mb() - before}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
