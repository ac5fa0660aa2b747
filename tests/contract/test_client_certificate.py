"""APP mailboxes: the certificate shown in the handshake opens them, on Debian's Dovecot and Postfix."""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from colloque.config import MailServerConfig
from colloque.errors import LoginRefused, MailDeferred, MailRefused
from colloque.files import write_private
from colloque.mail.access import ClientCertificate, tls_context
from colloque.mail.imap import ImapClient
from colloque_demo.pki import make_pki
from tests.servers.authority import PEM, Authority
from tests.servers.mail_suites import LOCALS, TIMEOUT_S, inbox, send
from tests.servers.operator import Operator
from tests.servers.postfix import Postfix

DOVECOT = """
ssl_ca = <{ca}
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
auth_mechanisms = plain xoauth2 external
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}
"""
POSTFIX = """
smtpd_tls_ask_ccert = yes
smtpd_tls_CAfile = {ca}
smtpd_tls_fingerprint_digest = sha256
relay_clientcerts = texthash:{known}
smtpd_sender_restrictions =
smtpd_recipient_restrictions = permit_tls_clientcerts, permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_tls_clientcerts, permit_sasl_authenticated, reject
"""


def shown(folder: Path, authority: Authority, name: str) -> ClientCertificate:
    """A certificate for `name` and its key, as an operator gives them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = authority.sign(subject, key, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))
    where = Path(tempfile.mkdtemp(dir=folder))
    (where / "cert.pem").write_bytes(made.public_bytes(PEM))
    pkcs8 = serialization.PrivateFormat.PKCS8
    write_private(where / "key.pem", key.private_bytes(PEM, pkcs8, serialization.NoEncryption()))
    return ClientCertificate.read(where / "cert.pem", where / "key.pem")


@dataclass
class World:
    """An operator that knows the certificates of `authority` by name (IMAP), and `ours` by its print (SMTP)."""

    operator: Operator
    authority: Authority
    box: str
    ours: ClientCertificate


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    server = Postfix(*LOCALS)
    with tempfile.TemporaryDirectory(prefix="clq-certs-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority, box = Authority("clients"), next(iter(server.dovecot.accounts))
        ours = shown(folder, authority, box)
        ca, known = folder / "clients.pem", folder / "known"
        ca.write_bytes(authority.cert.public_bytes(PEM))
        prints = x509.load_pem_x509_certificate(ours.certificate.read_bytes()).fingerprint(hashes.SHA256()).hex(":")
        known.write_text(f"{prints.upper()} {box}\n")
        server.dovecot.more = DOVECOT.format(ca=ca)
        server.more = POSTFIX.format(ca=ca, known=known)
        try:
            yield World(server.start(), authority, box, ours)
        finally:
            server.stop()


async def entered(world: World, box: str, auth: ClientCertificate) -> None:
    client = await ImapClient.connect(world.operator.imap, box, auth, timeout_s=TIMEOUT_S)
    await client.examine()
    await client.close()


@pytest.mark.postfix
@pytest.mark.dovecot
async def test_it_opens_its_mailbox_and_sends(world: World):
    await entered(world, world.box, world.ours)
    await send(world.operator, world.box, world.box, auth=world.ours)
    assert len(await inbox(world.operator, world.box, 1)) == 1


@pytest.mark.postfix
@pytest.mark.dovecot
async def test_it_opens_no_other(world: World, tmp_path: Path):
    other = list(world.operator.accounts)[1]
    with pytest.raises(LoginRefused):
        await entered(world, other, world.ours)
    with pytest.raises(MailRefused):
        await send(world.operator, other, world.box, auth=shown(tmp_path, world.authority, other))


@pytest.mark.postfix
@pytest.mark.dovecot
async def test_one_of_another_authority_opens_nothing(world: World, tmp_path: Path):
    with pytest.raises((LoginRefused, MailDeferred)):
        await entered(world, world.box, shown(tmp_path, Authority("clients"), world.box))


class _Named:
    """An SMTP server that takes SASL EXTERNAL: whom the certificate names, when that is who is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def auth_EXTERNAL(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - the library looks for it
        self.asked.append(base64.b64decode(args[1]).decode())
        subject = server.transport.get_extra_info("peercert")["subject"]
        return AuthResult(success=(("commonName", self.asked[-1]),) in subject, handled=False)

    async def handle_DATA(self, server: SMTP, session: object, envelope: object) -> str:  # noqa: N802 - as above
        return "250 OK"


async def test_sasl_external_where_a_server_offers_it(tmp_path: Path):
    box = "app@x.test"
    pki, authority, named = make_pki(tmp_path / "pki"), Authority("clients"), _Named()
    (tmp_path / "clients.pem").write_bytes(authority.cert.public_bytes(PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.cert, pki.key)
    context.load_verify_locations(tmp_path / "clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(named, auth_require_tls=False, loop=loop), "127.0.0.1", 0, ssl=context
    )
    where = MailServerConfig("localhost", server.sockets[0].getsockname()[1], pki.ca, "implicit")
    operator = Operator(where, where, {box: {}}, lambda _to, _raw: None)
    try:
        ours = shown(tmp_path, authority, box)
        assert (await send(operator, box, box, auth=ours)).reply_code == 250
        with pytest.raises(LoginRefused):
            await send(operator, "other@x.test", box, auth=ours)
    finally:
        server.close()
    assert named.asked == [box, "other@x.test"]


def test_it_is_refused_when_its_files_do_not_fit(tmp_path: Path):
    authority = Authority("clients")
    one, other = shown(tmp_path, authority, "a"), shown(tmp_path, authority, "a")
    assert one.digest != other.digest
    with pytest.raises(ssl.SSLError):
        ClientCertificate.read(one.certificate, other.key)
    one.key.chmod(0o640)
    with pytest.raises(PermissionError):
        ClientCertificate.read(one.certificate, one.key)


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path: Path):
    one = shown(tmp_path, Authority("clients"), "a")
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"secret")
    write_private(one.key, key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, how))
    with pytest.raises(ssl.SSLError):
        ClientCertificate.read(one.certificate, one.key)


@pytest.mark.postfix
@pytest.mark.dovecot
def test_files_that_are_being_replaced_are_waited_for(world: World, tmp_path: Path):
    one = shown(tmp_path, world.authority, world.box)
    one.key.unlink()
    with pytest.raises(MailDeferred):
        tls_context(world.operator.imap, one)
