"""How we get into the operator's servers: pinned TLS and what we show there. Shared by `imap` and `smtp`."""

from __future__ import annotations

import hashlib
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from colloque.config import MailServerConfig
from colloque.errors import ConfigError, MailDeferred, Problem, Tampered


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


def tls_context(server: MailServerConfig, auth: Auth) -> ssl.SSLContext:
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
