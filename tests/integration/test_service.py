"""A service as a process: health, metrics, signals, tasks that die, a homeserver that is not up yet."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from colloque import service as module
from colloque.config import Config, Listen, ServiceConfig
from colloque.config_load import read as read_config
from colloque.errors import HomeUnavailable
from colloque.files import free_port
from colloque.service import Service
from tests.waiting import until


def own(tmp: Path) -> ServiceConfig:
    token = tmp / "token"
    return ServiceConfig("annuaire", token, token, "sqlite::memory:", tmp, tmp, Listen(free_port()))


class Small(Service):
    """Opens through what the test gives."""

    def __init__(self, section: ServiceConfig, opening: Callable[[Small, AsyncExitStack], Awaitable[None]]) -> None:
        config: Config = None  # type: ignore[assignment]
        super().__init__("small", config, section)
        self._give = opening

    async def open(self, stack: AsyncExitStack) -> None:
        await self._give(self, stack)


@asynccontextmanager
async def running(made: Small) -> AsyncIterator[Callable[[str], Awaitable[tuple[int, Any]]]]:
    task = asyncio.create_task(made.run())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{made.own.http.port}") as session:

        async def get(path: str) -> tuple[int, Any]:
            try:
                async with session.get(path) as answer:
                    text = await answer.text()
                    return answer.status, json.loads(text) if answer.content_type == "application/json" else text
            except aiohttp.ClientConnectionError:
                return 0, None

        async def answers() -> bool:
            assert not task.done(), "the service has ended"
            return (await get("/health"))[0] != 0

        await until(answers, "the service answers")
        try:
            yield get
        finally:
            made.stop.set()
            assert await asyncio.wait_for(task, 10) == 0


async def test_healthy_only_when_every_check_passes(tmp: Path) -> None:
    wrong = {"a": "", "b": ""}

    async def opening(made: Small, _stack: AsyncExitStack) -> None:
        made.check("a", lambda: wrong["a"])

        async def b() -> str:
            return wrong["b"]

        made.check("b", b)

    async with running(Small(own(tmp), opening)) as get:

        async def healthy() -> bool:
            return await get("/health") == (200, {"status": "ok"})

        await until(healthy, "healthy")
        wrong["b"] = "home.unavailable"
        assert await get("/health") == (503, {"status": "failing", "problems": {"b": "home.unavailable"}})
        wrong["b"], wrong["a"] = "", "camille@medecin.mssante.fr does not answer"
        assert await get("/health") == (503, {"status": "failing", "problems": {"a": "check.problem"}})
        wrong["a"] = ""
        assert await healthy()


async def test_a_check_that_fails_or_hangs_is_a_problem(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_S", 0.1)

    async def opening(made: Small, _stack: AsyncExitStack) -> None:
        async def hangs() -> str:
            await asyncio.Event().wait()
            return ""

        def fails() -> str:
            raise KeyError("x")

        made.check("hangs", hangs)
        made.check("fails", fails)

    async with running(Small(own(tmp), opening)) as get:

        async def both() -> bool:
            return (await get("/health"))[1]["problems"] == {"hangs": "check.too_long", "fails": "check.failed"}

        await until(both, "both checks reported")


async def test_waits_for_a_homeserver_that_is_not_up_and_closes_what_was_opened(tmp: Path) -> None:
    tries: list[str] = []

    async def opening(_made: Small, stack: AsyncExitStack) -> None:
        tries.append("opened")
        stack.callback(tries.append, "closed")
        if len(tries) < 4:
            raise HomeUnavailable("not yet")

    async with running(Small(own(tmp), opening)) as get:
        assert (await get("/health"))[0] == 503

        async def healthy() -> bool:
            return (await get("/health"))[0] == 200

        await until(healthy, "healthy once the homeserver is up")
    assert tries == ["opened", "closed"] * 3


async def test_a_wrong_state_ends_the_process_with_an_error(tmp: Path) -> None:
    async def opening(_made: Small, _stack: AsyncExitStack) -> None:
        raise KeyError("x")

    assert await asyncio.wait_for(Small(own(tmp), opening).run(), 10) == 1


async def test_a_task_that_dies_is_restarted_counted_and_shown(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_S", (0.05, 0.1))
    monkeypatch.setattr(module, "STEADY_S", 60)
    runs: list[int] = []
    finished: list[int] = []

    async def opening(made: Small, _stack: AsyncExitStack) -> None:
        async def work() -> None:
            runs.append(1)
            if len(runs) < 3:
                raise ValueError("x")
            await made.stop.wait()
            finished.append(1)

        made.spawn("work", work)

    async with running(Small(own(tmp), opening)) as get:

        async def third() -> bool:
            return len(runs) == 3

        await until(third, "restarted twice")
        assert await get("/health") == (503, {"status": "failing", "problems": {"task.work": "task.restarted"}})
        monkeypatch.setattr(module, "STEADY_S", 0)

        async def healthy() -> bool:
            return (await get("/health"))[0] == 200

        await until(healthy, "healthy again once it holds")
        status, text = await get("/metrics")
        assert status == 200
        assert 'colloque_task_restarts_total{task="work"} 2.0' in text
        assert "colloque_healthy 1.0" in text
        assert "process_resident_memory_bytes" in text
    assert finished == [1], "the task was let end by itself"


async def test_a_task_that_does_not_end_is_cut_and_closing_goes_on(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.2)
    closed: list[int] = []

    async def opening(made: Small, stack: AsyncExitStack) -> None:
        stack.callback(closed.append, 1)
        made.spawn("stubborn", asyncio.Event().wait)  # type: ignore[arg-type]

    async with running(Small(own(tmp), opening)):
        pass
    assert closed == [1]


CHILD = """
import os, resource, sys
from colloque.service import Service, main

