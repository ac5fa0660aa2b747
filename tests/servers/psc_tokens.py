"""Tokens signed by hand, good ones and forged ones, as no honest Pro Santé Connect would send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

Json = dict[str, Any]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """One RSA key by a name."""

    def __init__(self, kid: str = "k1", bits: int = 2048) -> None:
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        public: Json = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.jwk = public | {"kid": kid, "use": "sig", "alg": "RS256"}
        self.pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwks(self, *others: Signer) -> bytes:
        return json.dumps({"keys": [self.jwk, *(other.jwk for other in others)]}).encode()

    def sign(self, claims: Json, *, algorithm: str = "RS256", **head: Any) -> str:
        signed = jwt.PyJWS().encode(
            json.dumps(claims).encode(), self.key, algorithm=algorithm, headers={"kid": self.kid, **head}
        )
        return str(signed)

    def unsigned(self, claims: Json, alg: str = "none") -> str:
        """Header and claims without a signature."""
        return f"{self._message(claims, alg)}."

    def with_public_key(self, claims: Json, secret: bytes | None = None) -> str:
        """HS256, the public key as its password."""
        message = self._message(claims, "HS256")
        return f"{message}.{_b64(hmac.digest(secret or self.pem, message.encode(), hashlib.sha256))}"

    def _message(self, claims: Json, alg: str) -> str:
        head = {"alg": alg, "typ": "JWT", "kid": self.kid}
        return f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"


def id_claims(now: datetime, issuer: str, client_id: str, sub: str, **changes: Any) -> Json:
    """Good ones; a change to None takes one away."""
    at = int(now.timestamp())
    claims = {
        "iss": issuer,
        "aud": client_id,
        "sub": sub,
        "iat": at,
        "exp": at + 300,
        "nonce": "n-1",
        "acr": "eidas1",
        "typ": "ID",
        "azp": client_id,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}
