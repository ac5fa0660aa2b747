"""Mails of 25 MB: they go to the disk as they come, and through memory one after the other."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import sys
from pathlib import Path

import pytest

from colloque.errors import NoRoom
from colloque.mail.imap import CHUNK, ImapClient
from tests.servers.big_mails import READERS, Told
from tests.servers.mail_suites import TIMEOUT_S, dovecot, operator_of  # noqa: F401 - a fixture
from tests.servers.operator import Operator

pytestmark = pytest.mark.dovecot
SIZE = 25 << 20


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> Operator:
    return operator_of(request.getfixturevalue("dovecot"))


def mail(size: int) -> bytes:
    head = f"Message-ID: <{secrets.token_hex(8)}@t.example>\r\nSubject: t\r\n\r\n"
    return head.encode() + (b"x" * 70 + b"\r\n") * (size // 72)


async def test_many_at_once_take_the_memory_of_few(operator: Operator, tmp_path: Path) -> None:
    raw, box = mail(SIZE), operator.fresh()
    await asyncio.to_thread(operator.deliver, box, raw)
    server = operator.imap
    told = Told(server.host, server.port, str(server.ca), box, operator.accounts[box]["password"], str(tmp_path))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.servers.big_mails",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    out, _ = await asyncio.wait_for(child.communicate(json.dumps(told._asdict()).encode()), 120)
    assert child.returncode == 0
    found = json.loads(out)
    assert [each["size"] for each in found["mails"]] == [found["mails"][0]["size"]] * READERS
    assert found["mails"][0]["size"] >= len(raw)
    assert {each["ends"] for each in found["mails"]} == {hashlib.sha256(raw[-SIZE // 2 :]).hexdigest()}
    whole = READERS * SIZE / 1e6
    assert found["more_mb"] < whole / 2, f"{found['more_mb']} MB more for {whole} MB of mail"
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir())), "the files have no name"


async def test_a_full_disk_loses_nothing(operator: Operator, tmp_path: Path) -> None:
    raw, box = mail(3 * CHUNK), operator.fresh()
    await asyncio.to_thread(operator.deliver, box, raw)
    client = await ImapClient.connect(operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    try:
        await client.examine()
        (uid,) = await client.uids(0)
        with pytest.raises(NoRoom):
            await client.fetch(uid, tmp_path / "gone")
        fetched = await client.fetch(uid, tmp_path)
        taken = fetched.take()
        assert taken.endswith(raw)
        assert fetched.size == len(taken)
    finally:
        await client.close()
