"""What homeserver.yaml must say, and must not: checked before Synapse is started with it. Pure, but for `read`.

The module refuses acts; some settings open doors that no module sees. Each finding names the setting, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from colloque.errors import ConfigError, Problem
from colloque.rooms.mark import ROOM_MARK

MODULE = "colloque.synapse.module.ColloqueModule"

_MISSING = object()
_SHOWN = {ROOM_MARK, "m.room.history_visibility", "m.room.guest_access"}

_UNITS = {"": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_DURATION = re.compile(r"(\d{1,12})([smhdwy]?)\Z")
_WEEK_MS = _UNITS["w"]

_EXACTLY: dict[str, tuple[Any, str]] = {
    "enable_set_displayname": (False, "names come from the Annuaire Santé"),
    "allow_per_room_profiles": (False, "people go by the same name in every room"),
    "enable_3pid_lookup": (False, "nobody is invited by mail address or telephone"),
    "federation_domain_whitelist": ([], "the federation list says who is connected; missing means everybody"),
    "trusted_key_servers": ([], "keys come from the servers themselves"),
    "room_list_publication_rules": ([{"action": "deny"}], "no room is published"),
    "alias_creation_rules": ([{"action": "deny"}], "no room has an address"),
    "require_auth_for_profile_requests": (True, "profiles are for people with an account"),
    "encryption_enabled_by_default_for_room_type": ("all", "every room is encrypted"),
}
"""Must be said, and so: Synapse's default is another."""

_NEVER: dict[str, tuple[Any, str]] = {
    "enable_registration": (False, "accounts are made by the administrator, or at the page /entrer"),
    "enable_registration_without_verification": (False, "nobody signs up alone"),
    "allow_guest_access": (False, "nobody is a guest"),
    "url_preview_enabled": (False, "the server fetches no address that somebody wrote"),
    "allow_public_rooms_over_federation": (False, "no room is published"),
    "allow_public_rooms_without_auth": (False, "no room is published"),
    "federation_verify_certificates": (True, "other servers prove who they are"),
    "auto_join_rooms": ([], "nobody enters a room without being invited"),
    "media_retention": (None, "media end with their room, and are counted in its receipt"),
}
"""May be left out; what stands here is Synapse's default, and nothing else is right."""


def problems(raw: Mapping[str, Any], *, server_name: str = "", bots: Iterable[str] = ()) -> list[Problem]:
    """Everything wrong. `server_name` and `bots` as colloque.yaml has them, where that is known."""
    out = [
        Problem(key, f"must be {_shown(wanted)}: {why}")
        for key, (wanted, why) in _EXACTLY.items()
        if raw.get(key, _MISSING) != wanted
    ]
    out += [
        Problem(key, f"must be {_shown(wanted)}: {why}")
        for key, (wanted, why) in _NEVER.items()
        if raw.get(key, wanted) not in (wanted, None)
    ]
    for check in (_passwords, _retention, _withdrawn, _directory, _shown_state):
        out += check(raw)
    out += _module(raw, sorted(bots))
    if server_name and raw.get("server_name", server_name) != server_name:
        out.append(Problem("server_name", "is not the one of colloque.yaml (homeserver.server_name)"))
    return out


def _passwords(raw: Mapping[str, Any]) -> list[Problem]:
    said = _section(raw, "password_config")
    out = []
    if said.get("localdb_enabled", True) is not False:
        why = "must be false: a session is opened after a fresh proof of identity, never by a lasting password"
        out.append(Problem("password_config.localdb_enabled", why))
    if said.get("enabled", True) is not True:
        out.append(Problem("password_config.enabled", "must be true: one-time passwords are checked by the module"))
    return out


def _retention(raw: Mapping[str, Any]) -> list[Problem]:
    if _section(raw, "retention").get("enabled"):
        return [Problem("retention.enabled", "must be false: rooms end as a whole, with a receipt")]
    return []


def _withdrawn(raw: Mapping[str, Any]) -> list[Problem]:
    """Synapse's default is 7 days; what the receipts of mail threads say of its database holds up to that."""
    kept = raw.get("redaction_retention_period", "7d")
    length = _milliseconds(kept)
    if length is None or not 0 <= length <= _WEEK_MS:
        why = "must be left out, or at most 7d: what was withdrawn leaves the database by then, as receipts say"
        return [Problem("redaction_retention_period", why)]
    return []


def _milliseconds(said: Any) -> int | None:
    """A duration as Synapse reads it: a number, or one with a unit; None for anything else."""
    if isinstance(said, int) and not isinstance(said, bool):
        return said
    found = _DURATION.match(said) if isinstance(said, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else None


def _directory(raw: Mapping[str, Any]) -> list[Problem]:
    if _section(raw, "user_directory").get("search_all_users"):
        return [Problem("user_directory.search_all_users", "must be false: people are found in the Annuaire Santé")]
    return []


def _shown_state(raw: Mapping[str, Any]) -> list[Problem]:
    told = _section(raw, "room_prejoin_state").get("additional_event_types")
    names = {entry[0] if isinstance(entry, list) and entry else entry for entry in told if entry} if told else set()
    if lacking := sorted(_SHOWN - {name for name in names if isinstance(name, str)}):
        where = "room_prejoin_state.additional_event_types"
        return [Problem(where, f"must hold {', '.join(lacking)}: other servers refuse what they can't judge")]
    return []


def _module(raw: Mapping[str, Any], bots: list[str]) -> list[Problem]:
    listed = raw.get("modules")
    found = [m for m in listed if isinstance(m, Mapping) and m.get("module") == MODULE] if listed else []
    if len(found) != 1:
        return [Problem("modules", f"must hold {MODULE} once: it decides who may create, invite and join")]
    config = found[0].get("config")
    said = config.get("bots") if isinstance(config, Mapping) else None
    if bots and (not isinstance(said, list) or sorted(map(str, said)) != bots):
        return [Problem("modules", f"its `bots` must be {', '.join(bots)}")]
    return []


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, Mapping) else {}


def _shown(value: Any) -> str:
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return str(value).lower()
    return "[{action: deny}]" if value == [{"action": "deny"}] else str(value)


def read(paths: Iterable[Path]) -> dict[str, Any]:
    """Several files as Synapse reads them: of two that set the same key, the later counts. Raises ConfigError."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - apps extra
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    merged: dict[str, Any] = {}
    for path in paths:
        try:
            raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(str(path), f"is not YAML: {str(error).splitlines()[0]}")]) from None
        if not isinstance(raw, dict):
            raise ConfigError([Problem(str(path), "must be a section (key: value)")])
        merged |= raw
    return merged
