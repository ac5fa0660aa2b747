"""The delivery report (RFC 3461, 3464) that a sender who asked for NOTIFY=SUCCESS gets."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime


@dataclass
class Asked:
    """What a sender asked for in the envelope."""

    envid: str | None = None
    whole: bool = False
    """RET=FULL: give the message back, not only its headers."""
    success: dict[str, str] = field(default_factory=dict)
    """Recipients with NOTIFY=SUCCESS, and the ORCPT given for each (may be empty)."""


def success_report(sender: str, asked: Asked, raw: bytes, now: datetime) -> bytes:
    """A whole mail to `sender`: its message `raw` reached every recipient in `asked.success`."""
    date = format_datetime(now)
    boundary = "=_" + secrets.token_hex(16)
    fields = ["Reporting-MTA: dns; localhost"]
    if asked.envid:
        fields.append(f"Original-Envelope-Id: {_from_xtext(asked.envid)}")
    fields.append(f"Arrival-Date: {date}")
    for recipient, original in asked.success.items():
        fields += ["", f"Final-Recipient: rfc822; {recipient}"]
        if original:
            fields.append(f"Original-Recipient: {_from_xtext(original)}")
        fields += ["Action: delivered", "Status: 2.0.0"]
    head = [
        "Return-Path: <>",
        f"Date: {date}",
        "From: Mail Delivery System <MAILER-DAEMON@localhost>",
        f"To: {sender}",
        "Subject: Successful Mail Delivery Report",
        f"Message-ID: <{secrets.token_hex(16)}@localhost>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "Your message was delivered to the destinations listed below.",
        "",
        *(f"<{recipient}>: delivered" for recipient in asked.success),
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        *fields,
        "",
        f"--{boundary}",
        f"Content-Type: {'message/rfc822' if asked.whole else 'text/rfc822-headers'}",
        "",
        "",
    ]
    returned = raw if asked.whole else raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    return "\r\n".join(head).encode("ascii", "replace") + returned + f"\r\n--{boundary}--\r\n".encode()


def _from_xtext(text: str) -> str:
    plain = re.sub(r"\+([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), text)
    return "".join(c for c in plain if " " <= c <= "~")
