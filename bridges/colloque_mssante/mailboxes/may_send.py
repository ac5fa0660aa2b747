"""Whether a mail that stands in the outbox may still leave: much may change in the two days for which it is tried."""

from __future__ import annotations

from colloque.errors import Inconsistent, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque_mssante.access.authors import Authors
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.rules.sends import ROOM, Send


def check_writer(send: Send, authors: Authors, credentials: Credentials) -> None:
    """What people wrote leaves while they may write from there. Raises Refused (`sends.Send.status`), Temporary."""
    if send.caller != ROOM or send.owner is None:
        return
    try:
        _check(send.owner, send.sender, authors, credentials)
    except (NotFound, Inconsistent):
        raise Temporary("the directory does not say whose the mailbox is") from None


def _check(writer: UserId, mailbox: MssanteAddress, authors: Authors, credentials: Credentials) -> None:
    try:
        authors.name(writer)
    except Refused:
        raise Refused("not_attested") from None
    try:
        authors.sender(writer, mailbox)
    except Refused as refusal:
        if refusal.reason == "mailbox_off":
            raise Refused("mailbox_off") from None
        if authors.unlisted(writer):
            raise Temporary("the directory does not list its writer today") from None
        # Nothing opens it, or it is not theirs any more.
        raise Refused("login" if credentials.of(mailbox) is None else "not_yours") from None
