"""Fetches the signed federation list over HTTPS, only when it changed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from colloque.errors import ConfigError, Problem, Tampered, Temporary
from colloque.policy.federation_list import MAX_BYTES

TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)


class ListUnavailable(Temporary):
    """The list can't be fetched now."""

    code = "federation.unavailable"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A list as served, not verified."""

    text: bytes
    etag: str
    """To be sent with the next fetch; empty when the server gave none."""


class ListSource:
    """One address. Redirects are not followed."""

    def __init__(self, http: aiohttp.ClientSession, url: str, ca: Path | None) -> None:
        """`ca`: trust anchors (PEM), None for the system's. Raises ConfigError without readable ones."""
        self._http = http
        self._url = URL(url)
        self._tls = trust(ca)

    async def fetch(self, version: int, etag: str) -> Fetched | None:
        """The list unless it is still the one of that version; None then.

        Raises ListUnavailable, Tampered (too long).
        """
        headers = {"If-None-Match": etag} if etag else {}
        url = self._url.update_query(version=str(version)) if version else self._url
        try:
            async with self._http.get(
                url, headers=headers, ssl=self._tls, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                if answer.status == 304:
                    return None
                if answer.status != 200:
                    raise ListUnavailable(f"the federation list's server answers {answer.status}")
                return Fetched(await bounded(answer, MAX_BYTES), answer.headers.get("ETag", "")[:256])
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ListUnavailable(f"the federation list can't be fetched ({type(error).__name__})") from None


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body. Raises Tampered when it is longer than `limit` bytes; no more than that is read."""
    raw = bytearray()
    async for chunk in answer.content.iter_any():
        raw += chunk
        if len(raw) > limit:
            raise Tampered("the other server's answer is too long")
    return bytes(raw)


def trust(ca: Path | None) -> Any:
    """What aiohttp is to trust. Raises ConfigError."""
    if ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError:
        raise ConfigError([Problem("annuaire.federation.ca", f"{ca}: holds no trust anchors")]) from None
