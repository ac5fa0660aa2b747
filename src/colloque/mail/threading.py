"""How replies name what they answer (RFC 5322 section 3.6.4), and how an answer finds its thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from colloque.mail.message import Mail

T = TypeVar("T")

REFERENCES_LIMIT = 20
"""Message-IDs kept in References: the first (the thread's root) and the last ones."""

_REPLY = re.compile(r"^(?:\s*(?:re|r[ée]p|aw|sv|antw)\s*(?:\[\d+\])?\s*[:\uff1a])+\s*", re.IGNORECASE)


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


def place(mail: Mail, known: Callable[[str], T | None]) -> T | None:
    """The thread a mail belongs to: by In-Reply-To, then References from the last to the first; None when new.

    `known` says which thread a Message-ID belongs to. The subject never counts: two patients may share one.
    """
    for message_id in _parents(mail):
        thread = known(message_id)
        if thread is not None:
            return thread
    return None


def _parents(mail: Mail) -> Iterator[str]:
    if mail.in_reply_to:
        yield mail.in_reply_to
    for reference in reversed(mail.references):
        if reference != mail.in_reply_to:
            yield reference
