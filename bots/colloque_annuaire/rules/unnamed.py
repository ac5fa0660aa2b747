"""Why what somebody typed names no account. Pure."""

from __future__ import annotations

from enum import StrEnum


class Unnamed(StrEnum):
    """Why no account is meant."""

    NOTHING = "nothing"
    """Nothing was typed that names anybody."""
    BAD_NUMBER = "bad_number"
    NO_RESULT = "no_result"
    """A number that no result of today has."""
    NO_ACCOUNT = "no_account"
    """A professional without an account, or none at all."""
    BOT = "bot"
    """An account of ours, or a mail correspondent's."""
    ELSEWHERE = "elsewhere"
    """An account that this server does not have, of no listed server either."""
