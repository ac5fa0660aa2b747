"""What may come of a first contact across servers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Met(StrEnum):
    """What came of it. Stable codes."""

    KNOWN = "remote_known"
    """Both sides know both people: the invitation can be made again."""
    NOT_LISTED = "remote_not_listed"
    AWAY = "remote_away"
    UNVERIFIED = "remote_unverified"
    US = "remote_refuses_us"
    """Their server does not admit ours."""
    THEM = "remote_refused"
    """Ours does not admit theirs."""
    OURS = "actor_unverified"
    NO_DIRECTORY = "directory_stale"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`reason`: the rule's own code, where there is one."""

    met: Met
    organisation: str = ""
    name: str = ""
    """Theirs, as our directory has it; empty when not admitted."""
    reason: str = ""
