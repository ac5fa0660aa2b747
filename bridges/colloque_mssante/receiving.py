"""From the inbox into rooms, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Callable

from colloque.bot_service import Parts
from colloque_mssante.conversations import Conversations
from colloque_mssante.delivery import Delivery
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.giving_up import GivingUp
from colloque_mssante.inbound import Inbound
from colloque_mssante.known import Known
from colloque_mssante.notices import Notices
from colloque_mssante.outbox import Outbox
from colloque_mssante.quiet import Quiet
from colloque_mssante.scanning import Scanning
from colloque_mssante.store import Mailboxes
from colloque_mssante.store_inbox import Inbox
from colloque_mssante.store_mails import Mails, Uploads
from colloque_mssante.store_reading import Reads
from colloque_mssante.store_talk import Sayings
from colloque_mssante.threads import Threads
from colloque_mssante.twins import Twins
from colloque_mssante.weights import Weights


def open_receiving(
    *,
    parts: Parts,
    known: Known,
    conversations: Conversations,
    ghosts: Ghosts,
    mails: Mails,
    mailboxes: Mailboxes,
    outbox: Outbox,
    scanning: Scanning,
    quiet: Quiet,
    notices: Notices,
    weights: Weights,
    changed: Callable[[], None],
) -> tuple[Inbound, Delivery]:
    """All of it, on the service's parts. `changed` is called when a report changed the state of a mail of ours."""
    inbox = Inbox(parts.db, parts.clock)
    inbound = Inbound(
        db=parts.db,
        inbox=inbox,
        conversations=conversations,
        ghosts=ghosts,
        directory=known.directory,
        mails=mails,
        threads=Threads(parts.db, parts.clock),
        uploads=Uploads(parts.db),
        outbox=outbox,
        scanning=scanning,
        keys=parts.keys,
        journal=parts.journal,
        quiet=quiet,
        twins=Twins(
            db=parts.db,
            inbox=inbox,
            mails=mails,
            outbox=outbox,
            sayings=Sayings(parts.db, parts.clock),
            reads=Reads(parts.db, parts.clock),
            keys=parts.keys,
            journal=parts.journal,
        ),
        only_reports=known.wanted.only_reports,
        changed=changed,
    )
    giving_up = GivingUp(
        inbox=inbox, notes=notices, teams=known.teams, incidents=parts.incidents, journal=parts.journal
    )
    delivery = Delivery(
        db=parts.db,
        inbox=inbox,
        inbound=inbound,
        mailboxes=mailboxes,
        wanted=known.wanted,
        giving_up=giving_up,
        weights=weights,
        clock=parts.clock,
    )
    return inbound, delivery
