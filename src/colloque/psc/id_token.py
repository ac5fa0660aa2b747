"""Whether an id_token is to be believed (OpenID Connect Core, 3.1.3.7). No setting weakens any of it. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import jwt

from colloque.errors import Refused, Tampered
from colloque.policy.jws import JsonDict, strict_json, unb64
from colloque.psc.authorize import ACR
from colloque.psc.claims import No

LEEWAY_S = 60
"""How far two machines' clocks may be apart."""
TOKEN_MAX = 64 * 1024

_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Asymmetric only: what anybody could have signed (`none`), or made with the public key as a password, is nothing."""


class UnknownKey(Tampered):
    """Signed with a key that is not (yet) among those we know."""

    code = "psc.unknown_key"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say."""

    issuer: str
    client_id: str
    nonce: str | None
    """None where none was sent (CIBA)."""


Keys = Mapping[str, Mapping[str, object]]
"""Public keys by name (`kid`)."""


def read_keys(raw: bytes) -> Keys:
    """The signing keys in a JWKS; those of a kind that we don't take are left out. Raises Tampered."""
    listed = strict_json(raw).get("keys")
    if not isinstance(listed, list):
        raise Tampered("psc: the key set is no list")
    keys: dict[str, Mapping[str, object]] = {}
    for key in listed:
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or key.get("kty") not in _KEY_TYPES.values():
            continue
        kid = key.get("kid")
        if isinstance(kid, str) and kid:
            if kid in keys:
                raise Tampered("psc: two keys have one name")
            keys[kid] = key
    return keys


def check(token: object, keys: Keys, expected: Expected, now: datetime) -> JsonDict:
    """Its claims, once everything holds. Raises UnknownKey, Tampered, and Refused (`No.ACR`)."""
    if not isinstance(token, str) or len(token) > TOKEN_MAX or token.count(".") != 2:
        raise Tampered("psc: no signed token")
    claims = _signed(token, keys)
    _check_parties(claims, expected)
    _check_times(claims, now)
    if expected.nonce is not None and not _same(claims.get("nonce"), expected.nonce):
        raise Tampered("psc: the token is another login's")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise Tampered("psc: the token is about nobody")
    if claims.get("acr") != ACR:
        raise Refused(No.ACR)
    return claims


def _signed(token: str, keys: Keys) -> JsonDict:
    head = strict_json(unb64(token.partition(".")[0]))
    algorithm, kid = head.get("alg"), head.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Tampered("psc: the token's algorithm is not taken")
    if "crit" in head or not isinstance(kid, str):
        raise Tampered("psc: the token's header is not understood")
    key = keys.get(kid)
    if key is None:
        raise UnknownKey("psc: the token's key is not known")
    if key.get("kty") != _KEY_TYPES[algorithm[:2]] or key.get("alg", algorithm) != algorithm:
        raise Tampered("psc: the token's key is for another algorithm")
    try:
        public = jwt.PyJWK({k: v for k, v in key.items() if k in _PUBLIC}, algorithm=algorithm)
        payload = _JWS.decode(token, public, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Tampered(f"psc: the token's signature does not hold ({type(error).__name__})") from None
    return strict_json(payload)


_PUBLIC = frozenset({"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"})
_JWS = jwt.PyJWS(options={"enforce_minimum_key_length": True})
"""Signatures only: times and parties are checked below, by our own clock."""


def _check_parties(claims: JsonDict, expected: Expected) -> None:
    if not _same(claims.get("iss"), expected.issuer):
        raise Tampered("psc: the token is another server's")
    audience = claims.get("aud")
    audience = [audience] if isinstance(audience, str) else audience
    if not isinstance(audience, list) or expected.client_id not in audience:
        raise Tampered("psc: the token is for somebody else")
    if claims.get("azp", None if len(audience) > 1 else expected.client_id) != expected.client_id:
        raise Tampered("psc: the token was asked for by somebody else")
    if claims.get("typ", "ID") != "ID":
        raise Tampered("psc: this is another kind of token")


def _check_times(claims: JsonDict, now: datetime) -> None:
    at = now.timestamp()
    expires, issued, since = (_time(claims.get(name, default)) for name, default in _DATES)
    if at >= expires + LEEWAY_S:
        raise Tampered("psc: the token is too old")
    if max(issued, since) > at + LEEWAY_S:
        raise Tampered("psc: the token is from the future")


_DATES: tuple[tuple[str, float | None], ...] = (("exp", None), ("iat", None), ("nbf", 0.0))


def _time(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_FAR < value < _FAR:
        raise Tampered("psc: the token is not dated")
    return float(value)


_FAR = 1e11
"""Seconds: no date of ours is beyond the year 5000; infinity is none either."""


def _same(value: object, wanted: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(errors="replace"), wanted.encode())
