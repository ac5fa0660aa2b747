"""Raw mail in, `Mail` out. Takes any bytes: every leaf ends in the text or as an attachment; what was odd is listed."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from colloque.mail.bodies import Body, Shown, show, with_packed
from colloque.mail.ics import meeting
from colloque.mail.message import NAME_LIMIT, SUBJECT_LIMIT, Attachment, Mail, Meeting, Party, Report, Robot, one_line
from colloque.mail.mime import HEADER_LIMIT, Headers, Part, content, leaves, split_headers
from colloque.mail.parties import parties
from colloque.mail.reports import delivery_reports, disposition_reports, message_ids
from colloque.mail.tnef import FILES_LIMIT, SIGNATURE, Unpacked, unpack
from colloque.mail.words import decode, decode_header, printable, unflow

_MIME = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,100}\Z")
HOPS_LIMIT = 100
"""Servers a mail may come by."""
MEETINGS_LIMIT = 5
"""Calendars of one mail that are told of."""
PACKAGES_LIMIT = 3
"""TNEF packages of one mail that are opened."""
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Windows can't save a file of such a name, whatever its extension."""
_TNEF = {"application/ms-tnef", "application/vnd.ms-tnef"}
_EXTENSIONS = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "text/rfc822-headers": ".txt",
    "text/calendar": ".ics",
}
_TYPES = mimetypes.MimeTypes()  # Python's own table: the same on every machine


def parse_mail(raw: bytes) -> Mail:
    """Read a mail. Never raises; the same bytes give the same value."""
    problems: list[str] = []
    headers, body = split_headers(raw if b"\n" in raw else raw.replace(b"\r", b"\n"))
    if any(len(value) == HEADER_LIMIT for _, value in headers.fields):
        problems.append("long-header")
    reading = _Reading(problems)
    for part in leaves(headers, body):
        reading.take(part)
    shown = reading.body()
    own_ids = message_ids(headers.first("message-id"))
    if _loops(headers):
        problems.append("loop")
    if len(headers.all("message-id")) > 1 or len(own_ids) > 1:
        problems.append("message-id-repeated")
    elif not own_ids:
        problems.append("message-id-missing")
    parents = message_ids(headers.first("in-reply-to"))
    return Mail(
        digest=hashlib.sha256(raw).hexdigest(),
        message_id=own_ids[0] if own_ids else None,
        in_reply_to=parents[0] if parents else None,
        references=message_ids(b" ".join(headers.all("references"))),
        sender=_sender(headers, problems),
        reply_to=_all_parties(headers, "reply-to"),
        to=_all_parties(headers, "to"),
        cc=_all_parties(headers, "cc"),
        subject=one_line(decode_header(headers.first("subject")), SUBJECT_LIMIT),
        date=_date(headers.first("date"), problems),
        text=shown.text,
        html=shown.html,
        attachments=reading.named(),
        reports=reading.reports(),
        automatic=_automatic(headers) or bool(reading.statuses),
        problems=tuple(dict.fromkeys(problems)),
        coded=bool(headers.first("x-mss-codecda").strip()),
        urgent=_urgent(headers),
        meetings=tuple(reading.meetings),
        robot="" if reading.statuses else _robot(headers),
        receipt_to="" if reading.statuses else _receipt_to(headers),
    )


