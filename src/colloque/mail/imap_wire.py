"""Bytes of an IMAP connection (RFC 3501, 9051): lines, literals, TLS, tagged commands. Knows nothing of mail."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable

from colloque.errors import MailDeferred, Tampered
from colloque.mail.access import refusal
from colloque.mail.imap_answers import Response
from colloque.mail.revocation_check import Revocation

LINE_LIMIT = 1 << 20
"""Bytes of one line: a SEARCH answer of some 100,000 UIDs."""
LITERAL_LIMIT = 64 << 20
"""Bytes of one literal; we ask for pieces far smaller."""
_PAUSE = 512 << 10

_LITERAL = re.compile(rb"\{(\d{1,10})\}\Z")
_CODE = re.compile(rb"\A(?:OK|NO|BAD|BYE) \[([A-Z0-9-]{1,40})")


class CommandRefused(Exception):
    """The server answered NO or BAD. `code` is its response code (RFC 5530), never its text, which may name people."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code or "no code")


class _Stream(asyncio.Protocol):
    """Received bytes, waited for by one reader. A new one is made for TLS: nothing read in clear can survive it."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.lost: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > _PAUSE and self.transport:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc or ConnectionResetError("connection closed")
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def more(self) -> None:
        """Wait for at least one more byte. Raises the reason when the connection is lost."""
        if self.lost:
            raise self.lost
        if self.transport and not self.transport.is_closing():
            self.transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def line(self) -> bytes:
        """Up to the next line end, which is left out."""
        start = 0
        while (end := self.buffer.find(b"\n", start)) < 0:
            start = len(self.buffer)
            if start > LINE_LIMIT:
                raise MailDeferred("the mail server's line is too long")
            await self.more()
        found = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        return found.removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """`count` bytes."""
        while len(self.buffer) < count:
            await self.more()
        found = bytes(self.buffer[:count])
        del self.buffer[:count]
        return found


class ImapWire:
    """One connection. Any failure (time-out, loss, cancellation) closes it: half an exchange can't be resumed."""

    def __init__(self, transport: asyncio.Transport, stream: _Stream, timeout_s: float) -> None:
        self._transport = transport
        self._stream = stream
        self._timeout_s = timeout_s
        self._count = 0
        self.on_untagged: Callable[[Response], None] = lambda _: None
        """Sees every untagged response, asked for or not."""

    @classmethod
    async def open(cls, sock: socket.socket, name: str, context: ssl.SSLContext | None, timeout_s: float) -> ImapWire:
        """On a connected socket, with implicit TLS when a context is given. Raises MailDeferred, Tampered."""
        loop = asyncio.get_running_loop()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            async with asyncio.timeout(timeout_s):
                transport, stream = await loop.create_connection(
                    _Stream, sock=sock, ssl=context, server_hostname=name if context else None
                )
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):  # time-outs and TLS errors are OSErrors too
                raise refusal(error) from None
            raise
        return cls(transport, stream, timeout_s)

    async def start_tls(self, host: str, context: ssl.SSLContext) -> None:
        """Handshake after STARTTLS was accepted. Raises Tampered when clear text came along (RFC 9051 section 11.1)."""
        self._transport.pause_reading()
        if self._stream.buffer:
            self.abort()
            raise Tampered("the mail server sent clear text after STARTTLS")
        stream = _Stream()
        try:
            async with asyncio.timeout(self._timeout_s):
                secure = await asyncio.get_running_loop().start_tls(
                    self._transport, stream, context, server_hostname=host
                )
        except OSError as error:
            self.abort()
            raise refusal(error) from None
        if secure is None:
            raise MailDeferred("the mail server closed the connection")
        stream.connection_made(secure)
        self._transport, self._stream = secure, stream

    async def response(self) -> Response:
        """The next response, whatever it is. Waits as long as it takes: callers set the time-out."""
        parts: Response = []
        while True:
            text = await self._stream.line()
            literal = _LITERAL.search(text)
            if not literal:
                return [*parts, text]
            size = int(literal[1])
            if size > LITERAL_LIMIT:
                raise MailDeferred("the mail server's answer is too long")
            parts += [text, await self._stream.exactly(size)]

    async def untagged(self) -> Response:
        """The next untagged response, shown to `on_untagged`. Raises MailDeferred on BYE."""
        found = await self.response()
        self._see(found)
        return found

    def _see(self, found: Response) -> None:
        if found[0].upper().startswith(b"* BYE"):
            raise MailDeferred(f"the mail server said goodbye ({code_of(found[0][2:]) or 'no code'})")
        self.on_untagged(found)

    async def readable(self, timeout_s: float) -> bool:
        """Wait for bytes, at most `timeout_s`; False when none came. Raises MailDeferred on a lost connection."""
        stream = self._stream
        if stream.buffer:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await stream.more()
        except OSError:
            if stream.lost:
                self.abort()
                raise MailDeferred("the connection to the mail server was lost") from None
            return False
        return True

    def send(self, text: bytes) -> None:
        """Write one line."""
        self._transport.write(text + b"\r\n")

    def begin(self, command: bytes) -> bytes:
        """Send a command and return its tag; `finish` waits for its end."""
        self._count += 1
        tag = b"C%d" % self._count
        self.send(tag + b" " + command)
        return tag

    async def finish(self, tag: bytes, *, answer: Callable[[bytes], bytes] | None = None) -> list[Response]:
        """Untagged responses until the tagged OK. `answer` turns a `+` challenge into the line to send.

        Raises CommandRefused on NO and BAD, MailDeferred when the server or the connection fails.
        """
        found: list[Response] = []
        async with self.guard():
            while True:
                parts = await self.response()
                head = parts[0]
                if head.startswith(tag + b" "):
                    if head[len(tag) + 1 :].upper().startswith(b"OK"):
                        return found
                    break
                if head.startswith(b"+") and answer:
                    self.send(answer(head[1:].strip()))
                elif head.startswith(b"* "):
                    self._see(parts)
                    found.append(parts)
        raise CommandRefused(code_of(head[len(tag) + 1 :]))

    async def command(self, command: bytes, *, answer: Callable[[bytes], bytes] | None = None) -> list[Response]:
        """Send, and wait for the end."""
        return await self.finish(self.begin(command), answer=answer)

    def guard(self, timeout_s: float | None = None) -> _Guard:
        """Within it, any failure closes the connection; losses and time-outs become MailDeferred."""
        return _Guard(self, self._timeout_s if timeout_s is None else timeout_s)

    async def check(self, revocation: Revocation) -> None:
        """That nothing in the chain of this TLS connection was revoked. Raises Tampered, MailDeferred."""
        await revocation.check(self._transport.get_extra_info("ssl_object"))

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


class _Guard:
    def __init__(self, wire: ImapWire, timeout_s: float) -> None:
        self._wire = wire
        self._timeout = asyncio.timeout(timeout_s)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)  # type: ignore[arg-type]
        except TimeoutError:
            self._wire.abort()
            raise MailDeferred("the mail server does not answer") from None
        if error is None:
            return
        self._wire.abort()
        if isinstance(error, OSError):
            raise MailDeferred("the connection to the mail server was lost") from None


def code_of(text: bytes) -> str:
    """The response code in `NO [CODE] …`; empty when there is none."""
    match = _CODE.match(text.upper())
    return match[1].decode() if match else ""
