"""`Outgoing` to the bytes that leave (RFC 5322, 2045).

The same value always gives the same bytes; nothing can inject a header.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from colloque.errors import BadInput
from colloque.mail.message import NAME_LIMIT, SUBJECT_LIMIT, Attachment, Outgoing, Party, one_line
from colloque.mail.parties import is_address
from colloque.mail.threading import bounded

_ID = re.compile(r"<[!-;=?-~]{1,900}>\Z")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}\Z")
_PLAIN_VALUE = re.compile(r"[ -~]{1,900}\Z")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+\Z")
_OURS = {
    "message-id", "in-reply-to", "references", "date", "from", "to", "cc", "bcc", "subject", "x-mss-nil",
    "mime-version", "content-type", "content-transfer-encoding", "content-disposition", "return-path", "sender",
}  # fmt: skip
_LINE = 76


def message_id(key: bytes, seed: str, domain: str) -> str:
    """`<hmac@domain>`: the same for the same `seed` (an event id), which it does not reveal."""
    return f"<{_mac(key, 'message-id', seed)}@{domain}>"


def envid(key: bytes, seed: str) -> str:
    """The envelope id (RFC 3461) under which DSNs will speak of the mail; 40 hex digits."""
    return _mac(key, "envid", seed)


def _mac(key: bytes, use: str, seed: str) -> str:
    return hmac.new(key, f"{use}\0{seed}".encode(), hashlib.sha256).hexdigest()[:40]


def encoded_size(count: int) -> int:
    """Bytes that an attachment of `count` bytes takes in the mail: base64 lines and their ends, without its headers."""
    lines, rest = divmod(count, 57)
    return lines * 78 + (4 * -(-rest // 3) + 2 if rest else 0)


def compose(mail: Outgoing) -> bytes:
    """Write the mail. Raises BadInput when an address, an id, the NIL or an extra header can't stand in a header."""
    return _head(mail) + _body(mail)


def compose_receipt(mail: Outgoing, *, reader: str, product: str) -> bytes:
    """An MDN (RFC 8098) that says that `reader`, an address, was shown the mail that `mail` answers.

    Raises BadInput as `compose`, and when `mail` answers none.
    """
    if mail.in_reply_to is None or not is_address(reader):
        raise BadInput("a receipt names a mail and its reader")
    fields = (
        f"Reporting-UA: {one_line(product, NAME_LIMIT).encode('ascii', 'replace').decode()}",
        f"Final-Recipient: rfc822; {reader}",
        f"Original-Message-ID: {_id(mail.in_reply_to)}",
        "Disposition: manual-action/MDN-sent-automatically; displayed",
    )
    words = EmailMessage(policy=SMTP)
    words.set_content(mail.text.encode("utf-8", "replace").decode(), cte="quoted-printable")
    del words["MIME-Version"]
    boundary = _boundary(mail)
    parts = (words.as_bytes(), b"Content-Type: message/disposition-notification\r\n\r\n" + _lines(fields))
    report = f'Content-Type: multipart/report; report-type=disposition-notification; boundary="{boundary}"'
    opening = _lines(("MIME-Version: 1.0", report, ""))
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return _head(mail) + opening + body + f"--{boundary}--\r\n".encode()


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _boundary(mail: Outgoing, use: str = "") -> str:
    """Quoted-printable and base64 never hold "=_": it can't occur inside a part."""
    return "=_" + hashlib.sha256(f"{mail.message_id}{use}".encode()).hexdigest()[:32]


