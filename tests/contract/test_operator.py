"""The sandbox operator keeps what it took, whatever happens to it, and tells nothing."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from colloque.errors import LoginRefused, MailDeferred, MailInDoubt
from colloque.files import write_private
from colloque.mail.imap import ImapClient
from colloque.mail.smtp import submit
from tests.servers.operator import Operator, SandboxOperator, address, make_accounts

A, B = address("a"), address("b")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxOperator]:
    operator = SandboxOperator(tmp_path, "a", "b")
    operator.start()
    yield operator
    operator.kill()


async def send(operator: Operator, text: str) -> None:
    async def go() -> None:
        pass

    data = f"Message-ID: <{text}@t.example>\r\n\r\n{text}\r\n".encode()
    await submit(
        operator.smtp,
        A,
        operator.password(A),
        sender=A,
        recipients=[B],
        data=data,
        envid=None,
        notify=None,
        before_data=go,
        timeout_s=10.0,
    )


async def texts(operator: Operator) -> list[tuple[int, str]]:
    """`(uid, last line)` of everything in B's mailbox."""
    client = await ImapClient.connect(operator.imap, B, operator.password(B), timeout_s=10.0)
    try:
        await client.examine()
        raws = [(await client.fetch(uid)) for uid in await client.uids(0)]
        return [(f.uid, f.take().decode().split("\r\n")[-2]) for f in raws]
    finally:
        await client.close()


async def test_what_was_taken_survives_kill_nine(sandbox: SandboxOperator):
    """Killed while many submit: what got a 250 is there once, what was deferred is not, nothing is half there."""
    taken: list[str] = []
    doubtful: set[str] = set()
    enough = asyncio.Event()
    operator = sandbox.operator

    async def one(text: str) -> None:
        try:
            await send(operator, text)
            taken.append(text)
            if len(taken) % 5 == 4:
                enough.set()
        except MailInDoubt:
            doubtful.add(text)
        except MailDeferred:
            pass

    for _ in range(4):
        tasks = [asyncio.create_task(one(secrets.token_hex(8))) for _ in range(12)]
        enough.clear()
        await enough.wait()
        sandbox.kill()
        await asyncio.gather(*tasks)
        sandbox.start()
        await one(secrets.token_hex(8))
    found = Counter(text for _, text in await texts(operator))
    assert set(taken) <= set(found) <= set(taken) | doubtful
    assert set(found.values()) == {1}


async def test_uids_survive_a_kill_and_what_it_left_is_cleared(sandbox: SandboxOperator):
    operator = sandbox.operator
    await send(operator, "one")
    before = await texts(operator)
    folder = next(p for p in (sandbox.folder / "mail").iterdir() if (p / "dovecot-uidlist").exists())
    sandbox.kill()
    (folder / "dovecot-uidlist.lock").touch()
    (folder / "tmp" / "half").write_bytes(b"Subject: ha")
    sandbox.start()
    await send(operator, "two")
    after = await texts(operator)
    assert after[0] == before[0]
    assert [text for _, text in after] == ["one", "two"]
    assert not list((folder / "tmp").iterdir())


async def test_accounts_may_change_while_it_runs(sandbox: SandboxOperator):
    operator = sandbox.operator
    new = make_accounts("c")
    (late,) = new
    with pytest.raises(LoginRefused):
        await ImapClient.connect(operator.imap, late, operator.password(A), timeout_s=10.0)
    operator.accounts.update(new)
    write_private(sandbox.folder / "accounts.json", json.dumps(operator.accounts))
    client = await ImapClient.connect(operator.imap, late, operator.token(late), timeout_s=10.0)
    assert (await client.examine()).exists == 0
    await client.close()


async def test_it_tells_nothing_of_people_or_mails(sandbox: SandboxOperator):
    operator = sandbox.operator
    secret = secrets.token_hex(8)
    await send(operator, secret)
    with pytest.raises(LoginRefused):
        await ImapClient.connect(operator.imap, B, operator.token(A), timeout_s=10.0)
    assert sandbox.stop() == 0
    assert sandbox.log() == ""
    names = " ".join(str(p) for p in sandbox.folder.rglob("*"))
    assert "@" not in names
    for path in sandbox.folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0 or path.name in {"log", "lock"} or path.is_dir()


@pytest.mark.parametrize(
    ("port", "lines", "answer"),
    [
        ("imap", [b"a LOGIN x y"], b"a NO"),
        ("imap", [b"a AUTHENTICATE PLAIN"], b"a NO"),
        ("smtp", [b"EHLO x", b"AUTH PLAIN AGEAYg=="], b"5"),
        ("smtp", [b"EHLO x", b"MAIL FROM:<a@b.example>"], b"530"),
    ],
)
def test_nobody_gets_in_before_tls(sandbox: SandboxOperator, port: str, lines: list[bytes], answer: bytes):
    with socket.create_connection(("127.0.0.1", sandbox.ports[port]), 10) as wire, wire.makefile("rb") as reader:
        reader.readline()
        for line in lines[:-1]:
            wire.sendall(line + b"\r\n")
            while reader.readline()[3:4] == b"-":
                pass
        wire.sendall(lines[-1] + b"\r\n")
        assert reader.readline().startswith(answer)


def test_one_folder_one_operator(sandbox: SandboxOperator):
    command = [sys.executable, "-m", "colloque_demo.operator", "--dir", str(sandbox.folder)]
    second = subprocess.run(
        [*command, "--imap-port", "0", "--smtp-port", "0"], check=False, timeout=30, capture_output=True
    )
    assert second.returncode == 75


@pytest.mark.parametrize(("content", "mode"), [("{", 0o600), ('{"a@b.example": 1}', 0o600), ("{}", 0o640), (None, 0)])
def test_a_folder_that_can_not_be_used(tmp_path: Path, content: str | None, mode: int):
    if content is not None:
        (tmp_path / "accounts.json").write_text(content)
        (tmp_path / "accounts.json").chmod(mode)
    command = [sys.executable, "-m", "colloque_demo.operator", "--dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--imap-port", "0", "--smtp-port", "0"], check=False, timeout=30, capture_output=True
    )
    assert done.returncode == 78
    assert b"accounts.json" in done.stderr
