"""The federation API, `POST /_colloque/v1/NAME`: answers listed servers only, each signed request once, in measure.

It speaks plain HTTP on an address of its own; TLS ends at the proxy in front of it, which needs to let through nothing
else. Bodies and answers are JSON objects. What a refusal says is a stable code: `{"error": "too_old"}`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from colloque.clock import Clock, monotonic
from colloque.config import Listen
from colloque.errors import BadInput, ColloqueError, NotFound, Refused, Tampered, Temporary
from colloque.federation.ed25519 import verify
from colloque.federation.nonces import Nonces
from colloque.logs import event as log_event
from colloque.policy.exchange import HEADER, Asked, KeyOf, Signer, open_request, sign_answer
from colloque.policy.jws import JsonDict, canonical, strict_json

PREFIX = "/_colloque/v1/"
MAX_BODY = 64 * 1024
"""Bytes in a request."""

Answer = Callable[[str, JsonDict], Awaitable[JsonDict]]
"""`await answer(server, body)`: what a listed server is told. Raises from `colloque.errors`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests from one server in so many seconds."""

    count: int
    per_s: float


ALL = Limit(600, 60)
"""Whatever one server asks, replays and unknown names included."""


class Api:
    """Add what is answered, then `serve`. Limits are counted in memory, one count a server and a name."""

    def __init__(self, *, us: Signer, key_of: KeyOf, nonces: Nonces, clock: Clock) -> None:
        self._us = us
        self._key_of = key_of
        self._nonces = nonces
        self._clock = clock
        self._answers: dict[str, tuple[Answer, Limit]] = {}
        self._times: dict[tuple[str, str], deque[float]] = {}

    def add(self, name: str, answer: Answer, limit: Limit) -> None:
        """`POST /_colloque/v1/<name>`."""
        self._answers[name] = (answer, limit)

    async def serve(self, stack: AsyncExitStack, listen: Listen) -> int:
        """Listen until `stack` is closed; the port. Raises Temporary when the address is taken."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post(PREFIX + "{name}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            raise Temporary(f"the federation API's address can't be used: {error.strerror}") from None
        port: int = runner.addresses[0][1]
        return port

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        header = request.headers.get(HEADER, "")
        try:
            asked = open_request(
                header,
                server=self._us.server,
                method=request.method,
                path=request.path_qs,
                body=body,
                now=self._clock.now(),
                key_of=self._key_of,
                verify=verify,
            )
        except (Tampered, Refused) as error:
            # Nobody is told why who is not a listed server talking to us, now.
            code = error.reason if isinstance(error, Refused) else error.code
            log_event(log, "federation.turned_away", level=logging.WARNING, code=code)
            return web.json_response({"error": code if isinstance(error, Refused) else "not_listed"}, status=401)
        status, answer = await self._answer(asked, request.match_info["name"], body)
        signed = canonical(answer)
        seal = sign_answer(self._us, to=asked.sender, request=header, status=status, body=signed, now=self._clock.now())
        return web.Response(status=status, body=signed, content_type="application/json", headers={HEADER: seal})

    async def _answer(self, asked: Asked, name: str, body: bytes) -> tuple[int, JsonDict]:
        try:
            self._measure(asked.sender, "", ALL)
            if not await self._nonces.take(asked.sender, asked.nonce, asked.forget_at):
                raise Refused("replayed")
            if name not in self._answers:
                raise NotFound(name)
            answer, limit = self._answers[name]
            self._measure(asked.sender, name, limit)
            return 200, await answer(asked.sender, _object(body))
        except ColloqueError as error:
            status, code = _told(error)
            log_event(log, "federation.refused", server=asked.sender, what=name, code=code)
            wait = {"retry_after_s": error.retry_after_s} if isinstance(error, Temporary) else {}
            return status, {"error": code, **wait}
        except Exception:
            log.exception("federation.failed what=%s", name)
            return 503, {"error": "internal", "retry_after_s": None}

    def _measure(self, server: str, name: str, limit: Limit) -> None:
        now = monotonic()
        times = self._times.setdefault((server, name), deque(maxlen=limit.count))
        if len(times) == limit.count and (wait := times[0] + limit.per_s - now) > 0:
            raise TooMany("too many requests", wait)
        times.append(now)


class TooMany(Temporary):
    """A server asks more often than it may."""

    code = "too_many"


def _object(body: bytes) -> JsonDict:
    try:
        return strict_json(body)
    except Tampered as error:
        raise BadInput(str(error)) from None


def _told(error: ColloqueError) -> tuple[int, str]:
    """HTTP status and code: of a rule's refusal the rule's reason, of anything else only its kind."""
    match error:
        case Refused():
            return 403, error.reason
        case BadInput() | Tampered():
            return 400, error.code
        case NotFound():
            return 404, error.code
        case TooMany():
            return 429, error.code
        case _:
            return 503, error.code
