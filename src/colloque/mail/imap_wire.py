"""Bytes of an IMAP connection (RFC 3501, 9051): lines, literals, TLS, tagged commands. Knows nothing of mail."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Callable

from colloque.errors import MailDeferred
from colloque.mail.access import refusal
from colloque.mail.imap_answers import Response
from colloque.mail.imap_stream import Stream
from colloque.mail.revocation_check import Revocation

LITERAL_LIMIT = 64 << 20
"""Bytes of one literal; we ask for pieces far smaller."""

_LITERAL = re.compile(rb"\{(\d{1,10})\}\Z")
_CODE = re.compile(rb"\A(?:OK|NO|BAD|BYE) \[([A-Z0-9-]{1,40})")


class CommandRefused(Exception):
    """The server answered NO or BAD. `code` is its response code (RFC 5530), never its text, which may name people."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code or "no code")


class ImapWire:
    """One connection. Any failure (time-out, loss, cancellation) closes it: half an exchange can't be resumed."""

    def __init__(self, stream: Stream, timeout_s: float) -> None:
        self._stream = stream
        self._timeout_s = timeout_s
        self._count = 0
        self._ahead: tuple[bytes, bytes] | None = None
        """A command that was sent before its time, and its tag."""
        self.on_untagged: Callable[[Response], None] = lambda _: None
        """Sees every untagged response, asked for or not."""

    @classmethod
    async def open(cls, sock: socket.socket, name: str, context: ssl.SSLContext | None, timeout_s: float) -> ImapWire:
        """On a connected socket, with implicit TLS when a context is given. Raises MailDeferred, Tampered."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _, stream = await asyncio.get_running_loop().create_connection(Stream, sock=sock)
        wire = cls(stream, timeout_s)
        if context is not None:
            await wire.start_tls(name, context)
        return wire

    async def start_tls(self, name: str, context: ssl.SSLContext) -> None:
        """Handshake; after STARTTLS was accepted, or at once. Raises Tampered, MailDeferred."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._stream.secure(name, context)
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):  # time-outs and TLS errors too
                raise refusal(error) from None
            raise

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
        if stream.pending:
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
        self._stream.write(text + b"\r\n")

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
        """Send, and wait for the end. What was sent `ahead` is waited for; anything else is asked for after it."""
        if self._ahead is not None and self._ahead[0] == command:
            (_, tag), self._ahead = self._ahead, None
            return await self.finish(tag)
        await self.settle()
        return await self.finish(self.begin(command), answer=answer)

    def ahead(self, command: bytes) -> None:
        """Send the command that will come next, for the server to work meanwhile. Its answer waits, mostly unread."""
        self._ahead = (command, self.begin(command))

    async def settle(self) -> None:
        """Nobody will ask for what was sent `ahead`."""
        if self._ahead is not None:
            (_, tag), self._ahead = self._ahead, None
            with contextlib.suppress(CommandRefused):
                await self.finish(tag)

    def guard(self, timeout_s: float | None = None) -> _Guard:
        """Within it, any failure closes the connection; losses and time-outs become MailDeferred."""
        return _Guard(self, self._timeout_s if timeout_s is None else timeout_s)

    async def check(self, revocation: Revocation) -> None:
        """That nothing in the chain of this TLS connection was revoked. Raises Tampered, MailDeferred."""
        assert self._stream.tls is not None
        await revocation.check(self._stream.tls)

    def abort(self) -> None:
        """Close at once."""
        self._stream.transport.abort()


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
