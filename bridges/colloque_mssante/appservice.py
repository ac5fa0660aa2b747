"""Where Synapse delivers its transactions (Matrix application service API, MSC2409, MSC3202, MSC4203).

A transaction is answered 200 only when everything in it is safe on disk: events in the inbox, keys and to-device
messages in the crypto store. Any failure is answered 5xx: Synapse keeps the transaction and comes again.
(mautrix's own server answers 200 whatever its handlers did.)
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from aiohttp import web

from colloque import logs
from colloque.config import Listen
from colloque.errors import ColloqueError, Temporary
from colloque.identity import UserId
from colloque.matrix.api import CLIENT, JsonDict, MatrixApi, path

_MAX_BYTES = 64 << 20
"""A transaction holds at most 100 events of 64 KiB, and as many to-device messages."""
_PING_S = 10.0

logger = logging.getLogger(__name__)


class Sink(Protocol):
    """Takes in what a transaction brings. Every method may be called again with the same; raising refuses it all."""

    async def receive(self, raw: JsonDict) -> None:
        """One to-device event."""
        ...

    async def count_keys(self, counts: JsonDict) -> None:
        """One-time keys left on the server, by user, device and algorithm."""
        ...

    async def devices_changed(self, users: Iterable[UserId]) -> None:
        """Users whose devices or identities changed."""
        ...


class Appservice:
    """The HTTP side. `events` stores the pushed events durably before it returns."""

    def __init__(
        self,
        hs_token: str,
        sink: Sink,
        events: Callable[[list[JsonDict]], Awaitable[None]],
        knows: Callable[[UserId], bool],
    ) -> None:
        self._token = hs_token.encode()
        self._sink = sink
        self._events = events
        self._knows = knows
        self._runner: web.AppRunner | None = None

    async def start(self, listen: Listen) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=_MAX_BYTES)
        app.add_routes(
            [
                web.put("/_matrix/app/v1/transactions/{txn}", self._transaction),
                web.post("/_matrix/app/v1/ping", self._ping),
                web.get("/_matrix/app/v1/users/{user}", self._user),
                web.get("/_matrix/app/v1/rooms/{alias}", self._room),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, listen.host, listen.port, shutdown_timeout=2.0).start()

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _transaction(self, request: web.Request) -> web.Response:
        self._admit(request)
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise TypeError
        except (ValueError, TypeError):
            return _error(400, "M_NOT_JSON")
        try:
            await self._take(body)
        except Temporary as error:
            logger.warning("transaction.refused code=%s", error.code)
            return _error(503, "M_UNKNOWN")
        except ColloqueError as error:
            logs.event(logger, "transaction.failed", level=logging.ERROR, code=error.code)
            return _error(500, "M_UNKNOWN")
        return web.json_response({})

    async def _take(self, body: JsonDict) -> None:
        for raw in _part(body, "to_device", "de.sorunome.msc2409") or []:
            await self._sink.receive(raw)
        lists = _part(body, "device_lists", "org.matrix.msc3202") or {}
        await self._sink.devices_changed([UserId(user) for user in lists.get("changed", ())])
        await self._sink.count_keys(_part(body, "device_one_time_keys_count", "org.matrix.msc3202") or {})
        await self._events(body.get("events") or [])

    async def _ping(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.json_response({})

    async def _user(self, request: web.Request) -> web.Response:
        """Synapse asks before it tells somebody that an account of ours does not exist."""
        self._admit(request)
        return web.json_response({}) if self._knows(UserId(request.match_info["user"])) else _error(404, "M_NOT_FOUND")

    async def _room(self, request: web.Request) -> web.Response:
        """We have no aliases."""
        self._admit(request)
        return _error(404, "M_NOT_FOUND")

    def _admit(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token):
            raise web.HTTPForbidden(text='{"errcode": "M_FORBIDDEN"}', content_type="application/json")


async def ping(api: MatrixApi, appservice_id: str) -> None:
    """Ask the homeserver to call us; it then delivers what waited. Raises HomeUnavailable, HomeRefused."""
    where = path("/_matrix/client/v1", "appservice", appservice_id, "ping")
    await api.call("POST", where, {}, timeout_s=_PING_S)


async def homeserver_answers(api: MatrixApi) -> None:
    """Raises HomeUnavailable, HomeRefused."""
    await api.call("GET", path(CLIENT, "account", "whoami"), timeout_s=_PING_S)


def _part(body: JsonDict, name: str, prefix: str) -> Any:
    return body.get(name) or body.get(f"{prefix}.{name}")


def _error(status: int, errcode: str) -> web.Response:
    return web.json_response({"errcode": errcode, "error": errcode}, status=status)
