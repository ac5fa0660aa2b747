"""The Matrix client API over HTTP, one account. Answers are parsed JSON; errors are ours.

No message of an error ever holds a path, a body or an id: they reach logs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from colloque.errors import HomeRefused, HomeUnavailable
from colloque.identity import MxcUri, UserId

JsonDict = dict[str, Any]

CLIENT = "/_matrix/client/v3"
MEDIA = "/_matrix/client/v1/media"
_TIMEOUT_S = 60.0
_MEDIA_TIMEOUT_S = 300.0


def path(base: str, *parts: str) -> str:
    """`base` and the parts, each percent-encoded: `path(CLIENT, "rooms", room, "invite")`."""
    return base + "".join("/" + quote(part, safe="") for part in parts)


class MatrixApi:
    """Calls with one bearer token. With an appservice's token, `user` and `device` say for whom.

    Synapse needs both in the query of every appservice call: without `device_id` it does not recognise a
    repeated transaction after a crash. A person's own access token needs neither.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        token: str,
        *,
        user: UserId | None = None,
        device: str | None = None,
    ) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self.user = user
        self.device = device

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> JsonDict:
        """One call; `path` is already percent-encoded.

        Raises HomeUnavailable (no answer, 5xx, 429 with its delay) or HomeRefused (any other 4xx).
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        raw = await self._bytes(method, path, data=data, query=query, timeout_s=timeout_s)
        try:
            answer = json.loads(raw or b"{}")
        except ValueError:
            raise HomeUnavailable("the homeserver's answer is not JSON") from None
        if not isinstance(answer, dict):
            raise HomeUnavailable("the homeserver's answer is not an object")
        return answer

    async def reserve_media(self) -> MxcUri:
        """An address to upload to within 24 h; noted first, an upload can be repeated after a crash."""
        return MxcUri(str((await self.call("POST", "/_matrix/media/v1/create"))["content_uri"]))

    async def upload(self, data: bytes, to: MxcUri | None = None, *, mime: str = "application/octet-stream") -> MxcUri:
        """Store bytes (no name is told; of ciphertext no type either), at the reserved address or a new one; the
        address.

        Raises as `call`; a reserved address that holds bytes already is refused with 409.
        """
        method, where = "POST", "/_matrix/media/v3/upload"
        if to is not None:
            server, _, media = to.removeprefix("mxc://").partition("/")
            method, where = "PUT", path(where, server, media)
        raw = await self._bytes(method, where, data=data, mime=mime, timeout_s=_MEDIA_TIMEOUT_S)
        return to or MxcUri(str(json.loads(raw)["content_uri"]))

    async def download(self, mxc: MxcUri) -> bytes:
        """A media file's bytes. Raises as `call`."""
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        return await self._bytes("GET", path(MEDIA, "download", server, media), timeout_s=_MEDIA_TIMEOUT_S)

    async def download_as_nobody(self, mxc: MxcUri) -> bytes:
        """The same by the older path, without any account; other servers are not asked for it. Raises as `call`."""
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        where = path("/_matrix/media/v3", "download", server, media)
        query = {"allow_remote": "false"}
        return await self._bytes("GET", where, query=query, timeout_s=_MEDIA_TIMEOUT_S, known=False)

    async def _bytes(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        data: bytes | None = None,
        mime: str = "application/json",
        query: Mapping[str, str] | None = None,
        known: bool = True,
    ) -> bytes:
        params = dict(query or {})
        if known and self.user is not None:
            params["user_id"] = self.user
        if known and self.device is not None:
            params["device_id"] = self.device
        url = URL(self._base + path, encoded=True).extend_query(params)
        headers = (self._headers if known else {}) | ({"Content-Type": mime} if data is not None else {})
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(method, url, data=data, headers=headers, timeout=timeout) as answer:
                raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HomeUnavailable(f"the homeserver does not answer ({type(error).__name__})") from None
        if answer.status >= 400:
            raise _problem(answer.status, raw, answer.headers.get("Retry-After"))
        return raw


def _problem(status: int, raw: bytes, retry_after: str | None) -> HomeUnavailable | HomeRefused:
    try:
        body = json.loads(raw)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    if status == 429:
        delay = body.get("retry_after_ms")
        seconds = delay / 1000 if isinstance(delay, int) else None
        if seconds is None and retry_after is not None and retry_after.isdecimal():
            seconds = float(retry_after)
        return HomeUnavailable("the homeserver asks us to wait", seconds)
    if status >= 500:
        return HomeUnavailable(f"the homeserver answers {status}")
    return HomeRefused(status, str(body.get("errcode", "M_UNKNOWN")))
