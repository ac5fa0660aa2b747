"""Asks other servers' federation API. Every question is signed; an answer that its server did not sign is no answer."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import aiohttp

from colloque.clock import Clock
from colloque.errors import BadInput, NotFound, Refused, Tampered, Temporary
from colloque.federation.ed25519 import verify
from colloque.federation.http_list import bounded, trust
from colloque.federation.http_server import MAX_BODY, PREFIX
from colloque.policy.exchange import HEADER, KeyOf, Signer, check_answer, sign_request
from colloque.policy.federation import Entry
from colloque.policy.jws import JsonDict, canonical, strict_json

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
_CODE = re.compile(r"[a-z0-9_.]{1,64}\Z")


class PeerUnavailable(Temporary):
    """The other server does not answer, does not list us yet, or asks us to wait."""

    code = "federation.peer_unavailable"


class Peers:
    """All servers of the federation."""

    def __init__(
        self, *, http: aiohttp.ClientSession, us: Signer, key_of: KeyOf, clock: Clock, ca: Path | None
    ) -> None:
        """`ca`: trust anchors (PEM), None for the system's. Raises ConfigError without readable ones."""
        self._http = http
        self._us = us
        self._key_of = key_of
        self._clock = clock
        self._tls = trust(ca)

    async def ask(self, peer: Entry, name: str, body: JsonDict) -> JsonDict:
        """`POST /_colloque/v1/<name>`; the answer.

        Raises PeerUnavailable (whatever is not a signed answer), and what the other server signed: Refused (with its
        reason), NotFound, BadInput. Each call is a new request: a repeated one may be done twice.
        """
        data, path = canonical(body), PREFIX + name
        header = sign_request(
            self._us,
            to=peer.server,
            method="POST",
            path=path,
            body=data,
            nonce=secrets.token_bytes(16),
            now=self._clock.now(),
        )
        try:
            async with self._http.post(
                peer.api + path,
                data=data,
                headers={HEADER: header, "Content-Type": "application/json"},
                ssl=self._tls,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as answer:
                raw = await bounded(answer, MAX_BODY)
                status, sealed = answer.status, answer.headers.get(HEADER, "")
        except (aiohttp.ClientError, TimeoutError, Tampered) as error:
            raise PeerUnavailable(f"{peer.server} does not answer ({type(error).__name__})") from None
        try:
            check_answer(
                sealed,
                us=self._us.server,
                peer=peer.server,
                request=header,
                status=status,
                body=raw,
                key_of=self._key_of,
                verify=verify,
            )
            told = strict_json(raw)
        except Tampered:
            raise PeerUnavailable(f"{peer.server} answers {status} without its signature") from None
        if status == 200:
            return told
        raise _refusal(peer.server, status, told)


def _refusal(server: str, status: int, told: JsonDict) -> Exception:
    code = told.get("error")
    code = code if isinstance(code, str) and _CODE.match(code) else "unknown"
    match status:
        case 403:
            return Refused(code, f"{server} refuses: {code}")
        case 404:
            return NotFound(f"{server} knows nothing of it")
        case 400:
            return BadInput(f"{server} does not understand: {code}")
        case _:
            wait = told.get("retry_after_s")
            return PeerUnavailable(f"{server} answers {code}", float(wait) if isinstance(wait, int | float) else None)
