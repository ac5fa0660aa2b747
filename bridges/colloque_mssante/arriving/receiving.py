"""From the inbox into rooms, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Callable

from colloque.bot_service import Parts
from colloque_mssante.access.known import Known
from colloque_mssante.access.notices import Notices
from colloque_mssante.arriving.delivery import Delivery
from colloque_mssante.arriving.inbound import Inbound
from colloque_mssante.arriving.quiet import Quiet
from colloque_mssante.arriving.scanning import Scanning
from colloque_mssante.arriving.twins import Twins
from colloque_mssante.mailboxes.giving_up import GivingUp
from colloque_mssante.mapping.store_talk import Sayings
from colloque_mssante.mapping.threads import Threads
from colloque_mssante.people.conversations import Conversations
from colloque_mssante.people.ghosts import Ghosts
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.mails import Mails, Uploads
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.reading import Reads
from colloque_mssante.store.sending import Sending


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
        sending=Sending(parts.db, parts.clock),
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
