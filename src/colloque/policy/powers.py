"""Where writing must stop, the power to write rises first: clients then grey the composer. Pure.

Content of `m.room.power_levels` in and out. A room's creator (room version 12) can't be silenced so: it is our bot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from colloque.identity import UserId

NOBODY = 100
"""More than any member of our rooms has."""
SILENT = -1
"""Less than what any event needs."""


def silence_room(powers: Mapping[str, Any]) -> dict[str, Any] | None:
    """Nobody but our bots may write. None when it is so already."""
    after = dict(powers) | {"events_default": NOBODY}
    return None if after == dict(powers) else after


def silence(powers: Mapping[str, Any], users: Iterable[UserId]) -> dict[str, Any] | None:
    """These people may write no more; they still read. None when it is so already."""
    before: Mapping[str, Any] = powers.get("users") or {}
    after = dict(before) | dict.fromkeys(users, SILENT)
    return None if after == dict(before) else dict(powers) | {"users": after}


def restore(powers: Mapping[str, Any], users: Iterable[UserId]) -> dict[str, Any] | None:
    """These people, silenced before, may write again. None when nobody of them was silenced."""
    before: Mapping[str, Any] = powers.get("users") or {}
    back = set(users)
    after = {user: level for user, level in before.items() if user not in back or level != SILENT}
    return None if after == dict(before) else dict(powers) | {"users": after}
