"""A private PostgreSQL: own folder, loopback, port from the OS, C locale, trust. Needs Debian's postgresql.

`postgres_server` is a fixture that tests/conftest.py imports:

@pytest.mark.postgres
async def test_it(postgres_server): url = await postgres_server.new_database()
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from colloque.files import free_port
from tests.servers.process import kill_whole

AGAIN_S = 60.0
_USER = "postgres"


def programs() -> Path | None:
    """Debian's folder of PostgreSQL's own programs, the newest; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


class PostgresServer:
    """One server process. As root it runs as the system's `postgres` user, for PostgreSQL refuses root."""

    def __init__(self, bin_dir: Path) -> None:
        self._bin = bin_dir
        self._user = _USER if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="clq-pg-", dir="/tmp"))
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        """Create the cluster."""
        subprocess.run(
            [
                self._bin / "initdb",
                "-D",
                self.data,
                "-U",
                _USER,
                "-A",
                "trust",
                "--locale=C",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    def start(self, port: int | None = None) -> None:
        """Start and wait until it accepts connections: on that port, or on a free one (another when it was taken).

        Waits while that port is held by a client's port.
        """
        if port is not None:
            self.port, end = port, time.monotonic() + AGAIN_S
            while not self._run():
                assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            return
        for _ in range(3):
            self.port = free_port()
            if self._run():
                return
        raise AssertionError((self.folder / "log").read_text())

    def _run(self) -> bool:
        command: list[str | Path] = [self._bin / "postgres", "-D", self.data, "-p", str(self.port), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, user=self._user, cwd=self.folder, stdout=log, stderr=log)
        return self._answers(time.monotonic() + 30)

    def _answers(self, deadline: float) -> bool:
        assert self.process is not None
        ready: list[str | Path] = [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        while time.monotonic() < deadline and self.process.poll() is None:
            if subprocess.run(ready, check=False, timeout=10).returncode == 0:
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def stop(self) -> None:
        """Stop at once, connections or not; the cluster stays."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
            self.process = None

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        if self.process is not None:
            kill_whole(self.process)

    def remove(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str = _USER) -> str:
        return f"postgres://{_USER}@127.0.0.1:{self.port}/{database}"

    async def new_database(self) -> str:
        """The URL of a fresh, empty database, after checking that the server that answers is ours."""
        name = f"t{secrets.token_hex(6)}"
        conn = await asyncpg.connect(self.url())
        try:
            assert await conn.fetchval("SHOW data_directory") == str(self.data), "a stranger answers on our port"
            await conn.execute(f"CREATE DATABASE {name}")
        finally:
            await conn.close()
        return self.url(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server for the whole run."""
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("needs postgres")
    server = PostgresServer(bin_dir)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.remove()
