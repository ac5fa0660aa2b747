"""Fixtures for all tests, and the rule that in CI nothing is skipped."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from colloque.clock import FrozenClock
from colloque_demo.homeserver import Homeserver
from tests.clients.jsclient import JsClient
from tests.servers.databases import bridge_db  # noqa: F401 - a fixture
from tests.servers.postgres import postgres_server  # noqa: F401 - a fixture

# A slow example says only that the machine was busy. In CI, Hypothesis has its own profile, without deadline too.
if settings.get_current_profile_name() == "default":
    settings.register_profile("colloque", deadline=None)
    settings.load_profile("colloque")

PROGRAMS = {
    "chromium": ("chromium",),
    "clamav": ("clamd",),
    "dovecot": ("dovecot",),
    "nginx": ("nginx",),
    "postfix": ("postfix",),
    "postgres": ("initdb",),
    "redis": ("redis-server",),
}
"""What each marker needs; `postgres` is looked for in Debian's versioned folder."""


def program(name: str) -> Path | None:
    """Where a system program stands, Debian's out-of-the-way folders included."""
    places = ["/usr/sbin", "/usr/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)]
    found = shutil.which(name) or shutil.which(name, path=":".join(places))
    return Path(found) if found else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, by name, a test whose system program is missing."""
    for marker, needed in PROGRAMS.items():
        if item.get_closest_marker(marker) and not all(map(program, needed)):
            pytest.skip(f"needs {marker}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, where everything can be installed, a skipped test is a failed one."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = "failed", f"skipped, and CI is set: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every test that was skipped, and why."""
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"SKIPPED {report.nodeid}: {reason.removeprefix('Skipped: ')}")


def pytest_unconfigure() -> None:
    """A thread that nobody ended keeps the process alive for ever: name it and leave, failed. Pools end alone."""
    left = [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    unpooled = [t for t in left if not t.name.startswith(("asyncio_", "ThreadPoolExecutor"))]
    for thread in unpooled:
        thread.join(5)
    stuck = [t.name for t in unpooled if t.is_alive()]
    if stuck:
        print(f"FAILED: threads that never ended: {', '.join(stuck)}", flush=True)
        os._exit(1)


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still at 2026-03-02 09:00 UTC until told to move."""
    return FrozenClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def tmp() -> Iterator[Path]:
    """A folder with a short path: a Unix socket's path holds at most 107 bytes, pytest's own are longer."""
    with tempfile.TemporaryDirectory(prefix="clq-", dir="/tmp") as folder:
        yield Path(folder)


def own_homeserver(folder: Path) -> Homeserver:
    """A homeserver not yet configured; its name is made up, so that a stranger's answer shows."""
    return Homeserver(folder, f"t{secrets.token_hex(4)}.example")


def check_own(server: Homeserver) -> None:
    """Fail unless the server that answers is the one we started: it is alive and bears our made-up name."""
    assert server.process is not None
    assert server.process.poll() is None, "our Synapse has died"
    name = f"who{secrets.token_hex(3)}"
    token = server.register(name, secrets.token_urlsafe())
    who = server.call("GET", "/_matrix/client/v3/account/whoami", token=token)
    assert who["user_id"] == f"@{name}:{server.server_name}", "another server answers on our port"


@pytest.fixture(scope="session")
def synapse() -> Iterator[Homeserver]:
    """A real Synapse for the whole run: no module, no appservice. Use accounts of your own (`account`)."""
    with tempfile.TemporaryDirectory(prefix="clq-hs-", dir="/tmp") as folder:
        server = own_homeserver(Path(folder))
        server.configure()
        server.start()
        try:
            check_own(server)
            yield server
        finally:
            server.stop()


JsFactory = Callable[..., Awaitable[JsClient]]


@pytest.fixture
async def js() -> AsyncIterator[JsFactory]:
    """`await js(homeserver_url, user, password)` starts a matrix-js-sdk session; all are stopped at the end."""
    started: list[JsClient] = []

    async def start(homeserver: str, user: str, password: str, *, verified: bool = True) -> JsClient:
        client = JsClient()
        started.append(client)
        await client.start(homeserver, user, password)
        if verified:
            await client.call("bootstrap")
            await client.call("isolate")
        return client

    yield start
    for client in started:
        await client.stop()
