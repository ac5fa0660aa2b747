"""One mail handed to the operator over SMTP submission (RFC 6409), and exactly what became of it.

The outcome is always one of: taken (a 250 after the data), refused for good, to be tried later, or in doubt. In doubt
is only possible once the text has begun to leave; until then every failure leaves nothing behind.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from colloque.config import MailServerConfig
from colloque.errors import BadInput, LoginRefused, MailDeferred, MailInDoubt, MailRefused, Tampered
from colloque.mail.access import Auth, ClientCertificate, Password, Way, XOAuth2, refusal
from colloque.mail.parties import is_address
from colloque.mail.revocation_check import Revocation

__all__ = ["NOTIFY_ALL", "Password", "Submitted", "XOAuth2", "submit"]

NOTIFY_ALL = "SUCCESS,FAILURE,DELAY"
"""Ask for every delivery report (RFC 3461)."""

_ENVID = re.compile(r"[A-Za-z0-9]{1,100}\Z")
_NOTIFY = re.compile(r"(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY))*)\Z")
_ENHANCED = re.compile(r"\A[245]\.\d{1,3}\.\d{1,3}\b")
_DOT = re.compile(rb"(?m)^\.")
_LONE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Submitted:
    """The operator took the mail. `dsn` says whether it was asked for delivery reports."""

    dsn: bool
    reply_code: int


async def submit(
    server: MailServerConfig | Way,
    user: str,
    auth: Auth,
    *,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
    envid: str | None,
    notify: str | None,
    before_data: Callable[[], Awaitable[None]],
    timeout_s: float,
    revocation: Revocation | None = None,
) -> Submitted:
    """Hand over `data` (whole, CRLF line ends) for all `recipients` or for none.

    `before_data` is awaited once everything but the text was accepted, just before DATA: commit there that the mail may
    leave. Whatever it raises ends the attempt with nothing sent. `envid` and `notify` are used where DSN is offered.
    `timeout_s` bounds each exchange. With `revocation`, a server whose certificate was revoked is shown nothing.

    Raises BadInput (an argument can't stand in a command; nothing was sent), LoginRefused, MailDeferred, MailRefused,
    Tampered (as in `imap`), and MailInDoubt when the connection failed between the text and the answer to it. After any
    other error the operator has not taken the mail, even when `before_data` was awaited.
    """
    envelope = _Envelope(sender, tuple(recipients), len(data), envid, notify)
    _check(envelope, data)
    way = Way.of(server)
    context = way.context(auth)
    client = SMTP(
        hostname=way.name,
        sock=await way.connect("submission", timeout_s),
        local_hostname="localhost",
        timeout=timeout_s,
        use_tls=way.implicit,
        start_tls=False,
        tls_context=context,
    )
    try:
        with _translated():
            await _enter(client, way, user, auth, revocation)
            dsn = await _announce(client, envelope)
        await before_data()
        with _translated():
            code = await _text(client, data, timeout_s)
        with contextlib.suppress(SMTPException, OSError):
            await client.quit(timeout=min(timeout_s, 5.0))
        return Submitted(dsn, code)
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class _Envelope:
    sender: str
    recipients: tuple[str, ...]
    size: int
    envid: str | None
    notify: str | None


def _check(envelope: _Envelope, data: bytes) -> None:
    if not envelope.recipients:
        raise BadInput("a mail needs a recipient")
    named = (*([envelope.sender] if envelope.sender else []), *envelope.recipients)
    if not all(is_address(a) and a.isascii() for a in named):
        raise BadInput("a mail address is malformed")
    if envelope.envid is not None and not _ENVID.match(envelope.envid):
        raise BadInput("an envelope id is letters and digits")
    if envelope.notify is not None and not _NOTIFY.match(envelope.notify):
        raise BadInput("NOTIFY is malformed")
    if not data.endswith(b"\r\n") or _LONE_LINE_END.search(data):
        raise BadInput("a mail's lines end with CRLF")


async def _enter(client: SMTP, way: Way, user: str, auth: Auth, revocation: Revocation | None) -> None:
    """Connect, secure, log in: nothing secret before TLS stands."""
    await client.connect()
    await client.ehlo()
    if not way.implicit:
        if not client.supports_extension("starttls"):
            raise Tampered("the mail server does not offer STARTTLS")
        try:
            # aiosmtplib drops clear text that follows the 220 and forgets the first EHLO.
            await client.starttls(server_hostname=way.name)
        except SMTPResponseException as answer:
            if answer.code // 100 == 4:
                raise
            raise Tampered("the mail server refused STARTTLS") from None
        await client.ehlo()
    if revocation is not None:
        await revocation.check(client.get_transport_info("ssl_object"))
    await _log_in(client, user, auth)


async def _log_in(client: SMTP, user: str, auth: Auth) -> None:
    if auth.mechanism.lower() not in client.server_auth_methods:
        if isinstance(auth, ClientCertificate):
            return  # the handshake was the login: who is not known by it is refused at MAIL or RCPT
        raise MailDeferred(f"the mail server does not offer {auth.mechanism} now")
    try:
        if isinstance(auth, Password):
            await client.auth_plain(user, auth.secret)
        elif isinstance(auth, XOAuth2):
            await client.auth_xoauth2(user, auth.token)
        else:
            await _external(client, auth.initial(user))
    except SMTPAuthenticationError as answer:
        if answer.code // 100 == 5:
            raise LoginRefused(f"the mail server refused the login ({answer.code})") from None
        raise


async def _external(client: SMTP, who: bytes) -> None:
    answer = await client.execute_command(b"AUTH", b"EXTERNAL", base64.b64encode(who))
    if answer.code != 235:
        raise SMTPAuthenticationError(answer.code, answer.message)


async def _announce(client: SMTP, envelope: _Envelope) -> bool:
    """MAIL and RCPT. True when delivery reports were asked for."""
    limit = client.esmtp_extensions.get("size", "").strip()
    if limit.isdigit() and 0 < int(limit) < envelope.size:
        raise MailRefused(552, "5.3.4")  # RFC 1870: known before anything is sent
    dsn = client.supports_extension("dsn") and envelope.notify is not None
    options = [f"SIZE={envelope.size}"] if client.supports_extension("size") else []
    if dsn:
        options += ["RET=HDRS", *([f"ENVID={envelope.envid}"] if envelope.envid else [])]
    await client.mail(envelope.sender, options=options)
    for recipient in envelope.recipients:
        asked = [f"NOTIFY={envelope.notify}", f"ORCPT=rfc822;{_xtext(recipient)}"] if dsn else []
        await client.rcpt(recipient, options=asked)
    return dsn


async def _text(client: SMTP, data: bytes, timeout_s: float) -> int:
    """DATA and its answer. The code of the answer; from the first byte of text on, silence means doubt."""
    protocol = client.protocol
    if protocol is None:
        raise SMTPServerDisconnected("Connection lost")
    ready = await protocol.execute_command(b"DATA", timeout=timeout_s)
    if ready.code != 354:
        raise SMTPResponseException(ready.code, ready.message)
    try:
        protocol.write(_DOT.sub(b"..", data) + b".\r\n")
        answer = await protocol.read_response(timeout=timeout_s)
    except (SMTPException, OSError):
        raise MailInDoubt("the answer to the mail's text was lost") from None
    if answer.code // 100 in {4, 5}:
        raise SMTPResponseException(answer.code, answer.message)
    if answer.code != 250:
        raise MailInDoubt(f"the answer to the mail's text makes no sense ({answer.code})")
    return answer.code


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turns aiosmtplib's errors into ours. Of a reply only the numbers are kept: its text may name people."""
    try:
        yield
    except SMTPResponseException as answer:
        found = _ENHANCED.match(answer.message)
        enhanced = found[0] if found else ""
        if answer.code // 100 == 5:
            raise MailRefused(answer.code, enhanced) from None
        raise MailDeferred(f"the mail server asks to wait: {answer.code} {enhanced}".strip()) from None
    except (SMTPException, OSError) as error:
        raise refusal(error) from None


def _xtext(text: str) -> str:
    """RFC 3461 section 4: `+`, `=` and what is not printable ASCII as `+XX`."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
