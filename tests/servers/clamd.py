"""A private clamd (Debian's) with a database of one signature, made up here: no scanner elsewhere knows that text."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from colloque.config import AntivirusConfig
from colloque.files import free_port

PROGRAM = Path("/usr/sbin/clamd")
MALWARE = b"COLLOQUE-ESSAI, ceci tient lieu de logiciel malveillant"
SIGNATURE = "Colloque.Essai-1.UNOFFICIAL"
"""clamd adds the last word to what is not ClamAV's own."""
STREAM_MAX = 1 << 20
"""Small: so that a test's mail can be too big."""

CONFIG = """
DatabaseDirectory {folder}/db
TemporaryDirectory {folder}
LocalSocket {folder}/s
LogFile {folder}/clamd.log
TCPSocket {port}
TCPAddr 127.0.0.1
Foreground yes
StreamMaxLength {stream_max}
AlertEncrypted yes
AlertExceedsMax yes
MaxRecursion 4
"""


class ClamdServer:
    """One instance in a folder of its own; `start` again after `kill`, at the same places."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="clq-clamd-", dir="/tmp"))
        (self.folder / "db").mkdir()
        (self.folder / "db/own.ndb").write_text(f"Colloque.Essai-1:0:*:{MALWARE.hex()}\n")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> AntivirusConfig:
        """How we reach it."""
        return AntivirusConfig(str(self.folder / "s"), scan_s=30.0)

    def start(self) -> None:
        """Start; on another port when that one was taken."""
        for _ in range(3):
            text = CONFIG.format(folder=self.folder, port=self.port, stream_max=STREAM_MAX)
            (self.folder / "clamd.conf").write_text(text)
            with (self.folder / "out").open("ab") as out:
                self._process = subprocess.Popen(
                    [PROGRAM, f"--config-file={self.folder}/clamd.conf"], stdout=out, stderr=out
                )
            if self._answers(time.monotonic() + 20):
                return
            self.port = free_port()
        raise AssertionError((self.folder / "out").read_text())

    def _answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.settimeout(1)
                    probe.connect(str(self.folder / "s"))
                    probe.sendall(b"zPING\0")
                    if probe.recv(16) == b"PONG\0":
                        return True
            except OSError:
                time.sleep(0.05)
        self.kill()
        return False

    def kill(self) -> None:
        """No word of farewell: its socket's file stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(20)

    def stop(self) -> None:
        """Stop it and remove everything."""
        self.kill()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdServer]:
    """One for a file of tests; each leaves it running."""
    server = ClamdServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
