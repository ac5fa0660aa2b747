"""A reverse proxy before a homeserver that lets some answers come late, as a busy phone or server does."""

from __future__ import annotations

import asyncio
from typing import Self

import aiohttp
from aiohttp import web

_OWN = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
"""Headers that belong to one connection."""


class Front:
    """Forwards everything to `target` (a base URL). As an async context manager it ends with its connections."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.late: dict[str, float] = {}
        """End of a path -> seconds before the request goes on."""
        self.url = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(max((s for end, s in self.late.items() if request.path.endswith(end)), default=0))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _OWN}
        where = self._target + request.raw_path
        async with self._http.request(request.method, where, headers=headers, data=body) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _OWN}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)
