"""Raw mail in, `Mail` out. Takes any bytes: every leaf ends in the text or as an attachment; what was odd is listed."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from colloque.mail.bodies import Body, Shown, show, with_packed
from colloque.mail.ics import meeting
from colloque.mail.machines import all_parties, automatic, loops, receipt_to, robot
from colloque.mail.message import (
    NAME_LIMIT,
    SUBJECT_LIMIT,
    WHOLE_MAIL,
    Attachment,
    Mail,
    Meeting,
    Party,
    Report,
    one_line,
)  # fmt: skip
from colloque.mail.mime import PARTS_LIMIT, Headers, Part, content, leaves, split_headers
from colloque.mail.parties import parties
from colloque.mail.reports import (
    RETURNED,
    STATUSES,
    delivery_reports,
    disposition_reports,
    is_report,
    message_ids,
    role,
)  # fmt: skip
from colloque.mail.tnef import FILES_LIMIT, SIGNATURE, Unpacked, unpack
from colloque.mail.words import decode, decode_header, parameters, printable, unflow

_MIME = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,100}\Z")
MEETINGS_LIMIT = 5
"""Calendars of one mail that are told of."""
FILES_SHOWN = 200
"""Files of one mail, each an upload and an event; with more, the rest is in the whole mail, which then is a file."""
REFERENCES_LIMIT = 100
"""Message-IDs of one References: the first, which began the thread, and the last."""
_YEARS = (1970, 2200)
"""Of a Date. What lies outside is none, and next to the last year of all there is no time in another zone."""
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
    problems += ["long-header"] if headers.cut else []
    reading = _Reading(problems)
    for part in leaves(headers, body):
        reading.take(part)
    shown = reading.body()
    files = reading.files(raw)
    report_type = parameters(headers.first("content-type"))[1].get("report-type", "")
    report = is_report(report_type, reading.roles)
    reports = reading.reports() if report else ()
    own_ids = message_ids(headers.first("message-id"))
    if loops(headers):
        problems.append("loop")
    if len(headers.all("message-id")) > 1 or len(own_ids) > 1:
        problems.append("message-id-repeated")
    elif not own_ids:
        problems.append("message-id-missing")
    parents = message_ids(headers.first("in-reply-to"))
    return Mail(
        digest=digest_of(raw),
        message_id=own_ids[0] if own_ids else None,
        in_reply_to=parents[0] if parents else None,
        references=_ends(message_ids(b" ".join(headers.all("references")))),
        sender=_sender(headers, problems),
        reply_to=all_parties(headers, "reply-to"),
        to=all_parties(headers, "to"),
        cc=all_parties(headers, "cc"),
        subject=one_line(decode_header(headers.first("subject")), SUBJECT_LIMIT),
        date=_date(headers.first("date"), problems),
        text=shown.text,
        html=shown.html,
        attachments=files,
        reports=reports,
        automatic=automatic(headers) or bool(reading.statuses),
        problems=tuple(dict.fromkeys(problems)),
        coded=bool(headers.first("x-mss-codecda").strip()),
        urgent=_urgent(headers),
        meetings=tuple(reading.meetings),
        robot="" if report else robot(headers),
        receipt_to="" if reading.statuses else receipt_to(headers),
        from_operator=bool(reports) and all(path.strip() == b"<>" for path in headers.all("return-path")),
    )


def digest_of(raw: bytes) -> str:
    """SHA-256 of a mail, hex: what tells it from others."""
    return hashlib.sha256(raw).hexdigest()


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
    roles: list[str] = field(default_factory=list)
    """What each leaf is in a report (`reports.role`)."""

    def take(self, part: Part) -> None:
        """Sort one leaf."""
        data, problem = content(part)
        packed = part.mime in _TNEF or data.startswith(SIGNATURE)
        self.roles.append("" if packed else role(part))
        self.problems += [*part.problems, *([problem] if problem else [])]
        if part.mime in STATUSES:
            self.statuses.append((part.mime, data))
        elif part.mime in RETURNED and self.statuses:
            self.original = split_headers(data)[0]
        if packed:
            self._unpack(part, data)
            return
        if not part.in_place:
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

    def files(self, raw: bytes) -> tuple[Attachment, ...]:
        """The attachments under names that are never empty and never twice the same; too many: the mail beside some."""
        if len(self.roles) >= PARTS_LIMIT or len(self.attachments) > FILES_SHOWN:
            self.problems.append("many-files")
            self.attachments[FILES_SHOWN:] = [Attachment(WHOLE_MAIL, "message/rfc822", raw)]
        out: list[Attachment] = []
        taken: set[str] = set()
        copies: Counter[str] = Counter()
        for rank, item in enumerate(self.attachments, 1):
            wanted = name = (
                item.name
                or f"document-{rank}{_EXTENSIONS.get(item.mime) or _TYPES.guess_extension(item.mime) or '.bin'}"
            )
            stem, dot, suffix = name.rpartition(".")
            while name.casefold() in taken:
                copies[wanted.casefold()] += 1  # goes on where the last of that name stopped
                copy = copies[wanted.casefold()] + 1
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


def _date(raw: bytes, problems: list[str]) -> datetime | None:
    try:
        at = parsedate_to_datetime(decode(raw, None)[0])
        moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        moment = None
    if moment is None or not _YEARS[0] <= moment.year < _YEARS[1]:
        problems.append("date")
        return None
    return moment


def _ends(ids: tuple[str, ...]) -> tuple[str, ...]:
    return ids if len(ids) <= REFERENCES_LIMIT else (ids[0], *ids[-(REFERENCES_LIMIT - 1) :])


def _urgent(headers: Headers) -> bool:
    """As RFC 2156 and common programs mark it; `X-Priority: 2` is "high" in most of them."""
    return (
        headers.first("importance").strip().lower() == b"high"
        or headers.first("priority").strip().lower() == b"urgent"
        or headers.first("x-priority").strip()[:1] in {b"1", b"2"}
    )
