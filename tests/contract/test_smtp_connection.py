"""Whom we talk to and what is known when the connection fails: the sandbox operator, and Debian's Postfix."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtplib import SMTPResponse
from aiosmtplib.protocol import SMTPProtocol

from colloque.config import MailServerConfig
from colloque.errors import MailDeferred, MailInDoubt, Tampered
from colloque.mail.smtp import NOTIFY_ALL
from colloque_demo.pki import make_pki
from tests.servers.mail_suites import Step, inbox, operator_of, send, written
from tests.servers.operator import Operator
from tests.servers.postfix import Postfix
from tests.servers.proxy import Proxy


@pytest.fixture(params=["sandbox", pytest.param("postfix", marks=[pytest.mark.postfix, pytest.mark.dovecot])])
def operator(request: pytest.FixtureRequest) -> Operator:
    return operator_of(request.getfixturevalue(request.param))


# --- whom we talk to ---


async def refused(operator: Operator, server: MailServerConfig, proxy: Proxy) -> None:
    """Refused as tampered, and nothing secret was sent in clear."""
    sender = operator.fresh()
    with pytest.raises(Tampered):
        await send(operator, sender, sender, server=server)
    assert b"AUTH" not in proxy.from_client
    assert b"MAIL" not in proxy.from_client


async def test_another_authority_is_refused(operator: Operator, tmp_path: Path):
    async with Proxy(operator.smtp.port) as proxy:
        await refused(operator, replace(operator.smtp, port=proxy.port, ca=make_pki(tmp_path).ca), proxy)


async def test_another_host_name_is_refused(operator: Operator):
    async with Proxy(operator.smtp.port, host="127.0.0.2") as proxy:
        await refused(operator, replace(operator.smtp, host="127.0.0.2", port=proxy.port), proxy)


async def test_stripped_starttls_is_refused(operator: Operator):
    async with Proxy(operator.smtp.port) as proxy:
        proxy.to_client = lambda data: data.replace(b"STARTTLS", b"AUTH PLAIN")
        await refused(operator, replace(operator.smtp, port=proxy.port), proxy)


async def test_clear_text_after_starttls_does_not_survive_it(operator: Operator):
    """Injected extensions (no AUTH, no DSN, another size) are not taken for the server's."""
    sender, to = operator.fresh(), operator.fresh()
    async with Proxy(operator.smtp.port) as proxy:
        injected = b"250-x\r\n250 SIZE 10\r\n"
        proxy.to_client = lambda data: data + injected if data.startswith(b"220 ") and b"TLS" in data else data
        server = replace(operator.smtp, port=proxy.port)
        assert (await send(operator, sender, to, server=server, notify=NOTIFY_ALL)).dsn
    assert len(await inbox(operator, to, 1)) == 1


@pytest.mark.postfix
@pytest.mark.dovecot
async def test_implicit_tls(postfix: tuple[Postfix, Operator], tmp_path: Path):
    server, operator = postfix
    sender, to = operator.fresh(), operator.fresh()
    smtps = replace(operator.smtp, port=server.implicit, tls="implicit")
    await send(operator, sender, to, server=smtps)
    assert len(await inbox(operator, to, 1)) == 1
    with pytest.raises(Tampered):
        await send(operator, sender, to, server=replace(smtps, ca=make_pki(tmp_path).ca))
    with pytest.raises(Tampered):  # a server that speaks in clear where TLS was agreed
        await send(operator, sender, to, server=replace(operator.smtp, tls="implicit"))


# --- when the connection fails ---


async def test_nobody_answers_or_nobody_speaks(operator: Operator):
    sender, step = operator.fresh(), Step()
    async with Proxy(operator.smtp.port) as proxy:
        server = replace(operator.smtp, port=proxy.port)
        proxy.hole = True
        with pytest.raises(MailDeferred):
            await send(operator, sender, sender, server=server, step=step, timeout_s=0.5)
    with pytest.raises(MailDeferred):
        await send(operator, sender, sender, server=server, step=step)
    assert step.calls == 0


async def test_cut_before_the_go_ahead_is_no_doubt(operator: Operator):
    """DATA was asked for, the 354 never came: not one byte of the mail has left."""
    sender, to = operator.fresh(), operator.fresh()
    async with Proxy(operator.smtp.port) as proxy:

        def cut() -> None:
            proxy.server_chunks = 0

        step = Step(cut)
        with pytest.raises(MailDeferred):
            await send(operator, sender, to, server=replace(operator.smtp, port=proxy.port), step=step)
        assert step.calls == 1


async def test_cut_in_the_middle_of_the_text_is_in_doubt(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    async with Proxy(operator.smtp.port) as proxy:

        def cut() -> None:
            proxy.client_budget = 100_000

        data = written(operator, sender, to, size=3_000_000)
        with pytest.raises(MailInDoubt):
            await send(operator, sender, to, data=data, server=replace(operator.smtp, port=proxy.port), step=Step(cut))
    # Here it had not arrived; another mail shows that the box works and holds nothing else.
    await send(operator, sender, to)
    assert len(await inbox(operator, to, 1)) == 1


async def test_a_lost_answer_is_in_doubt_and_the_mail_did_leave(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    async with Proxy(operator.smtp.port) as proxy:

        def lose_the_final_answer() -> None:
            proxy.server_chunks = 1  # the 354

        with pytest.raises(MailInDoubt):
            await send(
                operator,
                sender,
                to,
                server=replace(operator.smtp, port=proxy.port),
                step=Step(lose_the_final_answer),
                envid="d0ub7",
                notify=NOTIFY_ALL,
            )
    assert len(await inbox(operator, to, 1)) == 1
    (report,) = await inbox(operator, sender, 1)
    assert report.report is not None
    assert report.report.envid == "d0ub7"  # which settles the doubt


async def test_a_silent_server_after_the_text_is_in_doubt(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    sender, to = operator.fresh(), operator.fresh()
    read = SMTPProtocol.read_response
    async with Proxy(operator.smtp.port) as proxy:
        answers = 0

        async def soon_impatient(protocol: SMTPProtocol, timeout: float | None = None) -> SMTPResponse:
            # Once the go-ahead came: until then the server may take its time.
            return await read(protocol, 0.5 if answers else timeout)

        def swallow_the_final_answer(data: bytes) -> bytes:
            nonlocal answers
            answers += 1
            return data if answers == 1 else b""

        def begin() -> None:
            proxy.to_client = swallow_the_final_answer

        monkeypatch.setattr(SMTPProtocol, "read_response", soon_impatient)
        with pytest.raises(MailInDoubt):
            await send(operator, sender, to, server=replace(operator.smtp, port=proxy.port), step=Step(begin))


async def test_thirty_at_once(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    await asyncio.gather(*(send(operator, sender, to) for _ in range(30)))
    assert len({m.message_id for m in await inbox(operator, to, 30)}) == 30
