"""Compact JWS (RFC 7515) with EdDSA (RFC 8037), and nothing else of it. Pure: keys sign and verify elsewhere.

What is read here is read in one way only: a header holds `alg`, `kid` and `typ` and nothing more, base64url has no
spare bits, JSON no member twice. So no two texts mean the same thing, and whatever is changed shows.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from colloque.errors import Tampered

JsonDict = dict[str, Any]
Sign = Callable[[bytes], bytes]
"""Signs with one Ed25519 key; 64 bytes."""
Verify = Callable[[bytes, bytes, bytes], bool]
"""`verify(public key of 32 bytes, signature, message)`. Never raises."""

ALG = "EdDSA"
MAX_BYTES = 64 * 1024
"""Of one JWS, but for those that have a limit of their own."""

_KID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def is_kid(value: object) -> bool:
    """True for a key's name: 1 to 64 letters, digits, points, hyphens, underscores; the first a letter or digit."""
    return isinstance(value, str) and _KID.match(value) is not None


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The reverse, in the one spelling that `b64` gives. Raises Tampered."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Tampered("not base64url") from None
    if b64(data) != text:
        raise Tampered("not base64url")
    return data


def strict_json(data: bytes) -> JsonDict:
    """A JSON object without doubled members and without NaN. Raises Tampered."""
    try:
        value = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Tampered("not a JSON object") from None
    if not isinstance(value, dict):
        raise Tampered("not a JSON object")
    return value


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def seal(typ: str, kid: str, claims: Mapping[str, Any], sign: Sign) -> str:
    """The signed text."""
    header = b64(canonical({"alg": ALG, "kid": kid, "typ": typ}))
    message = f"{header}.{b64(canonical(claims))}"
    return f"{message}.{b64(sign(message.encode()))}"


@dataclass(frozen=True, slots=True)
class Jws:
    """One that was read, not yet verified: `claims` says who claims to have signed, `check` whether they did."""

    kid: str
    claims: JsonDict
    message: bytes
    signature: bytes

    @classmethod
    def read(cls, text: str | bytes, typ: str, *, limit: int = MAX_BYTES) -> Jws:
        """Raises Tampered: too long, not a JWS, another algorithm, another type."""
        if len(text) > limit:
            raise Tampered("the signed text is too long")
        try:
            plain = text if isinstance(text, str) else text.decode("ascii")
            head, body, signature = plain.split(".")
        except (UnicodeDecodeError, ValueError):
            raise Tampered("not a signed text") from None
        header = strict_json(unb64(head))
        if header.get("alg") != ALG:
            raise Tampered("the signature's algorithm is not EdDSA")
        if header.get("typ") != typ:
            raise Tampered("signed for another purpose")
        if header.keys() != {"alg", "kid", "typ"} or not is_kid(header["kid"]):
            raise Tampered("the signed text's header is not understood")
        return cls(header["kid"], strict_json(unb64(body)), f"{head}.{body}".encode(), unb64(signature))

    def check(self, key: bytes | None, verify: Verify) -> JsonDict:
        """The claims, once the signature is that key's. Raises Tampered; a missing key signs nothing."""
        if key is None:
            raise Tampered("signed by an unknown key")
        if not verify(key, self.signature, self.message):
            raise Tampered("the signature does not hold")
        return self.claims


def _once(pairs: list[tuple[str, Any]]) -> JsonDict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)
