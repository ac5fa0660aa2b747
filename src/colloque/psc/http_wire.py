"""The calls to Pro Santé Connect: TLS, time and size limits, our name and secret, and what its failures mean."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from colloque.book import read_secret
from colloque.config_psc import PscConfig
from colloque.errors import ConfigError, LoginRefused, Problem, Tampered, Temporary
from colloque.policy.jws import JsonDict, strict_json

TIMEOUT_S = 10.0
MAX_BYTES = 256 * 1024


class PscUnavailable(Temporary):
    """No answer in time, or an overloaded server."""

    code = "psc.unavailable"


class PscClientRefused(LoginRefused):
    """Our name or secret is refused, or can't be read, or our service may not do that: for the operator."""

    code = "psc.client"


class Wire:
    """One client's calls. Raises PscUnavailable, PscClientRefused, Tampered."""

    def __init__(self, http: aiohttp.ClientSession, config: PscConfig, timeout_s: float) -> None:
        """Raises ConfigError without readable trust anchors."""
        self._http = http
        self._config = config
        self._tls = _trust(config.ca)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def post(self, url: str, form: Mapping[str, str]) -> tuple[int, JsonDict]:
        """A form in our own name; status and answer."""
        status, raw = await self._call("POST", url, self._client(), form)
        if status == 401:
            raise PscClientRefused("psc refuses our name or secret")
        return status, strict_json(raw)

    async def get(self, url: str, *, bearer: str | None = None) -> tuple[int, bytes]:
        """Status and body."""
        return await self._call("GET", url, None if bearer is None else f"Bearer {bearer}", None)

    async def _call(
        self, method: str, url: str, authorization: str | None, form: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            async with self._http.request(
                method,
                url,
                data=form,
                headers=headers,
                ssl=self._tls,
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                raw = bytearray()
                async for chunk in answer.content.iter_any():
                    raw += chunk
                    if len(raw) > MAX_BYTES:
                        raise Tampered("psc: the answer is too long")
        except aiohttp.ClientConnectorCertificateError:
            raise Tampered("psc: the server's certificate is not trusted") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PscUnavailable(f"psc does not answer ({type(error).__name__})") from None
        if answer.status in {408, 429} or answer.status >= 500:
            delay = answer.headers.get("Retry-After", "")
            seconds = float(delay[:4]) if delay.isascii() and delay.isdecimal() else None
            raise PscUnavailable(f"psc answers {answer.status}", seconds)
        return answer.status, bytes(raw)

    def _client(self) -> str:
        """`client_secret_basic` (RFC 6749, 2.3.1: both parts are form-encoded first)."""
        try:
            secret = read_secret(self._config.client_secret).decode("ascii")
        except (OSError, UnicodeDecodeError, Tampered) as error:
            raise PscClientRefused(f"psc: our secret can't be read ({type(error).__name__})") from None
        if not secret:
            raise PscClientRefused("psc: our secret's file is empty")
        pair = f"{quote(self._config.client_id, safe='')}:{quote(secret, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _trust(ca: Path | None) -> Any:
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError:
        raise ConfigError([Problem("psc.ca", f"{ca}: holds no trust anchors")]) from None