def _head(mail: Outgoing) -> bytes:
    if not mail.to:
        raise BadInput("a mail needs a recipient")
    if mail.date.tzinfo is None:
        raise BadInput("a mail's date needs a time zone")
    head = [
        f"Message-ID: {_id(mail.message_id)}",
        f"Date: {format_datetime(mail.date)}",
        _folded("From", _parties([mail.sender])),
        _folded("To", _parties(mail.to)),
    ]
    if mail.cc:
        head.append(_folded("Cc", _parties(mail.cc)))
    head.append(_folded("Subject", _subject(mail.subject)))
    if mail.in_reply_to:
        head.append(f"In-Reply-To: {_id(mail.in_reply_to)}")
    if mail.references:
        head.append(_folded("References", [_id(r) for r in bounded(mail.references)]))
    head.append(f"X-MSS-NIL: {_plain('X-MSS-NIL', mail.nil.strip())}")
    for name, value in mail.extra.items():
        if not _FIELD_NAME.match(name) or name.lower() in _OURS:
            raise BadInput("an extra header's name can't be used")
        head.append(f"{name}: {_plain(name, value)}")
    return "\r\n".join(head).encode("ascii") + b"\r\n"


def _body(mail: Outgoing) -> bytes:
    message = EmailMessage(policy=SMTP)
    text = mail.text.encode("utf-8", "replace").decode()
    message.set_content(text, cte="quoted-printable")
    if mail.html:
        page = f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n{mail.html}\n</body></html>\n'
        message.add_alternative(page.encode("utf-8", "replace").decode(), subtype="html", cte="quoted-printable")
        message.set_boundary(_boundary(mail, "alternative"))
    for item in mail.attachments:
        _attach(message, item)
    if mail.attachments:
        message.set_boundary(_boundary(mail))
    return message.as_bytes()


def _attach(message: EmailMessage, item: Attachment) -> None:
    maintype, _, subtype = item.mime.partition("/")
    if (
        not subtype
        or maintype in {"multipart", "message"}
        or not re.fullmatch(r"[\w.+-]+/[\w.+-]+", item.mime, re.ASCII)
    ):
        maintype, subtype = "application", "octet-stream"
    name = one_line(re.split(r"[/\\]", item.name)[-1], NAME_LIMIT).encode("utf-8", "replace").decode() or "document.bin"
    message.add_attachment(item.data, maintype=maintype, subtype=subtype, filename=name)


def _id(value: str) -> str:
    if not _ID.match(value):
        raise BadInput("a Message-ID is malformed")
    return value


def _plain(name: str, value: str) -> str:
    if not _PLAIN_VALUE.match(value):
        raise BadInput(f"the header {name} is empty or can't be written")
    return value


def _parties(listed: Sequence[Party]) -> list[str]:
    """The words of an address list, commas at their ends."""
    out: list[str] = []
    for rank, party in enumerate(listed, 1):
        if not (is_address(party.address) and party.address.isascii()):
            raise BadInput("a mail address is malformed")
        name = one_line(party.name, NAME_LIMIT)
        if name:
            plain = _QUOTABLE.match(name) and "=?" not in name
            out += f'"{name}"'.split(" ") if plain else _encoded(name)
        address = f"<{party.address}>" if name else party.address
        out.append(address + ("," if rank < len(listed) else ""))
    return out


def _subject(subject: str) -> list[str]:
    text = one_line(subject, SUBJECT_LIMIT)
    plain = text.isascii() and "=?" not in text and all(len(w) <= _LINE for w in text.split(" "))
    return text.split(" ") if plain else _encoded(text)


def _encoded(text: str) -> list[str]:
    """RFC 2047 words, each at most 75 long, no character cut in two."""
    words, piece = [], b""
    for char in text:
        raw = char.encode("utf-8", "replace")
        if len(piece) + len(raw) > 45:
            words.append(piece)
            piece = b""
        piece += raw
    words.append(piece)
    return [f"=?utf-8?b?{base64.b64encode(w).decode()}?=" for w in words]


def _folded(name: str, words: Sequence[str]) -> str:
    """`name: words`, a line break before a word that would pass the line's length."""
    lines = [f"{name}:"]
    for rank, word in enumerate(words):
        if rank and len(lines[-1]) + 1 + len(word) > _LINE:
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines)
