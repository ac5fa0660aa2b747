"""One suite for every submission server: the sandbox operator, and Debian's Postfix where it is installed."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.config import MailServerConfig
from colloque.errors import BadInput, LoginRefused, MailDeferred, MailInDoubt, MailRefused, Tampered
from colloque.mail.access import Auth, Password, XOAuth2
from colloque.mail.compose import compose
from colloque.mail.imap import ImapClient
from colloque.mail.message import Attachment, Mail, Outgoing, Party
from colloque.mail.parse import parse_mail
from colloque.mail.smtp import NOTIFY_ALL, Submitted, submit
from colloque_demo.pki import make_pki
from tests.servers.operator import Operator, SandboxOperator, address
from tests.servers.postfix import Postfix
from tests.servers.proxy import Proxy

LOCALS = [f"box{n}" for n in range(60)]
TIMEOUT_S = 10.0


@pytest.fixture(
    scope="module", params=["sandbox", pytest.param("postfix", marks=[pytest.mark.postfix, pytest.mark.dovecot])]
)
def operator(request: pytest.FixtureRequest) -> Iterator[Operator]:
    if request.param == "postfix":
        postfix = Postfix(*LOCALS)
        try:
            yield postfix.start()
        finally:
            postfix.stop()
        return
    with tempfile.TemporaryDirectory(prefix="clq-op-", dir="/tmp") as folder:
        sandbox = SandboxOperator(Path(folder), *LOCALS)
        try:
            yield sandbox.start()
        finally:
            assert sandbox.stop() == 0


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
        return [parse_mail((await client.fetch(uid)).raw) for uid in uids]
    finally:
        await client.close()


# --- what goes well ---


async def test_a_mail_arrives_as_it_was_written(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    step = Step()
    data = written(operator, sender, to, size=3_000_000)
    assert await send(operator, sender, to, data=data, step=step) == Submitted(dsn=False, reply_code=250)
    assert step.calls == 1
    (mail,) = await inbox(operator, to, 1)
    sent = parse_mail(data)
    assert (mail.text, mail.subject, mail.sender) == (
        "Bonjour\n.\n..point\nfin",
        "Résultats",
        Party("Dr Éloïse", sender),
    )
    assert mail.attachments == sent.attachments
    assert mail.message_id == sent.message_id


async def test_a_token_logs_in_and_every_recipient_gets_it(operator: Operator):
    sender, one, two = operator.fresh(), operator.fresh(), operator.fresh()
    await send(operator, sender, one, two, auth=operator.token(sender))
    assert len(await inbox(operator, one, 1)) == len(await inbox(operator, two, 1)) == 1


async def test_a_delivery_report_names_our_envelope(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    envid = secrets.token_hex(20)
    data = written(operator, sender, to)
    assert (await send(operator, sender, to, data=data, envid=envid, notify=NOTIFY_ALL)).dsn
    (mail,) = await inbox(operator, sender, 1)
    assert mail.automatic
    assert mail.report is not None
    assert mail.report.kind in {"delivered", "relayed"}
    assert (mail.report.envid, mail.report.recipient) == (envid, to)
    assert mail.report.original_message_id == parse_mail(data).message_id


async def test_no_report_unless_asked(operator: Operator):
    sender, to, last = operator.fresh(), operator.fresh(), operator.fresh()
    await send(operator, sender, to)
    await send(operator, sender, to, notify="FAILURE")
    await send(operator, last, sender)  # comes after anything the two could have caused
    await inbox(operator, to, 2)
    (mail,) = await inbox(operator, sender, 1)
    assert mail.report is None


# --- what is refused, with nothing sent ---


@pytest.mark.parametrize("auth", [Password("wrong"), XOAuth2("wrong")])
async def test_a_bad_secret_is_refused_for_good(operator: Operator, auth: Auth):
    step = Step()
    with pytest.raises(LoginRefused):
        await send(operator, operator.fresh(), address("box0"), auth=auth, step=step)
    assert step.calls == 0


async def test_another_sender_is_refused(operator: Operator):
    me, other, step = operator.fresh(), operator.fresh(), Step()
    with pytest.raises(MailRefused) as caught:
        await send(operator, other, me, auth=operator.password(me), login=me, step=step)
    assert (caught.value.status, step.calls) == (553, 0)
    assert other not in str(caught.value)


@pytest.mark.parametrize("unknown", [address("nobody"), "somebody@elsewhere.example"])
async def test_one_unknown_recipient_stops_the_mail_for_all(operator: Operator, unknown: str):
    sender, to, step = operator.fresh(), operator.fresh(), Step()
    with pytest.raises(MailRefused) as caught:
        await send(operator, sender, to, unknown, step=step)
    assert caught.value.status in {550, 554}
    assert caught.value.enhanced.startswith("5.")
    assert step.calls == 0
    await send(operator, sender, to)
    assert len(await inbox(operator, to, 1)) == 1


async def test_too_big_is_known_before_anything_is_sent(operator: Operator):
    step = Step()
    sender = operator.fresh()
    data = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * 600_000
    with pytest.raises(MailRefused) as caught:
        await send(operator, sender, sender, data=data, step=step)
    assert (caught.value.status, step.calls) == (552, 0)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("recipients", ()),
        ("recipients", ("a@b.example>\r\nRCPT TO:<c@d.example",)),
        ("sender", "é@b.example"),
        ("envid", "a b"),
        ("notify", "SOON"),
        ("data", b"Subject: x\n\nbare\n"),
        ("data", b"Subject: x\r\n\r\nno end"),
    ],
)
async def test_what_can_not_stand_in_a_command_is_refused_here(operator: Operator, wrong: str, value: object):
    good = {"sender": "a@b.example", "recipients": ("c@d.example",), "data": b"\r\n", "envid": None, "notify": None}
    with pytest.raises(BadInput):
        await submit(operator.smtp, "a", Password("x"), **{**good, wrong: value}, before_data=Step(), timeout_s=1.0)


async def test_what_before_data_raises_ends_it(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()

    def fail() -> None:
        raise OSError("our disk is full")

    with pytest.raises(OSError, match="our disk is full"):
        await send(operator, sender, to, step=Step(fail))
    await send(operator, sender, to)
    assert len(await inbox(operator, to, 1)) == 1


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


async def test_a_silent_server_after_the_text_is_in_doubt(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    async with Proxy(operator.smtp.port) as proxy:
        answers = 0

        def swallow_the_final_answer(data: bytes) -> bytes:
            nonlocal answers
            answers += 1
            return data if answers == 1 else b""

        def begin() -> None:
            proxy.to_client = swallow_the_final_answer

        with pytest.raises(MailInDoubt):
            await send(
                operator, sender, to, server=replace(operator.smtp, port=proxy.port), step=Step(begin), timeout_s=1.5
            )


async def test_thirty_at_once(operator: Operator):
    sender, to = operator.fresh(), operator.fresh()
    await asyncio.gather(*(send(operator, sender, to) for _ in range(30)))
    assert len({m.message_id for m in await inbox(operator, to, 30)}) == 30
