"""The module's settings, as they stand in homeserver.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colloque.errors import BadIdentifier, ConfigError, Problem
from colloque.identity import UserId, parse_user_id

_PATHS = ("snapshot", "snapshot_key", "socket")
_USERS = ("bots", "staff")
_PREFIX = re.compile(r"[a-z0-9._=-]{2,}\Z")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things stand, and who is who."""

    snapshot: Path
    """The attestation snapshot that the annuaire service writes."""
    snapshot_key: Path
    """Secret file (0600) that signs it."""
    socket: Path
    """The annuaire service's socket, for reports."""
    bots: frozenset[UserId]
    ghost_prefix: str
    """Localparts that begin so are correspondents' ghosts; an appservice must hold them exclusively."""
    staff: frozenset[UserId]


def parse(raw: Mapping[str, Any]) -> Settings:
    """Read the `config` section. Raises ConfigError, which names every problem."""
    problems = [Problem(key, "unknown setting") for key in raw if key not in Settings.__dataclass_fields__]
    for key in _PATHS:
        value = raw.get(key)
        if not isinstance(value, str) or not Path(value).is_absolute():
            problems.append(Problem(key, "must be an absolute path"))
    users: dict[str, frozenset[UserId]] = {}
    for key in _USERS:
        try:
            users[key] = _users(raw.get(key))
        except (TypeError, BadIdentifier):
            problems.append(Problem(key, "must be a list of Matrix user ids"))
    if not users.get("bots", True):
        problems.append(Problem("bots", "must not be empty"))
    prefix = raw.get("ghost_prefix")
    if not isinstance(prefix, str) or not _PREFIX.match(prefix):
        problems.append(Problem("ghost_prefix", "must be the beginning of a localpart, 2 characters or more"))
    if problems:
        raise ConfigError(problems)
    return Settings(
        **{key: Path(raw[key]) for key in _PATHS},
        bots=users["bots"],
        ghost_prefix=str(prefix),
        staff=users["staff"],
    )


def _users(raw: object) -> frozenset[UserId]:
    if not isinstance(raw, list) or not all(isinstance(user, str) for user in raw):
        raise TypeError
    return frozenset(parse_user_id(user) for user in raw)
