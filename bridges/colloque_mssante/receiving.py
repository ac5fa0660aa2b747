"""Reading mailboxes, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Callable

from colloque.bot_service import Parts
from colloque.config import MssanteConfig
from colloque.mail.access import Way
from colloque_mssante.budget import Budget
from colloque_mssante.conversations import Conversations
from colloque_mssante.elsewhere import Elsewhere
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.inbound import Inbound
from colloque_mssante.known import Known
from colloque_mssante.notices import Notices
from colloque_mssante.outbox import Outbox
from colloque_mssante.quiet import Quiet
from colloque_mssante.scanning import Scanning
from colloque_mssante.store import Mailboxes
from colloque_mssante.store_mails import Mails, Uploads
from colloque_mssante.threads import Threads
from colloque_mssante.watch import Watcher


def open_receiving(
    *,
    config: MssanteConfig,
    imap: Way,
    parts: Parts,
    known: Known,
    budget: Budget,
    conversations: Conversations,
    ghosts: Ghosts,
    mails: Mails,
    outbox: Outbox,
    scanning: Scanning,
    quiet: Quiet,
    elsewhere: Elsewhere,
    notices: Notices,
    changed: Callable[[], None],
) -> tuple[Inbound, Watcher]:
    """All of it, on the service's parts. `changed` is called when a report changed the state of a mail of ours."""
    inbound = Inbound(
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
        changed=changed,
    )
    watcher = Watcher(
        imap=imap,
        poll_s=config.poll_s,
        book=known.book,
        directory=known.directory,
        credentials=known.credentials,
        mailboxes=Mailboxes(parts.db, parts.clock),
        choices=known.choices,
        teams=known.teams,
        budget=budget,
        inbound=inbound,
        elsewhere=elsewhere,
        incidents=parts.incidents,
        notices=notices,
        journal=parts.journal,
        clock=parts.clock,
    )
    return inbound, watcher
