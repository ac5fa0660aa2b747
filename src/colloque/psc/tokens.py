"""What a login at Pro Santé Connect leaves in hand: tokens that open mailboxes until they end. Pure.

Source: RFC 6749, 5.1 (`expires_in`) and OpenID Connect; `refresh_expires_in` is Keycloak's, which Pro Santé Connect is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from colloque.errors import Tampered

TOKEN_MAX = 16 * 1024
"""Bytes: what is longer fits no login at a mail server."""
_EARLY = 0.8
"""When so much of a token's life is over, it is time for another."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One person's, of one moment. Secrets: for memory only, never stored, never logged."""

    sub: str = field(repr=False)
    """Whose they are, as Pro Santé Connect names people."""
    access: str = field(repr=False)
    """What mail servers are shown."""
    since: datetime
    until: datetime
    """When `access` ends."""
    refresh: str = field(default="", repr=False)
    """Gets the next ones; empty where Pro Santé Connect gives none: it all ends at `until`."""
    refresh_until: datetime | None = None
    """When `refresh` ends; None where that is not told: trying tells."""

    @property
    def renew_at(self) -> datetime:
        """When to ask for the next ones: before either ends."""
        ends = min(self.until, self.refresh_until or self.until)
        return self.since + (ends - self.since) * _EARLY

    def renewable(self, now: datetime) -> bool:
        """Whether the next ones may be had."""
        return bool(self.refresh) and (self.refresh_until is None or now < self.refresh_until)


def read_tokens(told: Mapping[str, object], sub: str, asked_at: datetime) -> Tokens:
    """The token endpoint's answer, where lives count from `asked_at`, so that ours never outlive theirs.

    Raises Tampered.
    """
    access, refresh = told.get("access_token"), told.get("refresh_token", "")
    if not _is_token(access) or str(told.get("token_type")).lower() != "bearer":
        raise Tampered("psc: the answer holds no access token")
    if refresh != "" and not _is_token(refresh):
        raise Tampered("psc: the answer's refresh token is none")
    life, more = _life(told, "expires_in"), _life(told, "refresh_expires_in")
    if life is None:
        raise Tampered("psc: the answer does not say how long its token lives")
    return Tokens(
        sub=sub,
        access=str(access),
        since=asked_at,
        until=asked_at + life,
        refresh=str(refresh),
        refresh_until=None if more is None else asked_at + more,
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TOKEN_MAX and value.isascii() and value.isprintable()


def _life(told: Mapping[str, object], name: str) -> timedelta | None:
    value = told.get(name)
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _LONGEST_S
    return timedelta(seconds=float(value)) if good and isinstance(value, int | float) else None


_LONGEST_S = 30 * 86_400.0
"""Nobody's session is longer; Keycloak's 0 for "no end" is read as "not told"."""
