"""Fetches a big mail while files may only grow so far, at one size after the other; then without that limit."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

from colloque.config import MailServerConfig
from colloque.errors import ColloqueError
from colloque.mail.access import Password
from colloque.mail.imap import ImapClient
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.mailboxes import Cursor


class Told(NamedTuple):
    """What is read, and where. `limits`: bytes from which on the disk is full, one fetch each; 0: there is room."""

    host: str
    port: int
    ca: str
    box: str
    password: str
    folder: str
    limits: list[int]


def limit(most: int) -> None:
    """What a full disk answers to a write, EFBIG in the place of ENOSPC."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most or resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def fetch(client: ImapClient, uids: list[int], fetching: Fetching) -> dict[str, Any]:
    """What is to be kept, or which of our errors there was; and how many files it left open."""
    cursor = cast("Cursor", SimpleNamespace(address=None, since=datetime(2000, 1, 1, tzinfo=UTC), uid=0))
    before = open_files()
    found: dict[str, Any]
    try:
        async with fetching.batch(client, cursor, deque(uids)) as (upto, kept):
            found = {"upto": upto, "sizes": [len(taken.raw) if taken.raw is not None else None for taken in kept]}
    except ColloqueError as error:
        found = {"error": error.code}
    return found | {"files": open_files() - before}


async def main() -> None:
    told = Told(**json.load(sys.stdin))
    server = MailServerConfig(told.host, told.port, Path(told.ca))
    client = await ImapClient.connect(server, told.box, Password(told.password), timeout_s=60)
    try:
        await client.examine()
        uids, fetching, found = await client.uids(0), Fetching(Path(told.folder), Weights()), list[dict[str, Any]]()
        for most in told.limits:
            limit(most)
            found.append(await fetch(client, uids, fetching))
    finally:
        limit(0)
        await client.close()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
