"""The sandbox operator's submission side: aiosmtpd with STARTTLS, XOAUTH2, senders checked, DSN (RFC 3461)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import ssl
from collections import defaultdict
from email.utils import format_datetime

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from colloque.clock import SystemClock
from colloque_demo.operator_imap import SIZE_LIMIT
from colloque_demo.operator_report import Asked, success_report
from colloque_demo.operator_store import Accounts, Maildirs

_XOAUTH2 = re.compile(rb"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01\Z", re.IGNORECASE)
_ENVID = re.compile(r"ENVID=([!-~]{1,100})\Z", re.IGNORECASE)
_NOTIFY = re.compile(r"NOTIFY=(NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)\Z", re.IGNORECASE)


async def serve(accounts: Accounts, maildirs: Maildirs, tls: ssl.SSLContext, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    desk = _Desk(accounts, maildirs)
    return await loop.create_server(lambda: _Submission(desk, tls, loop), "127.0.0.1", port)


_NOBODY = "<>"
"""A null reverse-path (RFC 5321), as aiosmtpd reads it."""


class _DsnEnvelope(Envelope):
    """An envelope that remembers what reports were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = Asked()


class _Submission(SMTP):
    # aiosmtpd clears and shares this; DSN parameters make longer lines than its 512 bytes.
    command_size_limits: dict[str, int] = defaultdict(lambda: 4096)  # noqa: RUF012 - typed so by aiosmtpd

    def __init__(self, desk: _Desk, tls: ssl.SSLContext, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            desk,
            hostname="localhost",
            ident="Colloque sandbox operator",
            data_size_limit=SIZE_LIMIT,
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            auth_exclude_mechanism=["LOGIN"],
            authenticator=desk.authenticate,
            loop=loop,
        )

    def _create_envelope(self) -> _DsnEnvelope:
        return _DsnEnvelope()

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd finds commands by name
        """aiosmtpd knows no DSN parameters: they are taken out and kept."""
        kept, dsn = _split(arg, ("RET=", "ENVID="))
        envid = next((m[1] for w in dsn if (m := _ENVID.match(w))), None)
        if any(w.upper() not in {"RET=HDRS", "RET=FULL"} and not _ENVID.match(w) for w in dsn):
            await self.push("501 5.5.4 malformed DSN parameter")
            return
        await super().smtp_MAIL(kept)
        if isinstance(self.envelope, _DsnEnvelope) and self.envelope.mail_from:
            self.envelope.asked.envid = envid
            self.envelope.asked.whole = any(w.upper() == "RET=FULL" for w in dsn)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        """The same for recipients."""
        kept, dsn = _split(arg, ("NOTIFY=", "ORCPT="))
        notify = next((m[1].upper() for w in dsn if (m := _NOTIFY.match(w))), "")
        if any(w.upper().startswith("NOTIFY=") and not _NOTIFY.match(w) for w in dsn):
            await self.push("501 5.5.4 malformed DSN parameter")
            return
        before = len(self.envelope.rcpt_tos) if self.envelope else 0
        await super().smtp_RCPT(kept)
        if isinstance(self.envelope, _DsnEnvelope) and len(self.envelope.rcpt_tos) > before:
            original = next((w[6:] for w in dsn if w.upper().startswith("ORCPT=")), "")
            if "SUCCESS" in notify.split(","):
                self.envelope.asked.success[self.envelope.rcpt_tos[-1]] = original


def _split(arg: str | None, prefixes: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """`(argument without them, the words that begin with a prefix)`."""
    words = (arg or "").split(" ")
    found = [w for w in words if w.upper().startswith(prefixes)]
    return (" ".join(w for w in words if w not in found) if arg else arg), found


class _Desk:
    """The operator's decisions: who may send what to whom."""

    def __init__(self, accounts: Accounts, maildirs: Maildirs) -> None:
        self._accounts = accounts
        self._maildirs = maildirs

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        """AUTH PLAIN."""
        assert isinstance(data, LoginPassword)
        return self._admit(data.login, "password", data.password)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - found by name
        """AUTH XOAUTH2, with or without initial response."""
        if len(args) > 1:
            try:
                blob: object = base64.b64decode(args[1], validate=True)
            except (binascii.Error, ValueError):
                await server.push("501 5.5.2 not base64")
                return AuthResult(success=False, handled=True)
        else:
            blob = await server.challenge_auth("")
            if not isinstance(blob, bytes):
                return AuthResult(success=False, handled=True)
        match = _XOAUTH2.match(blob) if isinstance(blob, bytes) else None
        return self._admit(match[1], "token", match[2]) if match else AuthResult(success=False, handled=False)

    def _admit(self, user: bytes, kind: str, secret: bytes) -> AuthResult:
        address = user.decode("utf-8", "replace").lower()
        good = self._accounts.admits(address, kind=kind, secret=secret.decode("utf-8", "surrogateescape"))
        return AuthResult(success=good, handled=False, auth_data=address if good else None)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds hooks by name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Say DSN."""
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Nobody sends under another's address; reports bear none."""
        owner: object = session.auth_data
        if address != _NOBODY and address.lower() != owner:
            return "553 5.7.1 the sender address does not belong to the login"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only mailboxes of ours: this trusted space ends here."""
        if not self._accounts.exists(address):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Deliver, report, and only then say 250."""
        assert isinstance(envelope, _DsnEnvelope)
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        now = SystemClock().now()
        trace = (
            f"Return-Path: <{envelope.mail_from.strip('<>')}>\r\n"
            f"Received: from {_plain(session.host_name)} by localhost with ESMTPSA; {format_datetime(now)}\r\n"
        )
        raw = trace.encode("ascii", "replace") + envelope.content
        for recipient in dict.fromkeys(envelope.rcpt_tos):
            self._maildirs.deliver(recipient, raw)
        if envelope.asked.success and envelope.mail_from != _NOBODY:
            report = success_report(envelope.mail_from, envelope.asked, raw, now)
            self._maildirs.deliver(envelope.mail_from, report)
        return "250 2.0.0 OK delivered"

    async def handle_exception(self, error: Exception) -> str:
        """A fault of ours: the client may try again. Nothing of the mail is told or logged."""
        return f"451 4.3.0 internal error ({type(error).__name__})"


def _plain(name: str | None) -> str:
    return re.sub(r"[^A-Za-z0-9.\-\[\]:]", "", name or "")[:100] or "unknown"
