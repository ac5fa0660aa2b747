"""A mailbox as its owner's mail program sees it: the standard library's IMAP and SMTP, none of our own code.

Everything blocks; the scenario calls it in threads.
"""

from __future__ import annotations

import email
import imaplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Postman:
    """The operator's two doors."""

    imap_port: int
    smtp_port: int
    ca: Path
    host: str = "localhost"

    def mails(self, address: str, password: str) -> list[EmailMessage]:
        """Everything in the INBOX, oldest first."""
        with self._inbox(address, password) as imap:
            _, [found] = imap.search(None, "ALL")
            out = []
            for number in found.split():
                _, parts = imap.fetch(number, "(BODY.PEEK[])")
                raw = next(part[1] for part in parts if isinstance(part, tuple))
                message = email.message_from_bytes(raw, policy=SMTP)
                assert isinstance(message, EmailMessage)
                out.append(message)
            return out

    def send(self, address: str, password: str, mail: EmailMessage) -> None:
        """Submit as the mailbox's owner, with its password. Raises smtplib.SMTPException."""
        with smtplib.SMTP(self.host, self.smtp_port, timeout=_TIMEOUT_S) as smtp:
            smtp.starttls(context=self._context())
            smtp.login(address, password)
            smtp.send_message(mail)

    @contextmanager
    def _inbox(self, address: str, password: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(self.host, self.imap_port, timeout=_TIMEOUT_S) as imap:
            imap.starttls(self._context())
            imap.login(address, password)
            imap.select("INBOX", readonly=True)
            yield imap

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))
