"""The mail half, wired: reads mailboxes into the inbox, sends what the outbox holds, tells mailboxes what was read.

It knows no room, and meets the half that does in tables alone; what it is handed to wake it with only saves time.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mautrix.util.async_db import Database

from colloque.clock import Clock
from colloque.config import MssanteConfig
from colloque.mail.access import Way
from colloque.mail.discovery import Discovery
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque_mssante.access.known import Known
from colloque_mssante.access.notices import Notes
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.elsewhere import Elsewhere
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.mailboxes.filing import Filing
from colloque_mssante.mailboxes.giving_up import GivingUp
from colloque_mssante.mailboxes.heart import Heart
from colloque_mssante.mailboxes.presence import Presence
from colloque_mssante.mailboxes.receipts import Receipts
from colloque_mssante.mailboxes.sender import Sender
from colloque_mssante.mailboxes.watch import Watcher
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.flags import FlagMarks
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.mails import Mails
from colloque_mssante.store.originals import Originals
from colloque_mssante.store.outbox import Outbox
from colloque_mssante.store.presence import Seeking
from colloque_mssante.store.reading import Reads


@dataclass(frozen=True, slots=True)
class Bells:
    """How the other half learns at once what it would find in its tables a moment later."""

    fetched: Callable[[], None]
    """Something stands in the inbox."""
    moved: Callable[[], None]
    """The state of a mail on its way out changed."""
    noted: Callable[[], None]
    """Something happened to a mail elsewhere."""


@dataclass(frozen=True, slots=True)
class MailHalf:
    """One instance a process."""

    watcher: Watcher
    sender: Sender
    filing: Filing
    presence: Presence
    leases: Leases
    heart: Heart

    @property
    def works(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs for ever, by name."""
        return self.heart.works | {
            "outbox": self.sender.run,
            "copies": self.filing.run,
            "originals": self.presence.run,
            "mailboxes": self.watcher.run,
        }

    async def settle(self) -> None:
        """At start: what a crash left open."""
        self.watcher.settle()
        await self.sender.settle()


def open_mail_half(
    *,
    config: MssanteConfig,
    folder: Path,
    weights: Weights,
    db: Database,
    journal: Journal,
    known: Known,
    clock: Clock,
    bells: Bells,
    name: str,
) -> MailHalf:
    """All of it. `name`: what no other living process is called (see `leases`); of a worker, its number.

    `folder` is this process's own: a worker need not be able to open the bridge's (`config.state_dir`).
    `weights` is shared with the other half, where that is in the same process.
    """
    budget, leases = Budget(config.budget.share(config.workers or 1)), Leases(db, name)
    outbox, inbox, mails, reads = Outbox(db, clock), Inbox(db, clock), Mails(db, clock), Reads(db, clock)
    discovery = Discovery()
    imap = Way(config.imap, discovery)
    incidents, notes, originals = Incidents(db, clock), Notes(db), Originals(db)
    sender = Sender(
        server=Way(config.smtp, discovery),
        outbox=outbox,
        budget=budget,
        leases=leases,
        credentials=known.credentials,
        authors=known.authors,
        incidents=incidents,
        journal=journal,
        keys=RoomKeys(db),
        clock=clock,
        changed=bells.moved,
    )

    def sent() -> None:
        sender.wake()
        bells.moved()

    receipts = Receipts(
        config=config,
        authors=known.authors,
        outbox=outbox,
        whitelisted=known.directory.whitelisted,
        clock=clock,
        # Their ids need to be alike for nobody: the first receipt that is queued for a mail is the only one.
        secret=secrets.token_bytes(32),
    )
    filing = Filing(
        server=imap,
        outbox=outbox,
        mails=mails,
        reads=reads,
        receipts=receipts,
        originals=originals,
        budget=budget,
        leases=leases,
        credentials=known.credentials,
        choices=known.choices,
        folder=folder,
        clock=clock,
        sent=sent,
    )
    watcher = Watcher(
        imap=imap,
        poll_s=config.poll_s,
        wanted=known.wanted,
        credentials=known.credentials,
        mailboxes=Mailboxes(db, clock),
        inbox=inbox,
        teams=known.teams,
        budget=budget,
        leases=leases,
        elsewhere=Elsewhere(reads=reads, marks=FlagMarks(db), clock=clock, noted=bells.noted),
        fetching=Fetching(folder, weights),
        giving_up=GivingUp(inbox=inbox, notes=notes, teams=known.teams, incidents=incidents, journal=journal),
        incidents=incidents,
        notes=notes,
        journal=journal,
        clock=clock,
        fetched=bells.fetched,
    )
    seeking = Seeking(db)
    presence = Presence(
        server=imap,
        seeking=seeking,
        budget=budget,
        leases=leases,
        credentials=known.credentials,
        choices=known.choices,
    )
    heart = Heart(
        leases=leases,
        watcher=watcher,
        sender=sender,
        filing=filing,
        known=known,
        outbox=outbox,
        reads=reads,
        originals=originals,
        seeking=seeking,
        presence=presence,
        alone=not config.workers,
    )
    return MailHalf(watcher, sender, filing, presence, leases, heart)
