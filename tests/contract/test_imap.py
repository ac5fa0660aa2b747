"""One suite for every IMAP server: the sandbox operator, and Debian's Dovecot where it is installed."""

from __future__ import annotations

import asyncio
import imaplib
import secrets
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from colloque.errors import MailDeferred, NotFound
from colloque.mail.imap import CHUNK, ImapClient
from tests.servers.imap_suites import deliver, mail, opened, via
from tests.servers.mail_suites import TIMEOUT_S
from tests.servers.operator import Operator
from tests.servers.proxy import Proxy

CORPUS = Path(__file__).parents[1] / "data" / "mail"


# --- reading ---


async def test_uids_rise_in_order_of_arrival_and_are_not_given_twice(operator: Operator, box: str):
    raws = [mail(f"n{i}") for i in range(5)]
    await deliver(operator, box, *raws)
    async with opened(operator, box) as client:
        before = await client.examine()
        uids = await client.uids(0)
        assert len(uids) == before.exists == 5
        assert uids == sorted(uids)
        assert before.uidnext > uids[-1]
        assert [(await client.fetch(uid)).take().endswith(raw) for uid, raw in zip(uids, raws, strict=True)] == [
            True
        ] * 5
        # `n:*` would give the last message again.
        assert await client.uids(uids[-1]) == []
        assert await client.uids(uids[2]) == uids[3:]
        assert await client.uids(2**32 - 1) == []
    async with opened(operator, box) as client:
        assert (await client.examine()).uidvalidity == before.uidvalidity
        assert await client.uids(0) == uids


async def test_since_leaves_out_older_mail(operator: Operator, box: str):
    await deliver(operator, box, mail())
    async with opened(operator, box) as client:
        await client.examine()
        uids = await client.uids(0, since=datetime.now(UTC).date())
        assert len(uids) == 1
        assert await client.uids(0, since=datetime.now(UTC).date() + timedelta(days=5)) == []
        arrived = (await client.fetch(uids[0])).internal_date
        assert abs(arrived - datetime.now(UTC)) < timedelta(minutes=2)


async def test_reading_leaves_no_trace(operator: Operator, box: str):
    await deliver(operator, box, mail())
    async with opened(operator, box) as client:
        await client.examine()
        await client.fetch((await client.uids(0))[0])
    flags = await asyncio.to_thread(_flags, operator, box)
    assert b"Seen" not in flags
    assert b"Deleted" not in flags


def _flags(operator: Operator, box: str) -> bytes:
    with imaplib.IMAP4("localhost", operator.imap.port, timeout=30) as other:
        other.starttls(ssl.create_default_context(cafile=str(operator.imap.ca)))
        other.login(box, operator.accounts[box]["password"])
        other.select(readonly=True)
        return b"".join(other.fetch("1", "(FLAGS)")[1])


@pytest.mark.parametrize("size", [0, 3_000_000, CHUNK - 300, CHUNK, 2 * CHUNK + 7])
async def test_any_size_comes_whole(operator: Operator, box: str, size: int):
    line = secrets.token_hex(36) + "\r\n"
    raw = mail("".join([line] * (size // len(line))))
    await deliver(operator, box, raw)
    async with opened(operator, box) as client:
        await client.examine()
        fetched = await client.fetch((await client.uids(0))[0])
    assert fetched.take().endswith(raw)


async def test_awkward_mail_comes_byte_for_byte(operator: Operator, box: str):
    raws = [p.read_bytes() for p in sorted(CORPUS.glob("*.eml"))]
    await deliver(operator, box, *raws)
    async with opened(operator, box) as client:
        await client.examine()
        uids = await client.uids(0)
        for uid, raw in zip(uids, raws, strict=True):
            assert (await client.fetch(uid)).take().endswith(raw)


async def test_what_was_listed_may_be_read_in_any_order_or_not_at_all(operator: Operator, box: str):
    raws = [mail(f"n{i}") for i in range(4)]
    await deliver(operator, box, *raws)
    async with opened(operator, box) as client:
        await client.examine()
        one, two, three, four = uids = await client.uids(0)
        for uid in (one, two, four, three, three, one):
            assert (await client.fetch(uid)).take().endswith(raws[uids.index(uid)])
        await client.uids(0)
        await client.fetch(one)
        assert (await client.flags([two])).keys() == {two}
        await client.uids(0)
        await client.fetch(two)
        await deliver(operator, box, mail())
        assert await client.wait(10)
        assert len(await client.uids(four)) == 1
        client._capabilities -= {"IDLE"}
        await client.uids(0)
        await client.fetch(one)
        assert not await client.wait(0.5)
        assert (await client.fetch(two)).take().endswith(raws[1])


async def test_what_is_not_there_is_not_found(operator: Operator, box: str):
    async with opened(operator, box) as client:
        await client.examine()
        with pytest.raises(NotFound):
            await client.fetch(4242)
        assert await client.uids(0) == []  # the connection goes on


# --- waiting ---


async def test_new_mail_wakes_within_two_seconds(operator: Operator, box: str):
    async with opened(operator, box) as client:
        await client.examine()
        waiting = asyncio.create_task(client.wait(30))
        assert await client_is_idle(waiting)
        await deliver(operator, box, mail())
        start = time.monotonic()
        assert await waiting
        assert time.monotonic() - start < 2
        first = await client.uids(0)
        assert len(first) == 1
        # What came while nobody waited is told at once, and only once.
        await deliver(operator, box, mail())
        assert await client.wait(10)
        assert len(await client.uids(first[0])) == 1
        assert not await client.wait(0.2)


async def client_is_idle(waiting: asyncio.Task[bool]) -> bool:
    """A moment for the IDLE command to be sent; true while nothing has come."""
    await asyncio.wait({waiting}, timeout=0.3)
    return not waiting.done()


async def test_polling_where_idle_is_not_offered(operator: Operator, box: str):
    async with opened(operator, box) as client:
        client._capabilities -= {"IDLE"}
        await client.examine()
        assert not await client.wait(0.1)
        await deliver(operator, box, mail())
        assert await client.wait(0.1) or await client.wait(2.0)


async def test_a_reset_while_waiting_is_noticed(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        client = await ImapClient.connect(via(proxy, operator), box, operator.password(box), timeout_s=TIMEOUT_S)
        await client.examine()
        waiting = asyncio.create_task(client.wait(30))
        assert await client_is_idle(waiting)
        start = time.monotonic()
        proxy.reset()
        with pytest.raises(MailDeferred):
            await waiting
        assert time.monotonic() - start < 1
        with pytest.raises(MailDeferred):
            await client.uids(0)
        await client.close()


async def test_a_black_hole_is_noticed(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        client = await ImapClient.connect(via(proxy, operator), box, operator.password(box), timeout_s=TIMEOUT_S)
        await client.examine()
        client._wire._timeout_s = 1.0  # from here on: a login may take longer
        proxy.hole = True
        start = time.monotonic()
        with pytest.raises(MailDeferred):
            await client.wait(0.3)
        assert time.monotonic() - start < TIMEOUT_S
        await client.close()


async def test_a_cancelled_wait_closes_the_connection(operator: Operator, box: str):
    client = await ImapClient.connect(operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    await client.examine()
    waiting = asyncio.create_task(client.wait(30))
    assert await client_is_idle(waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(MailDeferred):
        await client.uids(0)
    await client.close()
