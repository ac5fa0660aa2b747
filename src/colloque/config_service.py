"""What the configuration says of every service of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listen:
    """A TCP address to listen on."""

    port: int
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """What every service of ours has."""

    localpart: str
    """The bot's name."""
    as_token: Path
    """File with the appservice token."""
    admin_token: Path
    """File with the access token of the service's own Synapse admin account (which joins no room)."""
    database: str
    """`sqlite:/path` or `postgres://user@host/db`."""
    state_dir: Path
    """Crypto store and journal."""
    device_marks: Path
    """Folder, outside the stores' backup, by which a restored crypto store is noticed."""
    http: Listen
    """`/health` and `/metrics`."""
