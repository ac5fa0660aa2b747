"""What the three services share: health, metrics, signals, supervised tasks, and a start that waits for Synapse.

A service subclasses `Service` and gives `open`, which connects everything and pushes what must be closed on the
stack. `main(argv, build)` is its whole `__main__`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import logging
import re
import signal
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from colloque import logs
from colloque.clock import monotonic
from colloque.config import Config, ServiceConfig
from colloque.errors import Temporary
from colloque.limits import raise_file_limit
from colloque.process import close_up, run

Check = Callable[[], str | Awaitable[str]]
"""Says what is wrong as a stable code (`home.unavailable`), or "" when all is well."""
Work = Callable[[], Awaitable[None]]

CHECK_S = 5.0
"""A check that takes longer has failed."""
BACK_OFF_S = (0.5, 30.0)
"""First and longest wait before something that failed is tried again."""
STEADY_S = 10.0
"""A restarted task counts as well again after that long."""
GRACE_S = 3.0
"""How long tasks may take to end by themselves after `stop`; and, after that, how long closing may take."""

_CODE = re.compile(r"[a-z0-9_.]{1,60}\Z")
logger = logging.getLogger(__name__)


@dataclass
class _Life:
    """How a supervised task is doing."""

    died_at: float | None = None
    waiting: bool = False


class Service:
    """One of our services, as a process. `own` is its section of the configuration."""

    def __init__(self, name: str, config: Config, own: ServiceConfig) -> None:
        self.name = name
        self.config = config
        self.own = own
        self.port = own.http.port
        """Where `/health` and `/metrics` are."""
        self.stop = asyncio.Event()
        """Set by SIGTERM and SIGINT; long loops watch it."""
        self.registry = CollectorRegistry()
        """The service's metrics; never prometheus_client's global one."""
        ProcessCollector(registry=self.registry)
        self._restarts = Counter(
            "colloque_task_restarts", "Tasks that died and were restarted", ["task"], registry=self.registry
        )
        self._healthy = Gauge("colloque_healthy", "1 when the last health check passed", registry=self.registry)
        self._checks: dict[str, Check] = {}
        self._lives: dict[str, _Life] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = "starting"

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect and start everything; push on `stack` what must be closed. Subclasses give it.

        When it raises Temporary (Synapse is not up yet), the stack is unwound and it is called again later.
        """
        raise NotImplementedError

    def pages(self) -> Mapping[str, Callable[[], Awaitable[int]]]:
        """More paths beside `/health`, each with what gives the HTTP status of its answer. Subclasses may have some."""
        return {}

    def check(self, name: str, check: Check) -> None:
        """Add a named health check; `/health` is 200 only when every check passes."""
        self._checks[name] = check

    def spawn(self, name: str, work: Work) -> None:
        """Run `work()` until it returns. When it raises, it is logged, counted, and run again after a while."""
        self._lives[name] = _Life()
        task = asyncio.create_task(self._supervise(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def spawn_endless(self, name: str, work: Work) -> None:
        """`spawn` what runs for ever: it is cancelled when the service is told to stop."""
        self.spawn(name, partial(self._until_stopped, work))

    def cut(self, but: Collection[str]) -> None:
        """Cancel every task at once, but those of these names: the process is about to end."""
        for task in self._tasks:
            if task.get_name() not in but:
                task.cancel()

    @contextlib.contextmanager
    def standing_by(self) -> Iterator[None]:
        """While `open` waits for another process to end: health says so."""
        before, self._opening = self._opening, "standby"
        try:
            yield
        finally:
            self._opening = before

    async def pause(self, seconds: float) -> bool:
        """Wait; True when the service was told to stop meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        return self.stop.is_set()

    async def problems(self) -> dict[str, str]:
        """What is wrong now: code by check name. Empty when the service can do its whole job."""
        found = {"service": self._opening} if self._opening else {}
        checks = dict(self._checks)  # More may be added while these are asked.
        answers = await asyncio.gather(*(self._ask(check) for check in checks.values()))
        found |= {name: code for name, code in zip(checks, answers, strict=True) if code}
        now = monotonic()
        for name, life in self._lives.items():
            if life.waiting or (life.died_at is not None and now - life.died_at < STEADY_S):
                found[f"task.{name}"] = "task.restarted"
        self._healthy.set(0 if found else 1)
        return found

    async def run(self) -> int:
        """Serve until told to stop; the process's exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        try:
            async with AsyncExitStack() as outer:
                await self._serve_http(outer)
                logs.event(logger, "service.started")
                return await self._live()
        except Exception:
            logger.exception("service.failed")
            return 1
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
            logs.event(logger, "service.stopped")

    async def _live(self) -> int:
        wait = BACK_OFF_S[0]
        while not self.stop.is_set():
            stack = AsyncExitStack()
            try:
                await self._open_or_stop(stack)
                self._opening = ""
                await self.stop.wait()
            except Temporary as error:
                self._opening = error.code
                logger.warning("service.waits code=%s", error.code)
            finally:
                await self._close(stack)
            await self.pause(wait)
            wait = min(wait * 2, BACK_OFF_S[1])
        return 0

    async def _open_or_stop(self, stack: AsyncExitStack) -> None:
        """`open`, abandoned when the service is told to stop meanwhile."""
        opening = asyncio.ensure_future(self.open(stack))
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                await opening
        finally:
            for future in (opening, stopping):
                future.cancel()
            await asyncio.gather(opening, stopping, return_exceptions=True)

    async def _close(self, stack: AsyncExitStack) -> None:
        tasks = set(self._tasks)
        if tasks and self.stop.is_set():
            await asyncio.wait(tasks, timeout=GRACE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lives.clear()
        try:
            async with asyncio.timeout(GRACE_S):
                await stack.aclose()
        except Exception:
            logger.exception("service.close_failed")

    async def _until_stopped(self, work: Work) -> None:
        working = asyncio.ensure_future(work())
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            for future in (working, stopping):
                future.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _supervise(self, name: str, work: Work) -> None:
        life = self._lives[name]
        wait = BACK_OFF_S[0]
        while not self.stop.is_set():
            started = monotonic()
            try:
                await work()
            except Temporary as error:
                logger.warning("task.failed task=%s code=%s", name, error.code)
            except Exception:
                logger.exception("task.failed task=%s", name)
            else:
                return
            if monotonic() - started > STEADY_S:
                wait = BACK_OFF_S[0]
            self._restarts.labels(name).inc()
            life.waiting = True
            await self.pause(wait)
            life.waiting, life.died_at = False, monotonic()
            wait = min(wait * 2, BACK_OFF_S[1])

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_S):
                answer = check()
                code = await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            return "check.too_long"
        except Exception:
            logger.exception("health.check_failed")
            return "check.failed"
        return code if not code or _CODE.match(code) else "check.problem"

    async def _serve_http(self, stack: AsyncExitStack) -> None:
        app = web.Application()
        app.add_routes([web.get("/health", self._get_health), web.get("/metrics", self._get_metrics)])
        app.add_routes([web.get(path, partial(_status, page)) for path, page in self.pages().items()])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self.own.http.host, self.port).start()

    async def _get_health(self, _request: web.Request) -> web.Response:
        found = await self.problems()
        if not found:
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "failing", "problems": found}, status=503)

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        await self.problems()
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _status(page: Callable[[], Awaitable[int]], _request: web.Request) -> web.Response:
    return web.Response(status=await page())


def main(
    argv: Sequence[str] | None, build: Callable[[Config], Service], parents: Sequence[argparse.ArgumentParser] = ()
) -> int:
    """A service's `__main__`: read the configuration, run; the exit code (78 when the configuration is wrong).

    `parents`: what the caller took out of `argv` itself, for the help.
    """
    parser = argparse.ArgumentParser(parents=list(parents))
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--port", type=int, metavar="N", help="for /health and /metrics; else the configuration's")
    args = parser.parse_args(argv)
    close_up()
    raise_file_limit()
    return run(args.config, partial(_run, build, args.log_level, args.port))


async def _run(build: Callable[[Config], Service], level: str, port: int | None, config: Config) -> int:
    service = build(config)
    service.port = port or service.port
    logs.setup(service.name, level)
    return await service.run()
