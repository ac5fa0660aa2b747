"""How we get into the operator's servers: pinned TLS and SASL credentials. Shared by `imap` and `smtp`."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

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


Auth = Password | XOAuth2


def tls_context(server: MailServerConfig) -> ssl.SSLContext:
    """Trusts `server.ca` and nothing else; checks the host name; TLS 1.2 at least. Raises ConfigError without a CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(server.ca))
    except OSError:
        raise ConfigError([Problem(str(server.ca), "can't be read as PEM certificates")]) from None
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
