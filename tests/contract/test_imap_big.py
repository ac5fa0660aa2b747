"""Mails of 25 MB: they go to the disk as they come, and through memory one after the other."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import pytest

from colloque.errors import NoRoom
from colloque.mail.imap import CHUNK
from tests.contract.test_imap_filing import visiting
from tests.servers import big_mails, full_disk
from tests.servers.mail_suites import operator_of
from tests.servers.operator import Operator

pytestmark = pytest.mark.dovecot
SIZE, BOXES = 25 << 20, 24
MOST_MB = 180
"""Above what the process takes anyhow, for 600 MB of mail: some 100, and from 250 on if they took no turns."""


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> Operator:
    return operator_of(request.getfixturevalue("dovecot"))


def mail(size: int) -> bytes:
    """No two are alike in any line."""
    name = secrets.token_hex(8)
    line = name.encode() * 4 + b"x" * 6 + b"\r\n"
    return f"Message-ID: <{name}@t.example>\r\nSubject: t\r\n\r\n".encode() + line * (size // len(line))


async def run(module: str, told: dict[str, Any]) -> Any:
    """What that program of `tests.servers` finds, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    out, _ = await asyncio.wait_for(child.communicate(json.dumps(told).encode()), 120)
    assert child.returncode == 0
    return json.loads(out)


async def test_many_at_once_take_the_memory_of_few(operator: Operator, tmp_path: Path) -> None:
    ends, sizes = dict[str, str](), dict[str, int]()
    for box in (operator.fresh() for _ in range(BOXES)):
        raw = mail(SIZE)
        ends[box], sizes[box] = hashlib.sha256(raw[-big_mails.ENDS :]).hexdigest(), len(raw)
        await asyncio.to_thread(operator.deliver, box, raw)
    server, boxes = operator.imap, {box: operator.accounts[box]["password"] for box in ends}
    told = big_mails.Told(server.host, server.port, str(server.ca), boxes, str(tmp_path))
    found = await run(big_mails.__name__, told._asdict())
    assert {box: each["ends"] for box, each in found["mails"].items()} == ends
    assert all(each["size"] >= sizes[box] for box, each in found["mails"].items())
    assert found["more_mb"] < MOST_MB, f"{found['more_mb']} MB more for {sum(sizes.values()) / 1e6} MB of mail"
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir())), "the files have no name"


async def test_a_disk_that_is_full_anywhere_in_a_mail_loses_nothing(operator: Operator, tmp_path: Path) -> None:
    raw, box, server = mail(3 * CHUNK), operator.fresh(), operator.imap
    await asyncio.to_thread(operator.deliver, box, raw)
    # In the middle of a piece; at its end; so near to it that the rest is small; in the last piece; none any more.
    limits = [CHUNK // 2, CHUNK, 2 * CHUNK - 1000, len(raw) - 1, 0]
    password = operator.accounts[box]["password"]
    told = full_disk.Told(server.host, server.port, str(server.ca), box, password, str(tmp_path), limits)
    *full, there = await run(full_disk.__name__, told._asdict())
    assert full == [{"error": NoRoom.code, "files": 0}] * 4
    assert (there["upto"], there["files"]) == (1, 0)
    assert there["sizes"][0] >= len(raw)
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_a_mail_that_is_forwarded_waits_where_its_reader_says(operator: Operator, tmp_path: Path) -> None:
    raw, box = mail(2 * CHUNK), operator.fresh()
    await asyncio.to_thread(operator.deliver, box, raw)
    async with visiting(operator, box) as client:
        here = await client.examine()
        [uid] = await client.uids(0)
    async with visiting(operator, box) as client:
        with pytest.raises(NoRoom):
            await client.again(here.uidvalidity, uid, tmp_path / "gone")
        again = await client.again(here.uidvalidity, uid, tmp_path)
    assert again is not None
    assert again.endswith(raw)
