"""Unix sockets between our services: who calls is proved by the kernel (SO_PEERCRED), what they may ask is a list.

One connection may carry several asks, one after the other. A caller that is slow, silent, greedy or wrong costs
only its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import inspect
import itertools
import logging
import os
import socket
import stat
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from colloque.calls import MAX_LINE, Ask, JsonDict, decode_answer, encode_error, encode_ok
from colloque.errors import BadInput, ColloqueError, Inconsistent, Refused, ServiceUnavailable, Temporary

Verb = Callable[..., Awaitable[JsonDict]]
"""An async function taking the ask's args by keyword, answering a JSON object."""

IDLE_S = 60.0
"""A connection that asks nothing for that long is closed."""
VERB_S = 30.0
"""A verb that takes longer is cancelled; its caller is told to come again."""
WRITE_S = 10.0
"""A caller that does not read its answer for that long is cut off."""
PER_CALLER = 16
"""Connections one system user may hold at once."""

logger = logging.getLogger(__name__)


class Server:
    """Answers `verbs[caller][verb]` to callers whose process runs as `uids[caller]`.

    `slow`: seconds for the verbs that may take longer than VERB_S; their callers need a `Client` as patient.
    """

    def __init__(
        self,
        path: Path,
        uids: Mapping[str, int],
        verbs: Mapping[str, Mapping[str, Verb]],
        *,
        slow: Mapping[str, float] | None = None,
    ) -> None:
        self._path = path
        self._uids = dict(uids)
        self._verbs = {caller: dict(allowed) for caller, allowed in verbs.items()}
        self._slow = dict(slow or {})
        self._server: asyncio.Server | None = None
        self._file: tuple[int, int] | None = None
        self._open: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. A socket file left by a crash is replaced. Raises Inconsistent when somebody listens there.

        The file's mode is 0600 when all callers run as this user (or root), else 0660: the folder's group
        decides who reaches it, the uid check who is heard.
        """
        allowed = {self._uids[caller] for caller in self._verbs if caller in self._uids}
        mode = 0o600 if allowed <= {os.geteuid(), 0} else 0o660
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _folder_lock(self._path):
                _remove_stale(self._path)
                sock.bind(str(self._path))
                self._path.chmod(mode)
                sock.listen(64)
                info = self._path.stat()
            self._file = (info.st_dev, info.st_ino)
            self._server = await asyncio.start_unix_server(self._accept, sock=sock, limit=MAX_LINE)
        except BaseException:
            sock.close()
            raise

    async def stop(self) -> None:
        """Stop listening, cut the connections, remove the socket file (if it is still ours)."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with _folder_lock(self._path), contextlib.suppress(FileNotFoundError):
            info = self._path.lstat()
            if (info.st_dev, info.st_ino) == self._file:
                self._path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        uid = _peer_uid(writer)
        self._open[uid] += 1
        try:
            if uid not in self._uids.values() or self._open[uid] > PER_CALLER:
                logger.warning("socket.turned_away uid=%d", uid)
                return
            await self._serve(uid, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            logger.debug("socket.cut uid=%d", uid)
        except asyncio.CancelledError:
            if self._server is not None:
                raise
            # `stop` did it. Python 3.11 would report it as an error of ours.
        finally:
            self._open[uid] -= 1
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, uid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                writer.write(encode_error(0, BadInput(f"a call holds at most {MAX_LINE} bytes")))
                line = b""
            else:
                writer.write(await self._answer(uid, line))
            async with asyncio.timeout(WRITE_S):
                await writer.drain()
            if not line:
                return

    async def _answer(self, uid: int, line: bytes) -> bytes:
        number = 0
        try:
            ask = Ask.decode(line)
            number = ask.id
            return await self._run(uid, ask)
        except ColloqueError as error:
            return encode_error(number, error)

    async def _run(self, uid: int, ask: Ask) -> bytes:
        if self._uids.get(ask.caller) != uid:
            raise Refused("caller_unknown")
        verb = self._verbs.get(ask.caller, {}).get(ask.verb)
        if verb is None:
            raise Refused("verb_unknown")
        try:
            inspect.signature(verb).bind(**ask.args)
        except TypeError:
            raise BadInput("wrong arguments") from None
        try:
            async with asyncio.timeout(self._slow.get(ask.verb, VERB_S)):
                return encode_ok(ask.id, await verb(**ask.args))
        except ColloqueError:
            raise
        except TimeoutError:
            logger.warning("socket.verb_too_long verb=%s", ask.verb)
            raise Temporary("took too long") from None
        except Exception:
            logger.exception("socket.verb_failed verb=%s", ask.verb)
            raise Temporary("internal error") from None


class Client:
    """Asks one service as `caller`. A connection a call: nothing to keep alive, nothing half-broken to reuse."""

    def __init__(self, path: Path, caller: str, *, timeout_s: float = VERB_S + 5) -> None:
        self._path = path
        self._caller = caller
        self._timeout_s = timeout_s
        self._numbers = itertools.count(1)

    async def call(self, verb: str, /, **args: object) -> JsonDict:
        """The service's answer.

        Raises ServiceUnavailable when nobody answers (the call may have been done all the same: repeat only verbs
        that are idempotent), and whatever the service answered: Temporary, Refused, BadInput, Final.
        """
        ask = Ask(next(self._numbers), self._caller, verb, dict(args))
        line = ask.encode()
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_LINE)
                try:
                    writer.write(line)
                    answer = await reader.readuntil(b"\n")
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ServiceUnavailable(f"{self._path.stem} does not answer ({type(error).__name__})") from None
        return decode_answer(answer, ask.id)


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    """The system user at the other end, as the kernel says (struct ucred: pid, uid, gid)."""
    raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", raw)[1]
    return uid


@contextlib.contextmanager
def _folder_lock(path: Path) -> Iterator[None]:
    """Two starters of the same service can't both take the other's socket for a stale one."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _remove_stale(path: Path) -> None:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(info.st_mode):
        raise Inconsistent(f"{path.name} exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            raise Inconsistent(f"{path.name} can't be probed ({type(error).__name__})") from None
        else:
            raise Inconsistent(f"another process listens on {path.name}")
