"""How we get into the operator's servers: pinned TLS and what we show there. Shared by `imap` and `smtp`."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
import ssl
import stat
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from colloque.config_mssante import MailServerConfig, MailSideConfig
from colloque.errors import ConfigError, MailDeferred, Problem, Tampered
from colloque.mail.discovery import Discovery
from colloque.mail.srv import in_order


@dataclass(frozen=True, slots=True)
class Password:
    """SASL PLAIN (RFC 4616)."""

    secret: str = field(repr=False)

    mechanism = "PLAIN"

    def initial(self, user: str) -> bytes:
        """The one message of the exchange, before base64."""
        return b"\0".join((b"", user.encode(), self.secret.encode()))


@dataclass(frozen=True, slots=True)
class XOAuth2:
    """SASL XOAUTH2: an access token (of Pro Santé Connect), as the MSSanté référentiel asks."""

    token: str = field(repr=False)

    mechanism = "XOAUTH2"

    def initial(self, user: str) -> bytes:
        """The one message of the exchange, before base64."""
        return f"user={user}\x01auth=Bearer {self.token}\x01\x01".encode()


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """SASL EXTERNAL (RFC 4422, appendix A): the certificate shown in the handshake is who we are (APP mailboxes)."""

    certificate: Path
    """PEM: ours first, then what leads to the operator's anchor."""
    key: Path = field(repr=False)
    digest: bytes = field(repr=False)
    """Of both files as they were read: a renewed certificate is another credential."""

    mechanism = "EXTERNAL"

    @classmethod
    def read(cls, certificate: Path, key: Path) -> Self:
        """Raises OSError (also for a key that others can read), ssl.SSLError when the two don't belong together."""
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            raise PermissionError("the key is readable by others")
        digest = hashlib.sha256(certificate.read_bytes() + b"\0" + key.read_bytes()).digest()
        read = cls(certificate, key, digest)
        read.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return read

    def load_into(self, context: ssl.SSLContext) -> None:
        """Show it in handshakes. Raises OSError and ssl.SSLError as `read`."""
        # Without a password of its own OpenSSL asks the terminal for that of an encrypted key.
        context.load_cert_chain(self.certificate, self.key, password=lambda: "")

    def initial(self, user: str) -> bytes:
        """The one message of the exchange, before base64: the mailbox meant, as one certificate may open several."""
        return user.encode()


Auth = Password | XOAuth2 | ClientCertificate


class Way:
    """How one of the operator's servers is reached. One instance a process and server: its mailboxes share it."""

    def __init__(self, server: MailServerConfig | MailSideConfig, discovery: Discovery | None = None) -> None:
        """`discovery` is needed where `server` names a domain only."""
        self._server = server
        self._discovery = discovery
        self.implicit = server.tls == "implicit"
        """TLS begins at once."""
        self._contexts: dict[bytes, tuple[object, ssl.SSLContext]] = {}

    @classmethod
    def of(cls, server: MailServerConfig | Way) -> Way:
        """A way of one's own to a server that is named."""
        return server if isinstance(server, Way) else cls(server)

    @property
    def name(self) -> str:
        """What the server's certificate must hold for: what the configuration says, never what DNS says.

        For a domain that is the domain itself (RFC 6186 section 6, RFC 7817 section 3): the name to which unsigned DNS
        leads proves nothing.
        """
        return _domain(self._server) or self._server.host

    async def connect(self, service: str, timeout_s: float) -> socket.socket:
        """A connection in clear to the first server of that `service` (`imap` or `submission`) that is there.

        `timeout_s` is for each of them. Raises MailDeferred when none is, or when DNS does not say where they are.
        """
        trouble: Exception | None = None
        for host, port in await self._places(service):
            try:
                async with asyncio.timeout(timeout_s):
                    return await _connected(host, port)
            except (OSError, UnicodeError) as error:  # time-outs too, and names that can't be
                trouble = error
        raise MailDeferred(f"the mail server can't be reached ({type(trouble).__name__})")

    async def _places(self, service: str) -> list[tuple[str, int]]:
        domain = _domain(self._server)
        if not domain:
            return [(self._server.host, self._server.port)]
        assert self._discovery is not None
        found = await self._discovery.servers(service + "s" * self.implicit, domain)
        return [(one.target, one.port) for one in in_order(found, partial(random.randint, 0))]

    def context(self, auth: Auth) -> ssl.SSLContext:
        """As `tls_context`; shared by all who show the same, for as long as the file of trust anchors stays."""
        shown = auth.digest if isinstance(auth, ClientCertificate) else b""
        mark, held = _mark(self._server.ca), self._contexts.get(shown)
        if held is None or held[0] != mark:
            held = self._contexts[shown] = (mark, tls_context(self._server, auth))
        return held[1]


def _domain(server: MailServerConfig | MailSideConfig) -> str:
    return server.domain if isinstance(server, MailSideConfig) else ""


def _mark(path: Path) -> object:
    """Changes when the file is replaced; None while there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_ino, info.st_mtime_ns, info.st_size


async def _connected(host: str, port: int) -> socket.socket:
    """The first of the host's addresses that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    trouble: OSError = ConnectionRefusedError()
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        found = socket.socket(family, kind, protocol)
        try:
            found.setblocking(False)
            await loop.sock_connect(found, address)
        except OSError as error:
            found.close()
            trouble = error
        except BaseException:
            found.close()
            raise
        else:
            return found
    raise trouble


def tls_context(server: MailServerConfig | MailSideConfig, auth: Auth) -> ssl.SSLContext:
    """Trusts `server.ca` and nothing else; checks the host name; TLS 1.2 at least; shows the certificate in `auth`.

    Raises ConfigError without a CA, MailDeferred while the two files of a certificate are being replaced.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(server.ca))
    except OSError:
        raise ConfigError([Problem(str(server.ca), "can't be read as PEM certificates")]) from None
    if isinstance(auth, ClientCertificate):
        try:
            auth.load_into(context)
        except OSError:
            raise MailDeferred("the client certificate can't be used now") from None
    return context


def refusal(error: BaseException) -> Tampered | MailDeferred:
    """What a connection error means: an identity that does not hold is final, everything else may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Tampered(f"the mail server's certificate is not accepted (verify code {cause.verify_code})")
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Tampered("the TLS handshake with the mail server failed")
        cause = cause.__cause__
    return MailDeferred(f"the mail server can't be reached ({type(error).__name__})")
