"""The operators that the mail contract suites run on, and what they do with them.

The fixtures are in tests/contract/conftest.py; each module that asks for one gets servers of its own.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.config import MailServerConfig
from colloque.mail.access import Auth
from colloque.mail.compose import compose
from colloque.mail.imap import ImapClient
from colloque.mail.message import Attachment, Mail, Outgoing, Party
from colloque.mail.parse import parse_mail
from colloque.mail.smtp import Submitted, submit
from tests.servers.dovecot import Dovecot
from tests.servers.operator import Operator, SandboxOperator
from tests.servers.postfix import Postfix

LOCALS = [f"box{n}" for n in range(60)]
TIMEOUT_S = 10.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Operator]:
    with tempfile.TemporaryDirectory(prefix="clq-op-", dir="/tmp") as folder:
        server = SandboxOperator(Path(folder), *LOCALS)
        try:
            yield server.start()
        finally:
            assert server.stop() == 0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[tuple[Dovecot, Operator]]:
    server = Dovecot(*LOCALS)
    try:
        yield server, server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def postfix() -> Iterator[tuple[Postfix, Operator]]:
    server = Postfix(*LOCALS)
    try:
        yield server, server.start()
    finally:
        server.stop()


def operator_of(found: object) -> Operator:
    """Whichever of the three fixtures it comes from."""
    return found if isinstance(found, Operator) else found[1]  # type: ignore[index]


class Step:
    """A `before_data` that counts, and may do something."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.calls = 0
        self._act = act

    async def __call__(self) -> None:
        self.calls += 1
        self._act()


def written(operator: Operator, sender: str, *to: str, size: int = 0) -> bytes:
    return compose(
        Outgoing(
            message_id=f"<{secrets.token_hex(8)}@t.example>",
            sender=Party("Dr Éloïse", sender),
            to=tuple(Party("", t) for t in to),
            subject="Résultats",
            text="Bonjour\n.\n..point\nfin",
            date=datetime.now(UTC),
            nil="DEV000001",
            attachments=(Attachment("a.bin", "application/octet-stream", secrets.token_bytes(size)),) if size else (),
        )
    )


async def send(
    operator: Operator,
    sender: str,
    *to: str,
    data: bytes | None = None,
    server: MailServerConfig | None = None,
    auth: Auth | None = None,
    login: str = "",
    step: Callable[[], Awaitable[None]] | None = None,
    envid: str | None = None,
    notify: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Submitted:
    return await submit(
        server or operator.smtp,
        login or sender,
        auth or operator.password(sender),
        sender=sender,
        recipients=to,
        data=data or written(operator, sender, *to),
        envid=envid,
        notify=notify,
        before_data=step or Step(),
        timeout_s=timeout_s,
    )


async def inbox(operator: Operator, box: str, count: int, *, within: float = 20.0) -> list[Mail]:
    """The mails of a mailbox, once there are `count`."""
    client = await ImapClient.connect(operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    end = time.monotonic() + within
    try:
        await client.examine()
        while len(uids := await client.uids(0)) < count:
            assert time.monotonic() < end, f"{len(uids)} mails of {count}"
            await client.wait(1.0)
        return [parse_mail((await client.fetch(uid)).take()) for uid in uids]
    finally:
        await client.close()
