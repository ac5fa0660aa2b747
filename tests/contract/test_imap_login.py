"""Getting into a mailbox, on every IMAP server: the sandbox operator, and Debian's Dovecot where it is installed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from colloque.config import MailServerConfig
from colloque.errors import ConfigError, LoginRefused, MailDeferred, Tampered
from colloque.mail.access import Auth, Password, XOAuth2
from colloque.mail.imap import ImapClient
from colloque_demo.pki import make_pki
from tests.servers.dovecot import Dovecot
from tests.servers.imap_suites import deliver, mail, opened, via
from tests.servers.mail_suites import TIMEOUT_S
from tests.servers.operator import Operator, address
from tests.servers.proxy import Proxy

# --- getting in ---


async def test_password_and_token_open_the_same_mailbox(operator: Operator, box: str):
    await deliver(operator, box, mail())
    validity = set()
    for auth in (operator.password(box), operator.token(box)):
        client = await ImapClient.connect(operator.imap, box, auth, timeout_s=TIMEOUT_S)
        opened_box = await client.examine()
        assert opened_box.exists == 1
        validity.add(opened_box.uidvalidity)
        await client.close()
    assert len(validity) == 1


@pytest.mark.parametrize("auth", [Password("wrong"), Password(""), Password("é\0x"), XOAuth2("wrong")])
async def test_a_bad_secret_is_refused_for_good(operator: Operator, box: str, auth: Auth):
    with pytest.raises(LoginRefused) as caught:
        await ImapClient.connect(operator.imap, box, auth, timeout_s=TIMEOUT_S)
    assert box not in str(caught.value)


async def test_a_stranger_is_refused(operator: Operator):
    with pytest.raises(LoginRefused):
        await ImapClient.connect(operator.imap, address("nobody"), Password("x"), timeout_s=TIMEOUT_S)


def test_secrets_do_not_show():
    assert "s3cret" not in repr(Password("s3cret")) + repr(XOAuth2("s3cret"))


async def refused(operator: Operator, box: str, server: MailServerConfig, proxy: Proxy) -> None:
    """Refused as tampered, and nothing secret was sent in clear."""
    with pytest.raises(Tampered):
        await ImapClient.connect(server, box, operator.password(box), timeout_s=TIMEOUT_S)
    assert b"AUTHENTICATE" not in proxy.from_client
    assert operator.password(box).secret.encode() not in proxy.from_client


async def test_another_authority_is_refused(operator: Operator, box: str, tmp_path: Path):
    async with Proxy(operator.imap.port) as proxy:
        server = replace(operator.imap, port=proxy.port, ca=make_pki(tmp_path).ca)
        await refused(operator, box, server, proxy)


async def test_another_host_name_is_refused(operator: Operator, box: str):
    async with Proxy(operator.imap.port, host="127.0.0.2") as proxy:
        await refused(operator, box, replace(operator.imap, host="127.0.0.2", port=proxy.port), proxy)


async def test_stripped_starttls_is_refused(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        proxy.to_client = lambda data: data.replace(b"STARTTLS", b"STARTTLX").replace(b"LOGINDISABLED", b"AUTH=PLAIN")
        await refused(operator, box, via(proxy, operator), proxy)


async def test_clear_text_after_starttls_is_refused(operator: Operator, box: str):
    """An injected line must not be taken for the server's word once TLS stands."""

    def inject(data: bytes) -> bytes:
        done = data.startswith(b"C2 OK")
        return data + b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" if done else data

    async with Proxy(operator.imap.port) as proxy:
        proxy.to_client = inject
        await refused(operator, box, via(proxy, operator), proxy)


async def test_preauth_is_refused(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        proxy.to_client = lambda data: data.replace(b"* OK", b"* PREAUTH", 1)
        await refused(operator, box, via(proxy, operator), proxy)


async def test_without_a_readable_ca_nothing_is_tried(operator: Operator, box: str, tmp_path: Path):
    with pytest.raises(ConfigError):
        await ImapClient.connect(
            replace(operator.imap, ca=tmp_path / "none"), box, operator.password(box), timeout_s=TIMEOUT_S
        )


async def test_nobody_answers(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        server = via(proxy, operator)
    with pytest.raises(MailDeferred):
        await ImapClient.connect(server, box, operator.password(box), timeout_s=TIMEOUT_S)


async def test_a_silent_server_is_given_up(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy:
        proxy.hole = True
        start = time.monotonic()
        with pytest.raises(MailDeferred):
            await ImapClient.connect(via(proxy, operator), box, operator.password(box), timeout_s=0.5)
        assert time.monotonic() - start < 3


@pytest.mark.dovecot
async def test_implicit_tls(dovecot: tuple[Dovecot, Operator], tmp_path: Path):
    server, operator = dovecot
    box = operator.fresh()
    imaps = replace(operator.imap, port=server.imaps, tls="implicit")
    async with opened(operator, box, imaps) as client:
        assert (await client.examine()).exists == 0
    with pytest.raises(Tampered):
        await ImapClient.connect(
            replace(imaps, ca=make_pki(tmp_path).ca), box, operator.password(box), timeout_s=TIMEOUT_S
        )
    with pytest.raises(Tampered):  # a server that speaks in clear where TLS was agreed
        await ImapClient.connect(replace(operator.imap, tls="implicit"), box, Password("x"), timeout_s=TIMEOUT_S)


async def test_a_record_that_was_altered_ends_the_connection(operator: Operator, box: str):
    async with Proxy(operator.imap.port) as proxy, opened(operator, box, via(proxy, operator)) as client:
        await client.examine()
        proxy.to_client = lambda data: data[:-1] + bytes([data[-1] ^ 1])
        for _ in range(2):
            with pytest.raises(MailDeferred):
                await client.uids(0)