class Small(Service):
    async def open(self, stack):
        facts = [oct(os.umask(0o077)), resource.getrlimit(resource.RLIMIT_CORE)]
        (self.own.state_dir / "facts").write_text(str(facts))

sys.exit(main(None, lambda config: Small("annuaire", config, config.annuaire)))
"""


def whole_config(tmp: Path, port: int) -> dict[str, Any]:
    token = "token"
    common = {"as_token": token, "admin_token": token, "state_dir": ".", "device_marks": "marks"}
    names = ("annuaire", "salles", "mssante")
    each = {n: common | {"localpart": n, "database": f"sqlite:{n}.db", "http": {"port": port}} for n in names}
    server = {"host": "mail.example", "port": 143, "ca": "ca.pem"}
    return {
        "mode": "test",
        "homeserver": {"url": "http://127.0.0.1:1", "server_name": "x.example"},
        "secrets": {"identity": "i", "pickle": "p", "snapshot": "s"},
        "sockets": {"dir": "run", "uids": {"annuaire": 0}},
        "admin": {"users": []},
        "annuaire": each["annuaire"] | {"directory": "d", "snapshot": "snapshot"},
        "salles": each["salles"] | {"receipts": "receipts", "receipt_key": "key.pem"},
        "mssante": each["mssante"]
        | {
            "imap": server,
            "smtp": server,
            "mailboxes": "m",
            "sender": "codes@x.example",
            "nil": "n",
        },
    }


async def child(config: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, "--config", str(config), stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_well(tmp: Path, number: signal.Signals) -> None:
    port = free_port()
    raw = whole_config(tmp, port)
    read_config(raw, base=tmp)
    (tmp / "colloque.yaml").write_text(json.dumps(raw))
    process = await child(tmp / "colloque.yaml")

    async def opened() -> bool:
        return (tmp / "facts").exists()

    await until(opened, "the service opened")
    process.send_signal(number)
    _, said = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert (tmp / "facts").read_text() == "['0o77', (0, 0)]"
    assert b"INFO annuaire colloque.service service.started" in said
    assert b"service.stopped" in said


async def test_a_wrong_configuration_exits_78_and_names_every_problem(tmp: Path) -> None:
    raw = whole_config(tmp, 1)
    raw["mode"] = "perhaps"
    del raw["annuaire"]["directory"]
    (tmp / "colloque.yaml").write_text(json.dumps(raw))
    process = await child(tmp / "colloque.yaml")
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 78
    assert b"mode: " in said
    assert b"annuaire.directory: " in said
