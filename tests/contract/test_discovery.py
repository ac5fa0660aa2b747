"""The operator's servers by DNS: a real DNS server on the loopback, real Dovecot and Postfix behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from colloque.config_mssante import MailSideConfig
from colloque.errors import MailDeferred, Tampered
from colloque.files import free_port
from colloque.mail import discovery as module
from colloque.mail.access import Password, Way, XOAuth2
from colloque.mail.discovery import Discovery
from colloque.mail.imap import ImapClient
from colloque.mail.smtp import submit
from colloque.mail.srv import SrvRecord
from colloque_demo.pki import Pki
from tests.servers.ca import Ca
from tests.servers.dns import Dns
from tests.servers.mail_suites import LOCALS, TIMEOUT_S, Step, dovecot, written  # noqa: F401 - fixture
from tests.servers.operator import DOMAIN, Operator
from tests.servers.postfix import Postfix

IMAP, SUBMISSION = f"_imap._tcp.{DOMAIN}.", f"_submission._tcp.{DOMAIN}."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postfix, Operator]]:
    """Its certificate holds for the operator's domain, and not for the name of the machine."""
    folder = tmp_path_factory.mktemp("pki")
    ca = Ca(folder)
    made = ca.issue(DOMAIN)
    postfix = Postfix(*LOCALS)
    postfix.dovecot.pki = Pki(ca.pem, made.cert, made.key)
    try:
        yield postfix, postfix.start()
    finally:
        postfix.stop()


def ways(operator: Operator, dns: Dns, *, domain: str = DOMAIN, implicit: bool = False) -> tuple[Way, Way]:
    """To the operator's IMAP and SMTP servers."""
    side = MailSideConfig(operator.imap.ca, domain=domain, tls="implicit" if implicit else "starttls")
    discovery = Discovery(dns.resolver)
    return Way(side, discovery), Way(side, discovery)


async def read(operator: Operator, way: Way) -> None:
    box = next(iter(operator.accounts))
    client = await ImapClient.connect(way, box, operator.password(box), timeout_s=TIMEOUT_S)
    await client.examine()
    await client.close()


async def send(operator: Operator, way: Way) -> None:
    box = next(iter(operator.accounts))
    await submit(
        way, box, operator.password(box), sender=box, recipients=[box], data=written(operator, box, box),
        envid=None, notify=None, before_data=Step(), timeout_s=TIMEOUT_S,
    )  # fmt: skip


@pytest.mark.postfix
@pytest.mark.dovecot
@pytest.mark.parametrize("implicit", [False, True])
async def test_where_the_domain_says(server: tuple[Postfix, Operator], implicit: bool):
    postfix, operator = server
    ports = (postfix.dovecot.imaps, postfix.implicit) if implicit else (operator.imap.port, operator.smtp.port)
    async with Dns() as dns:
        for service, port in zip(("imap", "submission"), ports, strict=True):
            label = service + "s" * implicit
            # The first is away: nobody listens there.
            dns.records[f"_{label}._tcp.{DOMAIN}."] = [f"10 0 {free_port()} localhost.", f"20 0 {port} localhost."]
        imap, smtp = ways(operator, dns, implicit=implicit)
        await read(operator, imap)
        await send(operator, smtp)


@pytest.mark.postfix
@pytest.mark.dovecot
async def test_the_name_that_dns_gives_proves_nothing(server: tuple[Postfix, Operator]):
    """A certificate for that name is not the operator's; nor is the operator's good for another domain."""
    _, operator = server
    other = "autre.mssante.example"
    async with Dns() as dns:
        for service, port in (("imap", operator.imap.port), ("submission", operator.smtp.port)):
            dns.records[f"_{service}._tcp.{other}."] = [f"0 0 {port} localhost."]
        imap, smtp = ways(operator, dns, domain=other)
        with pytest.raises(Tampered):
            await read(operator, imap)
        with pytest.raises(Tampered):
            await send(operator, smtp)


@pytest.mark.dovecot
async def test_a_certificate_for_the_target_alone_is_refused(dovecot: tuple[object, Operator]):  # noqa: F811
    _, operator = dovecot
    async with Dns() as dns:
        dns.records[IMAP] = [f"0 0 {operator.imap.port} localhost."]
        imap, _ = ways(operator, dns)
        with pytest.raises(Tampered):
            await read(operator, imap)


SIDE = MailSideConfig(Path("ca.pem"), domain=DOMAIN)


@pytest.mark.parametrize("records", [["0 0 0 ."], [], None])
async def test_a_domain_without_the_service(records: list[str] | None):
    async with Dns() as dns:
        if records is not None:
            dns.records[IMAP] = records
        with pytest.raises(MailDeferred, match="names no such server"):
            await Way(SIDE, Discovery(dns.resolver)).connect("imap", 1.0)


@pytest.mark.parametrize(
    ("target", "why"), [("localhost.", "ConnectionRefusedError"), ("\\255" * 30 + ".example.", "UnicodeError")]
)
async def test_nobody_is_there(target: str, why: str):
    async with Dns() as dns:
        dns.records[IMAP] = [f"{n} 0 {free_port()} {target}" for n in (1, 2)]
        with pytest.raises(MailDeferred, match=why):
            await Way(SIDE, Discovery(dns.resolver)).connect("imap", 1.0)


async def test_an_answer_counts_for_its_ttl_and_is_asked_for_once(monkeypatch: pytest.MonkeyPatch):
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    async with Dns() as dns:
        dns.records[IMAP] = ["5 6 143 a.example."]
        found = Discovery(dns.resolver)
        together = await asyncio.gather(*(found.servers("imap", DOMAIN) for _ in range(20)))
        assert set(together) == {(SrvRecord(5, 6, 143, "a.example"),)}
        assert dns.asked == [IMAP]
        dns.records[IMAP] = ["5 6 143 b.example."]
        now += dns.ttl - 1
        assert (await found.servers("imap", DOMAIN))[0].target == "a.example"
        now += 2
        assert (await found.servers("imap", DOMAIN))[0].target == "b.example"
        assert dns.asked == [IMAP, IMAP]


async def test_while_the_resolver_is_away_the_last_answer_counts(monkeypatch: pytest.MonkeyPatch):
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    monkeypatch.setattr(module, "_ASK_S", 0.5)
    async with Dns() as dns:
        dns.records[IMAP] = ["5 6 143 a.example."]
        found, new = Discovery(dns.resolver), Discovery(dns.resolver)
        known = await found.servers("imap", DOMAIN)
        dns.failing = True
        now += dns.ttl + 1
        assert await found.servers("imap", DOMAIN) == known
        asked = len(dns.asked)
        assert await found.servers("imap", DOMAIN) == known
        assert len(dns.asked) == asked, "not each asks a resolver that is away"
        with pytest.raises(MailDeferred, match="can't be known now"):
            await new.servers("imap", DOMAIN)
    # Nobody answers at all; then somebody does again.
    now += 61
    assert await found.servers("imap", DOMAIN) == known
    async with Dns() as dns:
        dns.records[IMAP] = ["5 6 143 b.example."]
        found._resolver = dns.resolver
        now += 61
        assert (await found.servers("imap", DOMAIN))[0].target == "b.example"


def test_one_context_for_all_who_show_the_same(tmp_path: Path):
    pem = Ca(tmp_path).pem
    way = Way(replace(SIDE, ca=pem))
    held = way.context(Password("a"))
    assert way.context(XOAuth2("b")) is held
    (tmp_path / "new").mkdir()
    Ca(tmp_path / "new").pem.replace(pem)
    assert way.context(Password("a")) is not held
