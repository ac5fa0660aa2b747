"""Requests between servers, and their answers: what is signed, and when it is believed. Pure.

A request is an HTTP call whose header `Colloque-Signature` is a JWS over

    {"from": "chu-a.test", "to": "chu-b.test", "method": "POST", "path": "/_colloque/v1/attestation",
     "digest": "<SHA-256 of the body, base64url>", "at": 1772442000000, "nonce": "<16 bytes, base64url>"}

and an answer's is one over `from`, `to`, `status`, `digest`, `at` and `answers`, the digest of the request's own JWS:
no answer serves another request. Times are milliseconds since 1970.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.clock import from_millis, to_millis
from colloque.errors import Refused, Tampered
from colloque.policy.jws import JsonDict, Jws, Sign, Verify, b64, seal

HEADER = "Colloque-Signature"
REQUEST_TYPE = "fr.colloque.request"
ANSWER_TYPE = "fr.colloque.answer"
WINDOW = timedelta(minutes=5)
"""How old a request may be, and how far its sender's clock may be ahead of ours."""

_REQUEST = {"from": str, "to": str, "method": str, "path": str, "digest": str, "at": int, "nonce": str}
_ANSWER = {"from": str, "to": str, "status": int, "digest": str, "at": int, "answers": str}
_NONCE_CHARS = 22

KeyOf = Callable[[str, str], bytes | None]
"""`key_of(server, kid)`: the listed public key, valid now; None when the server or the key is not listed."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Us: our server's name and the key it signs requests, answers and attestations with."""

    server: str
    kid: str
    sign: Sign


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that holds. Whether its nonce was seen before is for its reader to find out, last."""

    sender: str
    nonce: str
    forget_at: datetime
    """From then on the nonce need not be remembered: the request is too old by itself."""


def digest_of(data: bytes | str) -> str:
    """SHA-256, base64url."""
    return b64(hashlib.sha256(data.encode() if isinstance(data, str) else data).digest())


def sign_request(us: Signer, *, to: str, method: str, path: str, body: bytes, nonce: bytes, now: datetime) -> str:
    """The header of a request. `nonce`: 16 random bytes, never used before."""
    claims = {
        "from": us.server,
        "to": to,
        "method": method,
        "path": path,
        "digest": digest_of(body),
        "at": to_millis(now),
        "nonce": b64(nonce),
    }
    return seal(REQUEST_TYPE, us.kid, claims, us.sign)


def open_request(
    header: str, *, server: str, method: str, path: str, body: bytes, now: datetime, key_of: KeyOf, verify: Verify
) -> Asked:
    """Who asks. `server` is our own name.

    Raises Tampered (not signed by a listed key, or not what was signed), Refused (`elsewhere`: for another server;
    `too_old`, `too_early`).
    """
    jws = Jws.read(header, REQUEST_TYPE)
    claims = _shaped(jws.claims, _REQUEST)
    jws.check(key_of(claims["from"], jws.kid), verify)
    if claims["to"] != server:
        raise Refused("elsewhere")
    at = _at(claims["at"])
    if now - at > WINDOW:
        raise Refused("too_old")
    if at - now > WINDOW:
        raise Refused("too_early")
    if (claims["method"], claims["path"], claims["digest"]) != (method, path, digest_of(body)):
        raise Tampered("the request is not the one that was signed")
    if len(claims["nonce"]) != _NONCE_CHARS:
        raise Tampered("the request's nonce has another length")
    return Asked(claims["from"], claims["nonce"], at + 2 * WINDOW)


def sign_answer(us: Signer, *, to: str, request: str, status: int, body: bytes, now: datetime) -> str:
    """The header of an answer to the request whose own header was `request`."""
    claims = {
        "from": us.server,
        "to": to,
        "status": status,
        "digest": digest_of(body),
        "at": to_millis(now),
        "answers": digest_of(request),
    }
    return seal(ANSWER_TYPE, us.kid, claims, us.sign)


def check_answer(
    header: str, *, us: str, peer: str, request: str, status: int, body: bytes, key_of: KeyOf, verify: Verify
) -> None:
    """Raises Tampered unless `peer` signed exactly this answer to exactly that request."""
    jws = Jws.read(header, ANSWER_TYPE)
    claims = _shaped(jws.claims, _ANSWER)
    jws.check(key_of(peer, jws.kid), verify)
    expected = {"from": peer, "to": us, "status": status, "digest": digest_of(body), "answers": digest_of(request)}
    if any(claims[name] != value for name, value in expected.items()):
        raise Tampered("the answer is not the one to this request")


def _shaped(claims: JsonDict, shape: dict[str, type]) -> JsonDict:
    if claims.keys() != shape.keys() or any(type(claims[name]) is not kind for name, kind in shape.items()):
        raise Tampered("the signed request or answer is not understood")
    return claims


def _at(millis: int) -> datetime:
    try:
        return from_millis(millis)
    except (ValueError, OverflowError, OSError):
        raise Tampered("the signed time is no time") from None
