"""What a room and its mailbox tell each other, wired: read, answered, filed; here and elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from colloque.bot_service import Parts
from colloque.config import MssanteConfig
from colloque.mail.access import Way
from colloque_mssante.budget import Budget
from colloque_mssante.elsewhere import Elsewhere
from colloque_mssante.filing import Filing
from colloque_mssante.handled import Handled
from colloque_mssante.known import Known
from colloque_mssante.outbox import Outbox
from colloque_mssante.reading import Reading
from colloque_mssante.receipts import Receipts
from colloque_mssante.store_flags import FlagMarks
from colloque_mssante.store_mails import Mails
from colloque_mssante.store_reading import Reads


@dataclass(frozen=True, slots=True)
class Keeping:
    """From the room to the mailbox (`reading`, then `filing`), and back (`elsewhere`)."""

    reading: Reading
    filing: Filing
    elsewhere: Elsewhere


def open_keeping(
    *,
    config: MssanteConfig,
    imap: Way,
    parts: Parts,
    known: Known,
    handled: Handled,
    budget: Budget,
    mails: Mails,
    outbox: Outbox,
    secret: bytes,
    sent: Callable[[], None],
) -> Keeping:
    """All of it, on the service's parts. `sent` is called when something changed in the outbox."""
    reads = Reads(parts.db, parts.clock)
    receipts = Receipts(
        config=config,
        authors=known.authors,
        outbox=outbox,
        whitelisted=known.directory.whitelisted,
        clock=parts.clock,
        secret=secret,
    )
    filing = Filing(
        server=imap,
        outbox=outbox,
        mails=mails,
        reads=reads,
        receipts=receipts,
        handled=handled,
        budget=budget,
        credentials=known.credentials,
        choices=known.choices,
        clock=parts.clock,
        sent=sent,
    )
    return Keeping(
        Reading(home=parts.home, reads=reads, mails=mails),
        filing,
        Elsewhere(home=parts.home, reads=reads, marks=FlagMarks(parts.db), clock=parts.clock),
    )
