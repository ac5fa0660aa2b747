"""A TCP proxy between a client and a server, which a test can make misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self


class Proxy:
    """Forwards 127.0.0.N:port to localhost:target. As an async context manager it ends with all its connections."""

    def __init__(self, target: int, *, host: str = "127.0.0.1") -> None:
        self._target = target
        self._host = host
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.from_client = b""
        """Everything clients sent."""
        self.to_client: Callable[[bytes], bytes] = lambda data: data
        """Rewrites what the server sends."""
        self.client_budget: int | None = None
        """Bytes from clients still forwarded; after them the connection is reset."""
        self.server_chunks: int | None = None
        """Chunks from the server still forwarded; after them the connection is reset."""
        self.hole = False
        """Swallow everything, both ways."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Reset every connection (RST, no goodbye)."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("localhost", self._target)
        self._writers += [writer, back]
        for coroutine in (self._pump(reader, back, self._to_server), self._pump(there, writer, self._to_client)):
            task = asyncio.create_task(coroutine)
            self._tasks.add(task)

    def _to_server(self, data: bytes) -> bytes | None:
        self.from_client += data
        if self.client_budget is not None:
            self.client_budget -= len(data)
            if self.client_budget < 0:
                return None
        return data

    def _to_client(self, data: bytes) -> bytes | None:
        if self.server_chunks is not None:
            self.server_chunks -= 1
            if self.server_chunks < 0:
                return None
        return self.to_client(data)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes | None]
    ) -> None:
        try:
            while data := await reader.read(65536):
                if self.hole:
                    continue
                changed = change(data)
                if changed is None:
                    self.reset()
                    return
                writer.write(changed)
                await writer.drain()
            writer.close()
        except ConnectionError:
            writer.close()
