"""A Pro Santé Connect that says whatever a test wants: wrong keys, somebody else's data, no answer, endless ones."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from colloque.config_psc import PscConfig
from colloque.files import write_private
from colloque.psc.authorize import Begun
from tests.servers.annuaire import rpps
from tests.servers.psc import DOCTOR, userinfo
from tests.servers.psc_tokens import Json, Signer, id_claims

CLIENT = "colloque"
RETURN = "https://we.test/retour"


class HostilePsc:
    """As an async context manager. Honest until its attributes are changed."""

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.signer = Signer()
        self.published = [self.signer]
        self.info: Json = userinfo(rpps(1).national, "Anne", "MARTIN", DOCTOR)
        self.sub: str = self.info["sub"]
        self.claims: Json = {}
        """Changes to the id_token's."""
        self.token: Callable[[Json], object] = self._signed
        self.tokens: Json = {}
        """Changes to the token endpoint's answer."""
        self.answers: dict[str, list[Any]] = {}
        """What an endpoint answers first, by name: a status, (status, body), or seconds to wait."""
        self.calls: Counter[str] = Counter()
        self.last: dict[str, Any] = {}
        self._secret = folder / "secret"
        write_private(self._secret, "s e:cret")

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{name}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        base = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"
        self.config = PscConfig(
            issuer=base,
            authorization=f"{base}/auth",
            token=f"{base}/token",
            userinfo=f"{base}/userinfo",
            jwks=f"{base}/jwks",
            ciba=f"{base}/ciba",
            client_id=CLIENT,
            client_secret=self._secret,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _signed(self, claims: Json) -> str:
        return self.signer.sign(claims)

    def login(self) -> Begun:
        """One whose nonce our tokens bear."""
        return Begun("", "s", "n-1", "v" * 43)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.calls[name] += 1
        self.last[name] = (dict(request.headers), {k: str(v) for k, v in (await request.post()).items()})
        queued = self.answers.get(name)
        if queued:
            first = queued.pop(0)
            if isinstance(first, float):
                await asyncio.sleep(first)
            else:
                status, body = first if isinstance(first, tuple) else (first, "")
                if isinstance(body, dict):
                    return web.json_response(body, status=status)
                return web.Response(body=body, status=status, headers={"Location": "/userinfo"})
        match name:
            case "jwks":
                return web.Response(body=self.published[0].jwks(*self.published[1:]))
            case "userinfo":
                return web.json_response(self.info)
            case "ciba":
                return web.json_response({"auth_req_id": "r-1", "expires_in": 120, "interval": 1})
        claims = id_claims(datetime.now(UTC), self.config.issuer, CLIENT, self.sub, **self.claims)
        told = {"access_token": "a-1", "token_type": "Bearer", "expires_in": 60, "id_token": self.token(claims)}
        return web.json_response({name: value for name, value in (told | self.tokens).items() if value is not None})
