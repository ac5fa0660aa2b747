"""What was begun at Pro Santé Connect: a login in a browser, what it comes back with, a question on a phone. Pure.

Sources: RFC 6749, RFC 7636 (PKCE), RFC 9207 (`iss`); OpenID Connect CIBA.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from colloque.config_psc import PscConfig
from colloque.errors import Refused, Tampered, Temporary
from colloque.identity import Rpps
from colloque.psc.claims import No

SCOPE = "openid scope_all"
ACR = "eidas1"
"""The level that Pro Santé Connect gives to card and e-CPS; asked for, and demanded in the token."""


@dataclass(frozen=True, slots=True)
class Begun:
    """One login that was begun. Kept by the caller until the browser is back, in the browser's own session."""

    url: str = field(repr=False)
    """Where the browser goes."""
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    """PKCE: proves that who ends the login is who began it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A question on somebody's phone, to be polled."""

    rpps: Rpps
    auth_req_id: str = field(repr=False)
    """May be stored, and is a secret: who has it, and our own secret, gets the answer."""
    expires_at: datetime
    interval_s: float
    """At least so long between two polls."""


def begun(config: PscConfig, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> Begun:
    """The login page's address with everything in it. The three words are random, made once for this login."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": config.client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "acr_values": ACR,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in config.authorization else "?"
    return Begun(f"{config.authorization}{joint}{urlencode(query)}", state, nonce, verifier)


def code_of(query: Mapping[str, str], begun: Begun, issuer: str) -> str:
    """The code with which the browser came back.

    Raises Tampered (another login's answer, or another server's), Refused (the person gave up, or Pro Santé Connect
    did), Temporary.
    """
    if not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
        raise Tampered("psc: the answer is not to the login that was begun here")
    if query.get("iss", issuer) != issuer:
        raise Tampered("psc: the answer is another server's")
    match query.get("error"):
        case None:
            pass
        case "access_denied":
            raise Refused(No.DENIED)
        case "temporarily_unavailable" | "server_error":
            raise Temporary("psc: the login page can't serve now")
        case _:
            raise Refused(No.FAILED)
    code = query.get("code", "")
    if not code:
        raise Tampered("psc: the answer holds no code")
    return code
