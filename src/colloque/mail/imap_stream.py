"""Bytes of a connection, in clear and then under TLS, waited for by one reader. Knows nothing of IMAP.

TLS is done here on memory buffers: asyncio's own keeps 256 KiB for every connection, and thousands of mailboxes wait.
"""

from __future__ import annotations

import asyncio
import ssl

from colloque.errors import MailDeferred, Tampered

LINE_LIMIT = 1 << 20
"""Bytes of one line: a SEARCH answer of some 100,000 UIDs."""
_PAUSE = 512 << 10
_RECORD = 16 << 10
"""The most that one TLS record holds."""


class Stream(asyncio.Protocol):
    """Made for a connected socket; `secure` once nothing more is to travel in clear."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self._lost: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._secured = False
        self.tls: ssl.SSLObject | None = None
        """None while everything is in clear."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.tls is None:
            self._buffer += data
        else:
            self._incoming.write(data)
            if self._secured:
                self._decrypt(self.tls)
        if len(self._buffer) > _PAUSE:
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._lost = self._lost or exc or ConnectionResetError("connection closed")
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _decrypt(self, tls: ssl.SSLObject) -> None:
        try:
            while piece := tls.read(_RECORD):
                self._buffer += piece
            self._end(ConnectionResetError("connection closed"))
        except ssl.SSLWantReadError:
            self._flush()  # TLS answers by itself now and then: new keys, say
        except ssl.SSLError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        """What came before is still to be read."""
        self._lost = self._lost or error
        self.transport.abort()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())

    async def secure(self, name: str, context: ssl.SSLContext) -> None:
        """The handshake with a server whose certificate is to hold for `name`.

        Raises Tampered when something came in clear before it (RFC 9051 section 11.1), OSError (what `access.refusal`
        translates) when it fails. To be called once; a failure leaves a connection to be closed.
        """
        if self._buffer:
            raise Tampered("the mail server sent clear text after STARTTLS")
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                await self.more()
            except ssl.SSLError:
                self._flush()  # the server is told why
                raise
        self._secured = True
        self._decrypt(self.tls)  # what came with the end of the handshake, and what it made us say

    def write(self, data: bytes) -> None:
        """Send. A connection that is lost shows in the next reading."""
        if self.tls is None:
            self.transport.write(data)
            return
        try:
            self.tls.write(data)
        except ssl.SSLError as error:
            self._end(error)
        else:
            self._flush()

    @property
    def pending(self) -> bool:
        """True when there is something to read."""
        return bool(self._buffer)

    @property
    def lost(self) -> bool:
        """True once nothing more can come."""
        return self._lost is not None

    async def more(self) -> None:
        """Wait for at least one more byte. Raises the reason when the connection is lost."""
        if self._lost:
            raise self._lost
        self.transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def line(self) -> bytes:
        """Up to the next line end, which is left out."""
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > LINE_LIMIT:
                raise MailDeferred("the mail server's line is too long")
            await self.more()
        found = bytes(memoryview(self._buffer)[:end])
        del self._buffer[: end + 1]
        return found.removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """`count` bytes."""
        while len(self._buffer) < count:
            await self.more()
        found = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return found
