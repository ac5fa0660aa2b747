"""What machines say of mails we sent: delivery status (DSN, RFC 3464) and disposition (MDN, RFC 8098) parts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from colloque.mail.message import Report, ReportKind
from colloque.mail.mime import Headers, Part, split_headers
from colloque.mail.parties import is_address
from colloque.mail.words import decode

STATUSES = {"message/delivery-status", "message/disposition-notification"}
RETURNED = {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}
"""The mail that a report speaks of, or its headers."""
REPORTS_LIMIT = 200
"""Groups read of one report, one a recipient, whether or not they say something."""

_ACTIONS: dict[str, ReportKind] = {
    "delivered": "delivered",
    "failed": "failed",
    "delayed": "delayed",
    "relayed": "relayed",
    "expanded": "expanded",
}
_DISPOSITIONS: dict[str, ReportKind] = {
    "displayed": "read",
    "processed": "processed",
    "dispatched": "dispatched",
    "deleted": "deleted",
    "denied": "denied",
}
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}\Z")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BETWEEN = re.compile(rb"\n\n+")
_REPLY_CODE = re.compile(r"(?:^|[\s;])([2-5]\d\d)(?=[\s-]|$)")


def is_report(report_type: str, roles: Sequence[str]) -> bool:
    """True where the leaves of a mail (`role` of each) are a report's (RFC 6522), and nothing beside.

    Words for people, one status of that type, and perhaps the mail it speaks of. Anybody may put a status beside words
    and files of their own.
    """
    statuses = [role for role in roles if role in STATUSES]
    return statuses == [f"message/{report_type.strip().lower()}"] and "" not in roles and roles.count("returned") <= 1


def role(part: Part) -> str:
    """What a leaf is in a report: `words`, `returned`, or its status's own type; empty where reports have none such."""
    outermost, *around = part.within or (("", 0),)
    if outermost != ("multipart/report", 1):
        return ""
    if not around and part.mime in STATUSES:
        return part.mime
    if not around and part.mime in RETURNED:
        return "returned"
    alternative = [mime for mime, _ in around] == ["multipart/alternative"]
    return "words" if part.in_place and (alternative or not around) else ""


def message_ids(raw: bytes) -> tuple[str, ...]:
    """The `<id>`s of a header, each once. Only those that can stand in a header again: printable ASCII, no spaces."""
    text = decode(raw, None)[0]
    inside = ("".join(found.split()) for found in re.findall(r"<([^<>]*)>", text))  # some fold within the brackets
    found = [f"<{m}>" for m in inside if _MESSAGE_ID.match(m)]
    if not found and "@" in text and _MESSAGE_ID.match(text.strip()):
        found = [f"<{text.strip()}>"]  # brackets forgotten
    return tuple(dict.fromkeys(found))


def delivery_reports(status: bytes, original: Headers) -> tuple[Report, ...]:
    """Reads a `message/delivery-status` part; `original` are the headers of the mail it returned, where it did."""
    # Cut once: to cut off one group after the other copies the rest each time.
    first, *groups = _BETWEEN.split(status.replace(b"\r\n", b"\n").strip(b"\n"), REPORTS_LIMIT + 1)
    whole, damage = split_headers(first)
    envid = _text(whole.first("original-envelope-id")) or None
    message_id = next(iter(message_ids(original.first("message-id"))), None)
    out: list[Report] = []
    for each in groups[:REPORTS_LIMIT]:
        if damage:
            break  # what follows a line that is no header may be anything
        group, damage = split_headers(each)
        kind = _ACTIONS.get(_word(group.first("action")))
        if kind is None:
            continue
        recipient = _recipient(group.first("original-recipient")) or _recipient(group.first("final-recipient"))
        enhanced = _STATUS.search(_text(group.first("status")))
        reply = _REPLY_CODE.search(_text(group.first("diagnostic-code")))
        out.append(
            Report(kind, envid, message_id, recipient, enhanced[1] if enhanced else "", reply[1] if reply else "")
        )
    return tuple(out)


def disposition_reports(notification: bytes) -> tuple[Report, ...]:
    """Reads a `message/disposition-notification` part: one report, or none when it says nothing we know."""
    fields, _ = split_headers(notification.lstrip(b"\r\n"))
    disposition = _text(fields.first("disposition")).partition(";")[2]
    name, _, modifier = disposition.partition("/")
    kind = _DISPOSITIONS.get(name.strip().lower())
    if kind is None:
        return ()
    if modifier.strip().lower().startswith("error"):
        kind = "error"  # the recipient's software could not do its work (ANS, volet messagerie: 'processed/Error')
    recipient = _recipient(fields.first("original-recipient")) or _recipient(fields.first("final-recipient"))
    message_id = next(iter(message_ids(fields.first("original-message-id"))), None)
    return (Report(kind, None, message_id, recipient, ""),)


def _recipient(raw: bytes) -> str | None:
    address = _text(raw).rpartition(";")[2].strip().strip("<>").lower()
    return address if is_address(address) else None


def _word(raw: bytes) -> str:
    found = re.search(r"[a-z-]+", _text(raw).lower())
    return found[0] if found else ""


def _text(raw: bytes) -> str:
    return decode(raw, None)[0].strip()
