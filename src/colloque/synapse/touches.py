"""The two places where we reach into Synapse below its module API. tests/integration/test_module_touches.py pins both.

1. `federation_domain_whitelist`, given as `[]` at the start, is a dict that inbound requests, outbound requests, media
   and keys all hold by reference: changed in place, all obey at once, without a restart. Every process does its own.
2. Synapse loads a room's whole state before it asks `check_event_allowed`: 2 ms a message in a room of 400. A guard
   in front lets through, unasked, what is not a state event. (Templates for other servers' joins, leaves and
   knocks are state events.) Where another module asks to see events too, the guard stands aside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from synapse.module_api import EventBase, ModuleApi
from synapse.module_api.errors import ConfigError

Allowed = tuple[bool, dict[str, Any] | None]


def whitelist(api: ModuleApi) -> dict[str, bool]:
    """The dict that says which servers may talk to us and be talked to. Raises ConfigError when it is not empty."""
    found: dict[str, bool] | None = api._hs.config.federation.federation_domain_whitelist  # noqa: SLF001
    if found is None or found:
        raise ConfigError("federation_domain_whitelist must be [] in homeserver.yaml: the federation list fills it")
    return found


def guard_event_checks(api: ModuleApi, check: Callable[..., Awaitable[Allowed]]) -> None:
    """Put the guard in front of `check`, which is registered as `check_event_allowed` already."""
    rules: Any = api._callbacks.third_party_event_rules  # noqa: SLF001
    ask: Callable[[EventBase, Any], Awaitable[Allowed]] = rules.check_event_allowed
    asked: list[object] = rules._check_event_allowed_callbacks  # noqa: SLF001

    async def guarded(event: EventBase, context: Any) -> Allowed:
        if not event.is_state() and asked == [check]:
            return True, None
        return await ask(event, context)

    rules.check_event_allowed = guarded
