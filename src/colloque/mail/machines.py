"""What a mail's headers say of machines: one sent it, one may answer it, one lets it go round."""

from __future__ import annotations

from colloque.mail.message import Party, Robot
from colloque.mail.mime import Headers
from colloque.mail.parties import parties

HOPS_LIMIT = 100
"""Servers a mail may come by."""


def all_parties(headers: Headers, name: str) -> tuple[Party, ...]:
    """Those of every header field of that name."""
    return tuple(p for line in headers.all(name) for p in parties(line))


def receipt_to(headers: Headers) -> str:
    """Only an address that the envelope's sender bears too, and no machine's: else two machines might never stop."""
    asked = all_parties(headers, "disposition-notification-to")
    came_from = parties(headers.first("return-path"))
    if len(asked) != 1 or automatic(headers) or [p.address for p in came_from] != [asked[0].address]:
        return ""
    return asked[0].address


def robot(headers: Headers) -> Robot:
    """What kind of machine says that it sent it."""
    submitted = headers.first("auto-submitted").strip().lower()
    if (
        submitted.startswith(b"auto-replied")
        or headers.first("precedence").strip().lower() == b"auto_reply"
        or headers.first("x-autoreply")
        or headers.first("x-autorespond")
    ):
        return "reply"
    return "other" if submitted not in {b"", b"no"} else ""


def loops(headers: Headers) -> bool:
    """True for a mail that came by the same mailbox twice, or by too many servers (RFC 5321, 6.3)."""
    delivered = [value.strip().lower() for value in headers.all("delivered-to")]
    return len(set(delivered)) < len(delivered) or len(headers.all("received")) > HOPS_LIMIT


def automatic(headers: Headers) -> bool:
    """RFC 3834, and what older machines say instead; a mail that goes round is answered by none either."""
    submitted = headers.first("auto-submitted").strip().lower()
    return (
        submitted not in {b"", b"no"}
        or headers.first("precedence").strip().lower() in {b"bulk", b"list", b"junk", b"auto_reply"}
        or headers.first("return-path").strip() == b"<>"
        or loops(headers)
        or bool(
            headers.first("x-loop")
            or headers.first("x-autoreply")
            or headers.first("x-autorespond")
            or headers.first("list-id")
        )
    )
