"""What the suites of IMAP servers share: the sandbox operator and Debian's Dovecot, mailboxes, and what lies in them.

from tests.servers.imap_suites import box, dovecot, operator, sandbox  # noqa: F401 - fixtures
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from colloque.config import MailServerConfig
from colloque.mail.imap import ImapClient
from tests.servers.mail_suites import TIMEOUT_S, operator_of
from tests.servers.operator import Operator
from tests.servers.proxy import Proxy


@pytest.fixture(params=["sandbox", pytest.param("dovecot", marks=pytest.mark.dovecot)])
def operator(request: pytest.FixtureRequest) -> Operator:
    return operator_of(request.getfixturevalue(request.param))


@pytest.fixture
def box(operator: Operator) -> str:
    """An empty mailbox of its own for each test."""
    return operator.fresh()


def mail(text: str = "Bonjour") -> bytes:
    return f"Message-ID: <{secrets.token_hex(8)}@t.example>\r\nSubject: t\r\n\r\n{text}\r\n".encode()


@asynccontextmanager
async def opened(operator: Operator, box: str, server: MailServerConfig | None = None) -> AsyncIterator[ImapClient]:
    client = await ImapClient.connect(server or operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    try:
        yield client
    finally:
        await client.close()


def via(proxy: Proxy, operator: Operator) -> MailServerConfig:
    return replace(operator.imap, port=proxy.port)


async def deliver(operator: Operator, box: str, *raws: bytes) -> None:
    for raw in raws:
        await asyncio.to_thread(operator.deliver, box, raw)