@dataclass
class _Reading:
    """Gathers the leaves of one mail."""

    problems: list[str]
    bodies: list[Body] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    packed: list[Unpacked] = field(default_factory=list)
    meetings: list[Meeting] = field(default_factory=list)
    statuses: list[tuple[str, bytes]] = field(default_factory=list)
    original: Headers = field(default_factory=Headers)

    def take(self, part: Part) -> None:
        """Sort one leaf."""
        data, problem = content(part)
        self.problems += [*part.problems, *([problem] if problem else [])]
        if part.mime in {"message/delivery-status", "message/disposition-notification"}:
            self.statuses.append((part.mime, data))
        elif part.mime in {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"} and self.statuses:
            self.original = split_headers(data)[0]
        in_place = part.mime in {"text/plain", "text/html"} and part.disposition != "attachment" and not part.file_name
        if part.mime in _TNEF or data.startswith(SIGNATURE):
            self._unpack(part, data)
            return
        if not in_place:
            self._attach(part, data)
            if part.mime == "text/calendar":
                self._meet(part, data)
            return
        text, exact = decode(data, part.params.get("charset"))
        if not exact or problem:
            self.problems += [] if exact else ["charset"]
            self._attach(part, data)  # the text is a guess: what came stays readable
        text = printable(text)
        if part.mime == "text/plain" and part.params.get("format", "").strip().lower() == "flowed":
            text = unflow(text, joined=part.params.get("delsp", "").strip().lower() == "yes")
        self.bodies.append(Body(text, part.mime == "text/html", part.within))

    def _attach(self, part: Part, data: bytes) -> None:
        inline = part.disposition == "inline" or "content-id" in dict(part.headers.fields)
        self._put(Attachment(part.file_name, part.mime, data, inline))

    def _put(self, item: Attachment) -> None:
        mime = item.mime if _MIME.match(item.mime) else "application/octet-stream"
        name = _base_name(item.name)
        if name and mime == "application/applefile":  # what a Mac knows of a file that has the same name
            name += ".applefile"
        self.attachments.append(replace(item, name=name, mime=mime))

    def _unpack(self, part: Part, data: bytes) -> None:
        """Outlook's package gives way to what it holds, where that is all and could be read."""
        room = FILES_LIMIT - sum(len(each.files) for each in self.packed)
        found = unpack(data, room) if len(self.packed) < PACKAGES_LIMIT else Unpacked(damaged=True)
        self.problems += ["tnef"] if found.damaged else []
        if found.damaged or found.more:
            self._attach(part, data)
        self.packed.append(found)
        for item in found.files:
            self._put(item)

    def _meet(self, part: Part, data: bytes) -> None:
        found = meeting(data, part.params.get("charset"), part.params.get("method", ""))
        if found is not None and found not in self.meetings and len(self.meetings) < MEETINGS_LIMIT:
            self.meetings.append(found)

    def body(self) -> Shown:
        """The body to show. What of it would be lost in showing becomes an attachment."""
        bodies, files = with_packed(self.bodies, self.packed)
        shown = show(bodies)
        self.attachments += (*files, *shown.kept)
        if shown.too_long:
            self.problems.append("long-text")
        return shown

    def reports(self) -> tuple[Report, ...]:
        """What DSN and MDN parts say."""
        out: list[Report] = []
        for mime, data in self.statuses:
            read = delivery_reports(data, self.original) if mime.endswith("status") else disposition_reports(data)
            out += read
        return tuple(out)

    def named(self) -> tuple[Attachment, ...]:
        """The attachments under names that are never empty and never twice the same."""
        out: list[Attachment] = []
        taken: set[str] = set()
        for rank, item in enumerate(self.attachments, 1):
            name = (
                item.name
                or f"document-{rank}{_EXTENSIONS.get(item.mime) or _TYPES.guess_extension(item.mime) or '.bin'}"
            )
            stem, dot, suffix = name.rpartition(".")
            copy = 1
            while name.casefold() in taken:
                copy += 1
                name = f"{stem} ({copy}).{suffix}" if dot and stem else f"{item.name} ({copy})"
            taken.add(name.casefold())
            out.append(Attachment(name, item.mime, item.data, item.inline))
        return tuple(out)


def _base_name(name: str) -> str:
    last = one_line(re.split(r"[/\\]", name)[-1], 10_000).lstrip(". ").rstrip(". ")
    if last.partition(".")[0].strip().casefold() in _DEVICES:
        last = f"_{last}"
    if len(last) > NAME_LIMIT:
        stem, dot, suffix = last.rpartition(".")
        last = f"{stem[: NAME_LIMIT - 20]}.{suffix}" if dot and len(suffix) < 15 else last[:NAME_LIMIT]
    return last


def _sender(headers: Headers, problems: list[str]) -> Party:
    """Who wrote. Two authors or two From headers: nobody in particular (an address would be a guess)."""
    lines = headers.all("from")
    found = [p for line in lines for p in parties(line)]
    if found and found[0].address and len({p.address for p in found}) == 1:
        return found[0]
    problems.append("from-missing" if not found else "from-repeated" if len(found) > 1 else "from-bad")
    return Party(found[0].name if found else "", "")


def _all_parties(headers: Headers, name: str) -> tuple[Party, ...]:
    return tuple(p for line in headers.all(name) for p in parties(line))


def _date(raw: bytes, problems: list[str]) -> datetime | None:
    try:
        at = parsedate_to_datetime(decode(raw, None)[0])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        problems.append("date")
        return None


def _urgent(headers: Headers) -> bool:
    """As RFC 2156 and common programs mark it; `X-Priority: 2` is "high" in most of them."""
    return (
        headers.first("importance").strip().lower() == b"high"
        or headers.first("priority").strip().lower() == b"urgent"
        or headers.first("x-priority").strip()[:1] in {b"1", b"2"}
    )


def _receipt_to(headers: Headers) -> str:
    """Only an address that the envelope's sender bears too, and no machine's: else two machines might never stop."""
    asked = _all_parties(headers, "disposition-notification-to")
    came_from = parties(headers.first("return-path"))
    if len(asked) != 1 or _automatic(headers) or [p.address for p in came_from] != [asked[0].address]:
        return ""
    return asked[0].address


def _robot(headers: Headers) -> Robot:
    submitted = headers.first("auto-submitted").strip().lower()
    if (
        submitted.startswith(b"auto-replied")
        or headers.first("precedence").strip().lower() == b"auto_reply"
        or headers.first("x-autoreply")
        or headers.first("x-autorespond")
    ):
        return "reply"
    return "other" if submitted not in {b"", b"no"} else ""


def _loops(headers: Headers) -> bool:
    """True for a mail that came by the same mailbox twice, or by too many servers (RFC 5321, 6.3)."""
    delivered = [value.strip().lower() for value in headers.all("delivered-to")]
    return len(set(delivered)) < len(delivered) or len(headers.all("received")) > HOPS_LIMIT


def _automatic(headers: Headers) -> bool:
    """RFC 3834, and what older machines say instead; a mail that goes round is answered by none either."""
    submitted = headers.first("auto-submitted").strip().lower()
    return (
        submitted not in {b"", b"no"}
        or headers.first("precedence").strip().lower() in {b"bulk", b"list", b"junk", b"auto_reply"}
        or headers.first("return-path").strip() == b"<>"
        or _loops(headers)
        or bool(
            headers.first("x-loop")
            or headers.first("x-autoreply")
            or headers.first("x-autorespond")
            or headers.first("list-id")
        )
    )
