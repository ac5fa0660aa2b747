"""What a mail that is forwarded adds to the one that forwards it: its words below, its files beside. Pure."""

from __future__ import annotations

from colloque.mail.message import Attachment
from colloque.mail.mss import shown_subject
from colloque.mail.parse import parse_mail
from colloque_mssante.mapping.targets import shown
from colloque_mssante.texts import writing as texts_writing


def forwarded(raw: bytes) -> tuple[str, tuple[Attachment, ...]]:
    """Words and files. Who else got it is told, but for those whom nobody was to see (Bcc)."""
    mail = parse_mail(raw)
    words = texts_writing.forwarded(
        author=shown(mail.sender),
        to=[shown(party) for party in mail.to],
        cc=[shown(party) for party in mail.cc],
        title=shown_subject(mail.subject),
        at=mail.date,
        words=mail.text,
    )
    return words, mail.attachments
