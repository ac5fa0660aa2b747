"""How replies name what they answer (RFC 5322 section 3.6.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from colloque.mail.message import Mail

REFERENCES_LIMIT = 20
"""Message-IDs kept in References: the first (the thread's root) and the last ones."""

_REPLY = re.compile(r"^(?:\s*(?:re|r[ée]p|aw|sv|antw)\s*(?:\[\d+\])?\s*[:\uff1a])+\s*", re.IGNORECASE)

_FORWARD = re.compile(r"^(?:\s*(?:tr|fwd?|wg)\s*[:\uff1a])+\s*", re.IGNORECASE)


def reply_headers(
    parent_message_id: str | None, parent_references: Sequence[str]
) -> tuple[str | None, tuple[str, ...]]:
    """`(In-Reply-To, References)` of an answer. A parent without Message-ID is still tied by its own references."""
    chain = [*parent_references, *([parent_message_id] if parent_message_id else [])]
    return parent_message_id, bounded(chain)


def bounded(references: Sequence[str]) -> tuple[str, ...]:
    """Each id once, at its last place except the root, which stays first; at most `REFERENCES_LIMIT`."""
    if not references:
        return ()
    root = references[0]
    rest = list(dict.fromkeys(reversed([r for r in references if r != root])))[::-1]
    return (root, *rest[-(REFERENCES_LIMIT - 1) :])


def reply_subject(subject: str) -> str:
    """`Re: ` once, whatever the parent already carried (`RE:`, `Re :`, `Rép:`, `Re[2]:`); `TR:` and `Fwd:` stay."""
    return "Re: " + _REPLY.sub("", subject)


def forward_subject(subject: str) -> str:
    """`TR: ` once, in the place of what the mail already carried of it (`Fwd:`, `Tr :`)."""
    return "TR: " + _FORWARD.sub("", subject)


def parents(mail: Mail) -> tuple[str, ...]:
    """The Message-IDs that a mail says it answers, the nearest first: In-Reply-To, then References from their end.

    They alone tell its thread. The subject never counts: two patients may share one.
    """
    nearest = (mail.in_reply_to,) if mail.in_reply_to else ()
    return tuple(dict.fromkeys((*nearest, *reversed(mail.references))))
