"""An outside mail program: reads and sends over STARTTLS with the standard library, trusting one CA."""

from __future__ import annotations

import email
import email.policy
import imaplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Self

TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class MailProgram:
    """One mailbox. `mail` is the section of that name of the demo's `access.json`."""

    mail: dict[str, Any]
    address: str
    password: str

    @classmethod
    def of(cls, access: dict[str, Any], address: str) -> Self:
        """The mailbox of that address, as `access.json` lists it."""
        password = next(m["password"] for m in access["mail"]["mailboxes"] if m["address"] == address)
        return cls(access["mail"], address, password)

    @property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.mail["ca"])

    def inbox(self, folder: str = "INBOX") -> list[EmailMessage]:
        """Every mail in the inbox (or another folder), oldest first; nothing is marked as read."""
        return self._found(folder, "ALL")

    def newer(self, folder: str, uid: int) -> tuple[int, list[tuple[int, EmailMessage]]]:
        """The folder's UIDVALIDITY, and every mail above that UID with its own, lowest first."""
        with self._opened() as imap:
            imap.select(folder, readonly=True)
            _, validity = imap.response("UIDVALIDITY")
            _, found = imap.uid("SEARCH", "UID", f"{uid + 1}:*")
            # "N:*" holds the last mail whatever N is (RFC 9051, sequence-set).
            uids = [int(one) for one in (found[0] or b"").split() if int(one) > uid]
            return int(validity[0]), [(one, self._fetch(imap, str(one))) for one in sorted(uids)]

    def flagged(self, key: str) -> list[EmailMessage]:
        """Mails of the inbox that an IMAP search key finds, e.g. `ANSWERED`."""
        return self._found("INBOX", key)

    def create(self, folder: str) -> None:
        """Make a folder, if it is not there."""
        with self._opened() as imap:
            imap.create(folder)

    def append(self, raw: bytes, internal_date: str) -> None:
        """Put a mail there that was received earlier."""
        with self._opened() as imap:
            imap.append("INBOX", "", internal_date, raw)

    def mark(self, message_id: str, flag: str) -> None:
        """What reading or answering in this program does."""
        with self._opened() as imap:
            imap.select("INBOX")
            _, found = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
            imap.uid("STORE", found[0].decode(), "+FLAGS", f"({flag})")

    def _found(self, folder: str, key: str) -> list[EmailMessage]:
        with self._opened() as imap:
            imap.select(folder, readonly=True)
            _, found = imap.uid("SEARCH", key)
            uids = found[0].split() if found and found[0] else []
            return [self._fetch(imap, uid.decode()) for uid in uids]

    @contextmanager
    def _opened(self) -> Iterator[imaplib.IMAP4]:
        imap = imaplib.IMAP4(self.mail["imap"]["host"], self.mail["imap"]["port"], timeout=TIMEOUT_S)
        try:
            imap.starttls(self._trust)
            imap.login(self.address, self.password)
            yield imap
        finally:
            imap.logout()

    def _fetch(self, imap: imaplib.IMAP4, uid: str) -> EmailMessage:
        _, parts = imap.uid("FETCH", uid, "(BODY.PEEK[])")
        raw = next(part[1] for part in parts if isinstance(part, tuple))
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def send(self, message: EmailMessage, *to: str) -> None:
        """Submit as this mailbox."""
        smtp = smtplib.SMTP(self.mail["smtp"]["host"], self.mail["smtp"]["port"], timeout=TIMEOUT_S)
        try:
            smtp.starttls(context=self._trust)
            smtp.login(self.address, self.password)
            smtp.send_message(message, self.address, list(to))
        finally:
            smtp.quit()

    def write(self, to: str, subject: str, text: str, *, message_id: str, in_reply_to: str = "") -> None:
        """Send a plain text."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.address, to, subject
        message["Message-ID"] = message_id
        if in_reply_to:
            message["In-Reply-To"] = message["References"] = in_reply_to
        message.set_content(text)
        self.send(message, to)


def text_of(message: EmailMessage) -> str:
    """The plain text of a mail; empty when it has none."""
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""
