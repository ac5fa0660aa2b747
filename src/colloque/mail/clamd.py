"""clamd's own protocol (man clamd): one file handed over as a stream, and what clamd says of it.

A verdict is a value. Whatever is not a verdict, a lost connection as well as an answer that makes no sense, raises: it
never counts as clean. Of an answer nothing is kept but the signature's name, cleaned.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from colloque.config import AntivirusConfig
from colloque.errors import AntivirusUnavailable

SIGNATURE_LIMIT = 80
"""Characters kept of a signature's name."""
ANSWER_LIMIT = 1024
"""Bytes of one answer."""
_CHUNK = 128 << 10
_AT_ONCE = 4
"""Scans at the same time, of this process. clamd has 10 threads by default."""
_CONNECT_S = 2.0
_VERSION_S = 2.0

_FOUND = re.compile(r"stream: (.+) FOUND\Z")
_TOO_BIG = "INSTREAM size limit exceeded. ERROR"
_VERSION = re.compile(r"ClamAV ([\w.+~-]{1,40})(?:/\d{1,9}/(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}))?\Z")
_UNSCANNED: dict[str, Reason] = {"Heuristics.Limits.Exceeded": "limits", "Heuristics.Encrypted": "encrypted"}
"""clamd reports these as found, where it is told to: it did not look inside."""

Reason = Literal["too-big", "limits", "encrypted", "failed"]
"""Why there is no verdict: bigger than clamd takes, deeper or longer to read than its limits, encrypted, or clamd fails
on that very file (which only a caller can tell, by trying again)."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Scanned whole, as far as clamd can; nothing found."""


@dataclass(frozen=True, slots=True)
class Infected:
    """Something was found."""

    signature: str
    """Its name in ClamAV's database: ASCII letters, digits and `._:/-`, at most SIGNATURE_LIMIT."""


@dataclass(frozen=True, slots=True)
class Unscanned:
    """Not scanned, and trying again would change nothing."""

    reason: Reason


Verdict = Clean | Infected | Unscanned


@dataclass(frozen=True, slots=True)
class Version:
    """What clamd says of itself."""

    engine: str
    signatures_at: datetime | None
    """When its daily signatures were made. clamd tells local time without its zone: right to within 14 hours. None
    where it has none of ClamAV's own."""


class Clamd:
    """One instance a process; a connection a question. Everything raises AntivirusUnavailable."""

    def __init__(self, config: AntivirusConfig) -> None:
        place = config.place
        assert place is not None  # the configuration's checks saw to it
        self._place = place
        self._config = config
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def scan(self, data: bytes) -> Verdict:
        """What clamd says of one file. `scan_s` counts from its turn on."""
        if len(data) > self._config.size_limit:
            return Unscanned("too-big")
        async with self._turns:
            return _verdict(await self._ask(b"zINSTREAM\0", data, self._config.scan_s))

    async def version(self) -> Version:
        """The engine, and the age of its signatures: within a few seconds, for health."""
        answer = _VERSION.match(await self._ask(b"zVERSION\0", None, _VERSION_S))
        if answer is None:
            raise AntivirusUnavailable("what answers is not clamd", received=True)
        if not answer[2]:
            return Version(answer[1], None)
        try:
            made = datetime.strptime(answer[2], "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
        except ValueError:
            raise AntivirusUnavailable("clamd's date makes no sense", received=True) from None
        return Version(answer[1], made)

    async def _ask(self, command: bytes, data: bytes | None, within_s: float) -> str:
        # Sockets, not streams: clamd refuses a file that is too long in the middle of it and hangs up. asyncio's
        # streams would lose that answer with the failed write; on the socket it is still there to be read.
        inet = socket.AF_INET6 if isinstance(self._place, tuple) and ":" in self._place[0] else socket.AF_INET
        with socket.socket(socket.AF_UNIX if isinstance(self._place, Path) else inet) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await loop.sock_connect(sock, str(self._place) if isinstance(self._place, Path) else self._place)
                sock.getpeername()  # asyncio takes a Unix socket whose queue is full for a connected one
            except OSError as error:
                raise AntivirusUnavailable(f"clamd can't be reached ({type(error).__name__})", received=False) from None
            try:
                async with asyncio.timeout(within_s):
                    with contextlib.suppress(ConnectionError):
                        await _send(sock, command, data)
                    return await _answer(sock)
            except OSError as error:
                raise AntivirusUnavailable(f"clamd did not answer ({type(error).__name__})", received=True) from None


async def _send(sock: socket.socket, command: bytes, data: bytes | None) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, command)
    if data is None:
        return
    view = memoryview(data)
    for at in range(0, len(view), _CHUNK):
        chunk = view[at : at + _CHUNK]
        await loop.sock_sendall(sock, len(chunk).to_bytes(4, "big"))
        await loop.sock_sendall(sock, chunk)
    await loop.sock_sendall(sock, bytes(4))


async def _answer(sock: socket.socket) -> str:
    """Up to the NUL that ends it: what is cut short is no answer."""
    found = b""
    while b"\0" not in found:
        more = await asyncio.get_running_loop().sock_recv(sock, ANSWER_LIMIT)
        found += more
        if not more or len(found) > ANSWER_LIMIT:
            raise AntivirusUnavailable("clamd's answer is cut short or too long", received=True)
    return found.partition(b"\0")[0].decode("ascii", "replace")


def _verdict(answer: str) -> Verdict:
    if answer == "stream: OK":
        return Clean()
    if answer == _TOO_BIG:
        return Unscanned("too-big")
    found = _FOUND.match(answer)
    if found is None:  # no memory, no room on the disk, a queue that is full, or not clamd at all
        raise AntivirusUnavailable("clamd gave no verdict", received=True)
    reason = next((why for start, why in _UNSCANNED.items() if found[1].startswith(start)), None)
    if reason is not None:
        return Unscanned(reason)
    return Infected(re.sub(r"[^A-Za-z0-9._:/-]", "_", found[1])[:SIGNATURE_LIMIT])
