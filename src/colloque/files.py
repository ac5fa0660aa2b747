"""Files and ports, done once: private files are written aside and renamed, with mode 0600 from the first byte."""

from __future__ import annotations

import atexit
import os
import socket
import tempfile
from collections import deque
from pathlib import Path

_HELD: deque[socket.socket] = deque()
_MOST_HELD = 256


def write_private(path: Path, data: str | bytes) -> None:
    """Replace `path` atomically and durably; readable by its owner only."""
    raw = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names created, renamed or removed in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@atexit.register
def _let_go() -> None:
    while _HELD:
        _HELD.pop().close()


def free_port() -> int:
    """A TCP port of the loopback that nobody else is given while this process lives and has not asked for 256 more.

    Until a server listens there, connections are refused. The server has to set SO_REUSEADDR, as all usual ones do.
    """
    held = socket.socket()
    # Bound but not listening, it keeps the system from choosing this port for others, and no server from binding it.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    if len(_HELD) > _MOST_HELD:
        _HELD.popleft().close()
    port: int = held.getsockname()[1]
    return port
