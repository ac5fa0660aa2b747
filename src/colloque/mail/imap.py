"""A mailbox read over IMAP, as a guest: EXAMINE, BODY.PEEK; nothing is moved, flagged or deleted.

UIDs and their validity are the only progress marks (RFC 3501 section 2.3.1.1). A connection that failed is not
mended: make a new client and go on from the durable cursor.
"""

from __future__ import annotations

import base64
import contextlib
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Self

from colloque.clock import monotonic
from colloque.config import MailServerConfig
from colloque.errors import LoginRefused, MailDeferred, NotFound, Tampered
from colloque.mail.access import Auth, Password, XOAuth2, tls_context
from colloque.mail.imap_wire import CommandRefused, ImapWire, Response
from colloque.mail.revocation_check import Revocation

__all__ = ["Box", "Fetched", "ImapClient", "Password", "XOAuth2"]

CHUNK = 1 << 20
"""Bytes asked for at once: a 25 MB mail never stands twice in memory."""
_MAX_UID = 0xFFFFFFFF
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TRANSIENT = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "OVERQUOTA", "TIMEOUT"}
"""Response codes (RFC 5530) of a server that could not, rather than would not."""

_COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\Z", re.IGNORECASE)
ANSWERED, SEEN = "\\Answered", "\\Seen"
UIDVALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]", re.IGNORECASE)
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_FETCHED = re.compile(rb"\* \d+ FETCH \((.*)\)\Z", re.IGNORECASE | re.DOTALL)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_INTERNAL_DATE = re.compile(
    rb'INTERNALDATE "([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_BODY = re.compile(rb'BODY\[\](?:<\d+>)? (NIL|\{\d+\}|"(?:\\.|[^"\\])*")', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Box:
    """INBOX when it was opened. `uidnext` is 0 where the server does not say."""

    uidvalidity: int
    uidnext: int
    exists: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message. `internal_date` is when the operator received it, aware."""

    uid: int
    internal_date: datetime
    raw: bytes = field(repr=False)


class ImapClient:
    """One logged-in connection. Made by `connect`; used by one task at a time."""

    def __init__(self, wire: ImapWire, timeout_s: float) -> None:
        self._wire = wire
        self._timeout_s = timeout_s
        self._capabilities: frozenset[str] = frozenset()
        self._exists = 0
        self._news = False
        wire.on_untagged = self._note

    @classmethod
    async def connect(
        cls, server: MailServerConfig, user: str, auth: Auth, *, timeout_s: float, revocation: Revocation | None = None
    ) -> Self:
        """Connect, secure, log in. `timeout_s` bounds each exchange.

        Raises LoginRefused; MailDeferred (unreachable, overloaded, lost); Tampered (certificate not accepted or
        revoked, STARTTLS not offered, clear text after it): nothing secret was sent then; ConfigError without a CA.
        """
        context = tls_context(server, auth)
        implicit = server.tls == "implicit"
        wire = await ImapWire.open(server.host, server.port, context if implicit else None, timeout_s)
        client = cls(wire, timeout_s)
        try:
            await client._greeting()
            if not implicit:
                await client._secure(server.host, context)
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

    async def examine(self) -> Box:
        """Open INBOX read-only. To be called once, before anything below."""
        self._exists = 0
        found = await self._ask(b"EXAMINE INBOX")
        heads = [parts[0] for parts in found]
        validity = next((int(m[1]) for h in heads if (m := UIDVALIDITY.search(h))), None)
        if validity is None:
            raise MailDeferred("the mail server gave no UIDVALIDITY")
        uidnext = next((int(m[1]) for h in heads if (m := _UIDNEXT.search(h))), 0)
        self._news = False
        return Box(validity, uidnext, self._exists)

    async def uids(self, after_uid: int, since: date | None = None) -> list[int]:
        """UIDs above `after_uid`, rising; with `since`, those received that day or later, and some of the day before.

        (Servers compare dates in a zone of their own: the caller compares `internal_date` itself.)
        """
        if after_uid >= _MAX_UID:
            return []
        day = since - timedelta(days=1) if since else None
        when = f" SINCE {day.day}-{MONTHS[day.month - 1]}-{day.year}" if day else ""
        found = await self._ask(f"UID SEARCH UID {after_uid + 1}:*{when}".encode())
        # `n:*` always holds the last message, even when its UID is below n (RFC 3501 section 9, seq-range).
        lists = (parts[0].split()[2:] for parts in found if parts[0].upper().startswith(b"* SEARCH"))
        return sorted({int(uid) for uids in lists for uid in uids if uid.isdigit() and int(uid) > after_uid})

    async def fetch(self, uid: int) -> Fetched:
        """One message, whole, in pieces of `CHUNK`. Raises NotFound when it is not there any more."""
        raw = bytearray()
        at: datetime | None = None
        while True:
            piece, at = await self._piece(uid, len(raw), at)
            raw += piece
            if len(piece) != CHUNK:  # shorter: the end; longer: a server that does not cut
                return Fetched(uid, at, bytes(raw))

    async def _piece(self, uid: int, offset: int, at: datetime | None) -> tuple[bytes, datetime]:
        what = f"UID FETCH {uid} (UID INTERNALDATE BODY.PEEK[]<{offset}.{CHUNK}>)"
        for parts in await self._ask(what.encode()):
            text = b"".join(parts[::2])
            match = _UID.search(text)
            body = _BODY.search(text)
            if match and int(match[1]) == uid and body and b" FETCH " in text.upper():
                at = at or _internal_date(text)
                if at is None:
                    raise MailDeferred("the mail server gave no date of arrival")
                return _body_bytes(parts, body[1]), at
        if at is None:
            raise NotFound("the message is not in the mailbox any more")
        raise MailDeferred("the message went away while it was read")

    async def flags(self, uids: Sequence[int]) -> dict[int, frozenset[str]]:
        """Flags and keywords, in small letters, of those of these mails that are there."""
        if not uids:
            return {}
        listed = ",".join(map(str, sorted(uids)))
        return _flags(await self._ask(f"UID FETCH {listed} (FLAGS)".encode()))

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

    async def _secure(self, host: str, context: ssl.SSLContext) -> None:
        await self._read_capabilities()
        if "STARTTLS" not in self._capabilities:
            raise Tampered("the mail server does not offer STARTTLS")
        try:
            await self._wire.command(b"STARTTLS")
        except CommandRefused:
            raise Tampered("the mail server refused STARTTLS") from None
        await self._wire.start_tls(host, context)
        self._capabilities = frozenset()  # what was said in clear counts no more

    async def _read_capabilities(self) -> None:
        self._capabilities = frozenset()
        await self._ask(b"CAPABILITY")

    async def _log_in(self, user: str, auth: Auth) -> None:
        if f"AUTH={auth.mechanism}" not in self._capabilities:
            raise LoginRefused(f"the mail server does not offer {auth.mechanism}")
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
        elif match := _COUNT.match(head):
            if match[2].upper() == b"EXPUNGE":
                self._exists -= 1
            else:
                self._news = self._news or int(match[1]) > self._exists
                self._exists = int(match[1])


def _flags(answers: Sequence[Response]) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for parts in answers:
        inside = _FETCHED.match(parts[0])
        if inside and (uid := _UID.search(inside[1])) and (flags := _FLAGS.search(inside[1])):
            found[int(uid[1])] = frozenset(flags[1].decode("ascii", "replace").lower().split())
    return found


def _internal_date(text: bytes) -> datetime | None:
    match = _INTERNAL_DATE.search(text)
    if not match:
        return None
    day, month, year, hour, minute, second, sign, zone_h, zone_m = (g.decode() for g in match.groups())
    offset = timedelta(hours=int(zone_h), minutes=int(zone_m)) * (-1 if sign == "-" else 1)
    try:
        rank = MONTHS.index(month.title()) + 1
        return datetime(int(year), rank, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
    except ValueError:
        return None


def _body_bytes(parts: Response, mark: bytes) -> bytes:
    """The body: the literal whose text before ends with `mark`, or `mark` itself when it is a quoted string or NIL."""
    if mark.startswith(b"{"):
        return next(parts[i + 1] for i in range(0, len(parts) - 1, 2) if _BODY.search(parts[i]))
    if mark.upper() == b"NIL":
        return b""
    return re.sub(rb"\\(.)", rb"\1", mark[1:-1])
