"""Reads one big mail many times at once, as many mailboxes would be read, and tells how much memory that took."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from colloque.config import MailServerConfig
from colloque.mail.access import Password
from colloque.mail.imap import ImapClient
from colloque_mssante.fetching import Fetching
from colloque_mssante.store import Cursor
from colloque_mssante.weights import Weights

READERS = 8
STORING_S = 0.2
"""As long as a database takes to keep it: the time for which it stands in memory."""
HALF = 25 << 19
"""Half of such a mail: what its digest is made of (servers put lines of their own above it)."""


class Told(NamedTuple):
    """What is read, and where."""

    host: str
    port: int
    ca: str
    box: str
    password: str
    folder: str


async def read(told: Told, fetching: Fetching, all_here: asyncio.Barrier) -> dict[str, Any]:
    server = MailServerConfig(told.host, told.port, Path(told.ca))
    client = await ImapClient.connect(server, told.box, Password(told.password), timeout_s=60)
    try:
        await client.examine()
        uids = deque(await client.uids(0))
        cursor = cast("Cursor", SimpleNamespace(since=datetime(2000, 1, 1, tzinfo=UTC), uid=0))
        await all_here.wait()
        async with fetching.batch(client, cursor, uids) as (_, [taken]):
            assert taken.raw is not None
            await asyncio.sleep(STORING_S)
            return {"size": len(taken.raw), "ends": hashlib.sha256(taken.raw[-HALF:]).hexdigest()}
    finally:
        await client.close()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


async def main() -> None:
    told = Told(**json.load(sys.stdin))
    fetching, all_here = Fetching(Path(told.folder), Weights()), asyncio.Barrier(READERS)
    before = peak_mb()
    mails = await asyncio.gather(*(read(told, fetching, all_here) for _ in range(READERS)))
    json.dump({"mails": mails, "more_mb": peak_mb() - before}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
