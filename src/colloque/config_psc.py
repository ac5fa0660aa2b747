"""The configuration about Pro Santé Connect, `annuaire.psc` and `mssante.psc`, and what must be true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from colloque.errors import Problem


@dataclass(frozen=True, slots=True)
class PscConfig:
    """Pro Santé Connect, the State's login for health professionals.

    Each endpoint is named: its discovery document is not where OpenID Connect wants it, and the login page is on
    another host. All https, but for a server on the loopback in test mode.
    """

    issuer: str
    """Exactly as tokens bear it (`iss`)."""
    authorization: str
    """The login page, where browsers are sent."""
    token: str
    userinfo: str
    jwks: str
    """The keys that sign tokens."""
    client_id: str
    """Our name there, given by ANS."""
    client_secret: Path
    """File (0600) with our secret there; read again at each use."""
    ciba: str | None = None
    """Asks on somebody's e-CPS phone. None: nobody is asked from the chat."""
    ca: Path | None = None
    """Trust anchors (PEM), and then nothing else is trusted; None: the system's."""


def psc_checks(own: PscConfig, where: str, is_safe: Callable[[str], bool]) -> Iterator[Problem]:
    """Every problem of the section `where`. `is_safe`: may our secret and people's tokens travel to that URL?"""
    for name in ("issuer", "authorization", "token", "userinfo", "jwks", "ciba"):
        url: str | None = getattr(own, name)
        if url is not None and not is_safe(url):
            yield Problem(f"{where}.{name}", "must begin with https:// (tokens and our secret travel there)")
    if not own.client_id.strip():
        yield Problem(f"{where}.client_id", "must not be empty")
