"""What a mail is to us: values, no bytes and no wire. `parse` makes `Mail`, `compose` writes `Outgoing`."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

NAME_LIMIT = 200
"""Characters kept of a display name or a file name."""
SUBJECT_LIMIT = 1000
"""Characters kept of a subject."""
WHOLE_MAIL = "message-complet.eml"
"""The file beside a mail that has too many others: all of it."""
TEXT_LIMIT = 200_000
"""Characters of a body shown as text; a longer one also stays whole as an attachment."""

ReportKind = Literal[
    "delivered", "failed", "delayed", "relayed", "expanded",
    "read", "processed", "dispatched", "deleted", "denied", "error",
]  # fmt: skip
"""What a machine says of a mail we sent: DSN actions on the first line (RFC 3464), then MDN dispositions (RFC 8098)."""


MeetingMethod = Literal["request", "cancel", "reply", "counter", "publish"]
"""What a calendar asks or tells (RFC 5546): a meeting is proposed, called off, answered, moved, or only told of."""
Robot = Literal["", "reply", "other"]
"""What kind of machine's mail it is: none, an answer that nobody wrote (an absence), or anything else."""


def one_line(text: str, limit: int) -> str:
    """`text` without line breaks, control or format characters (which reorder what is read); at most `limit` long."""
    kept = (" " if c in "\t\r\n\v\f\x85\u2028\u2029" else c for c in text)
    clean = "".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    return " ".join(clean.split())[:limit]


@dataclass(frozen=True, slots=True)
class Party:
    """Who stands in From, To or Cc. `name` is what the mail claims and proves nothing; `address` is lower-case."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part of a mail that is not its text. `name` is one line, without folders; never empty."""

    name: str
    mime: str
    data: bytes = field(repr=False)
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a DSN or an MDN says about one recipient of a mail of ours."""

    kind: ReportKind
    envid: str | None
    """The envelope id we gave with `MAIL FROM`, where the report repeats it."""
    original_message_id: str | None
    recipient: str | None = field(repr=False)
    status: str
    """Enhanced status code (RFC 3463), e.g. `5.1.1`; empty when there is none."""
    diagnostic_code: str = ""
    """The SMTP reply code behind it, digits only, e.g. `550`; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """What a calendar beside a mail says, where it is clear. Days where it lasts whole days, else moments in Paris."""

    method: MeetingMethod
    start: date
    end: date | None
    """The last moment, or the last day."""
    title: str = field(repr=False)
    place: str = field(repr=False)
    """One line each; perhaps empty."""
    repeated: bool


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail received. Every leaf part of it stands in `text` or in `attachments`; `problems` says what was odd."""

    digest: str
    """SHA-256 of the raw bytes, hex."""
    message_id: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    sender: Party
    reply_to: tuple[Party, ...]
    to: tuple[Party, ...]
    cc: tuple[Party, ...]
    subject: str = field(repr=False)
    date: datetime | None
    """Aware; what the sender's machine claims."""
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...]
    reports: tuple[Report, ...]
    """One for each recipient that a DSN or MDN speaks of; none where the mail holds anything else."""
    automatic: bool
    """True when a machine sent it (RFC 3834): it must never be answered by a machine."""
    problems: tuple[str, ...]
    coded: bool = False
    """It announces clinical documents by their codes (X-MSS-CODECDA): a software sent it."""
    urgent: bool = False
    """Its sender marked it so (Importance, X-Priority, Priority)."""
    html: str = field(default="", repr=False)
    """`text` in what HTML Matrix allows, word for word; empty where the text says as much."""
    meetings: tuple[Meeting, ...] = ()
    """One a calendar; its file stands in `attachments`."""
    robot: Robot = ""
    """Why it is `automatic`, where its sender's machine says so; reports are none."""
    receipt_to: str = ""
    """Whom its author asked to tell when it is read; empty where nobody may be told by a machine (RFC 8098, 2.1)."""
    from_operator: bool = False
    """It is a report and nothing else, from nobody's mailbox (an empty Return-Path): a machine on the way sent it."""

    @property
    def report(self) -> Report | None:
        """The first report, None when the mail is not one."""
        return self.reports[0] if self.reports else None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail to send. Ids are written `<id@domain>`; `nil` is the product reference given by ANS."""

    message_id: str
    sender: Party
    to: tuple[Party, ...]
    subject: str = field(repr=False)
    text: str = field(repr=False)
    date: datetime
    nil: str
    cc: tuple[Party, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    """More header fields, e.g. `X-MSS-MES`."""
    html: str = field(default="", repr=False)
    """`text` in clean HTML, word for word; empty where it says as much."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses the envelope names, each once, in order."""
        return tuple(dict.fromkeys(p.address for p in (*self.to, *self.cc)))
