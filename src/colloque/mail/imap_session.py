"""One logged-in IMAP connection: how it is made, how it waits, how it ends.

A connection that failed is not mended: make a new client and go on from the durable cursor.
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from typing import Self

from colloque.clock import monotonic
from colloque.config import MailServerConfig
from colloque.errors import LoginRefused, MailDeferred, Tampered
from colloque.mail import imap_answers as answers
from colloque.mail.access import Auth, Way
from colloque.mail.imap_answers import Response
from colloque.mail.imap_wire import CommandRefused, ImapWire
from colloque.mail.revocation_check import Revocation

_TRANSIENT = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "OVERQUOTA", "TIMEOUT"}
"""Response codes (RFC 5530) of a server that could not, rather than would not."""


class ImapSession:
    """Made by `connect`; used by one task at a time."""

    def __init__(self, wire: ImapWire, timeout_s: float) -> None:
        self._wire = wire
        self._timeout_s = timeout_s
        self._capabilities: frozenset[str] = frozenset()
        self._exists = 0
        self._modseq = 0
        self._qresync = False
        self._news = False
        self._after: dict[int, int] = {}
        """Which UID will be asked for after which."""
        wire.on_untagged = self._note

    @classmethod
    async def connect(
        cls,
        server: MailServerConfig | Way,
        user: str,
        auth: Auth,
        *,
        timeout_s: float,
        revocation: Revocation | None = None,
    ) -> Self:
        """Connect, secure, log in. `timeout_s` bounds each exchange.

        Raises LoginRefused; MailDeferred (unreachable, overloaded, lost); Tampered (certificate not accepted or
        revoked, STARTTLS not offered, clear text after it): nothing secret was sent then; ConfigError without a CA.
        """
        way = Way.of(server)
        context = way.context(auth)
        sock = await way.connect("imap", timeout_s)
        wire = await ImapWire.open(sock, way.name, context if way.implicit else None, timeout_s)
        client = cls(wire, timeout_s)
        try:
            await client._greeting()
            if not way.implicit:
                await client._secure(way.name, context)
            if revocation is not None:
                await wire.check(revocation)
            await client._read_capabilities()
            await client._log_in(user, auth)
            await client._read_capabilities()
        except BaseException:
            wire.abort()
            raise
        return client

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server offers since login, upper-case."""
        return self._capabilities

    async def wait(self, timeout_s: float) -> bool:
        """Wait for new mail, at most `timeout_s`; True when something new came (IDLE, or one look).

        Each call ends with an exchange, which proves that the server lives: a connection closed, reset or swallowed by
        a black hole raises MailDeferred, at latest one exchange's time-out after `timeout_s`.
        """
        if not self._news:
            try:
                await self._watch(timeout_s)
            except BaseException:
                self._wire.abort()
                raise
        news, self._news = self._news, False
        return news

    async def _watch(self, timeout_s: float) -> None:
        await self._wire.settle()
        tag = await self._start_idle() if "IDLE" in self._capabilities else None
        until = monotonic() + timeout_s
        while not self._news and (left := until - monotonic()) > 0:
            if await self._wire.readable(left):
                async with self._wire.guard():
                    await self._wire.untagged()
        if tag is None:
            await self._ask(b"NOOP")
            return
        self._wire.send(b"DONE")
        try:
            await self._wire.finish(tag)
        except CommandRefused as refused:
            raise MailDeferred(f"the mail server ended IDLE ({refused})") from None

    async def _start_idle(self) -> bytes:
        tag = self._wire.begin(b"IDLE")
        async with self._wire.guard():
            while not (head := (await self._wire.untagged())[0]).startswith(b"+"):
                if head.startswith(tag):
                    raise MailDeferred("the mail server refused IDLE")
        return tag

    async def close(self) -> None:
        """Log out politely, then close whatever the server says."""
        with contextlib.suppress(MailDeferred, CommandRefused):
            self._wire.begin(b"LOGOUT")
            async with self._wire.guard(2.0):
                while True:
                    await self._wire.untagged()  # until BYE
        self._wire.abort()

    # --- the exchanges ---

    async def _ask(self, command: bytes) -> list[Response]:
        try:
            return await self._wire.command(command)
        except CommandRefused as refused:
            raise MailDeferred(f"the mail server refused a command ({refused})") from None

    async def _greeting(self) -> None:
        async with self._wire.guard():
            head = (await self._wire.untagged())[0].upper()
        if head.startswith(b"* PREAUTH"):
            # Before TLS this would skip STARTTLS; after it, it would be somebody else's mailbox.
            raise Tampered("the mail server let us in without asking who we are")
        if not head.startswith(b"* OK"):
            raise MailDeferred("what answers is not an IMAP server")

    async def _secure(self, name: str, context: ssl.SSLContext) -> None:
        await self._read_capabilities()
        if "STARTTLS" not in self._capabilities:
            raise Tampered("the mail server does not offer STARTTLS")
        try:
            await self._wire.command(b"STARTTLS")
        except CommandRefused:
            raise Tampered("the mail server refused STARTTLS") from None
        await self._wire.start_tls(name, context)
        self._capabilities = frozenset()  # what was said in clear counts no more

    async def _read_capabilities(self) -> None:
        self._capabilities = frozenset()
        await self._ask(b"CAPABILITY")

    async def _log_in(self, user: str, auth: Auth) -> None:
        if f"AUTH={auth.mechanism}" not in self._capabilities:
            # Dovecot offers none while it starts; whoever is at fault, our secret was not refused.
            raise MailDeferred(f"the mail server does not offer {auth.mechanism} now")
        secret = base64.b64encode(auth.initial(user))
        answers = iter([secret])
        try:
            # A second challenge is XOAUTH2's error report: an empty line acknowledges it.
            await self._wire.command(b"AUTHENTICATE " + auth.mechanism.encode(), answer=lambda _: next(answers, b""))
        except CommandRefused as refused:
            if refused.code in _TRANSIENT:
                raise MailDeferred(f"the mail server can't log in now ({refused})") from None
            raise LoginRefused(f"the mail server refused the login ({refused})") from None

    def _note(self, parts: Response) -> None:
        head = parts[0]
        if head.upper().startswith(b"* CAPABILITY"):
            self._capabilities = frozenset(head.decode("ascii", "replace").upper().split()[2:])
        elif head.upper().startswith(b"* ENABLED "):
            self._qresync = b"QRESYNC" in head.upper().split()
        elif match := answers.COUNT.match(head):
            if match[2].upper() == b"EXPUNGE":
                self._exists -= 1
            else:
                self._news = self._news or int(match[1]) > self._exists
                self._exists = int(match[1])
        elif match := answers.VANISHED.match(head):
            if not match[1]:  # those of before are not among the ones that EXISTS counted
                self._exists -= answers.count(match[2])
        else:
            self._modseq = max(self._modseq, answers.modseq(parts))
