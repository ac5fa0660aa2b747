"""A mail worker, wired: a process that holds mailboxes, and neither a Matrix key nor a token."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from pathlib import Path

from prometheus_client import Gauge

from colloque.book import AttestationBook, read_secret
from colloque.clock import SystemClock
from colloque.config import Config
from colloque.config_mssante import MssanteConfig
from colloque.directory.open import open_directory
from colloque.errors import ConfigError, Problem
from colloque.mail.revocation_check import Revocation
from colloque.service import Service
from colloque.store.journal import Journal
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.known import open_known
from colloque_mssante.access.opening_parts import open_sessions
from colloque_mssante.mailboxes.ending import Ending
from colloque_mssante.mailboxes.mailing import Bells, open_mail_half
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.tables import register_upgrades

logger = logging.getLogger(__name__)


def worker_folder(own: MssanteConfig, number: int) -> Path:
    """Where a worker keeps its journal; apart from the bridge's own folder, which it need not be able to read."""
    return own.state_dir.with_name(f"{own.state_dir.name}-workers") / str(number)


class MailWorker(Service):
    """Worker `number`, from 1: `mssante.workers` says how many there are."""

    def __init__(self, config: Config, number: int) -> None:
        """Raises ConfigError when there is to be no such worker."""
        if not 1 <= number <= config.mssante.workers:
            raise ConfigError([Problem("mssante.workers", f"says that there is no worker {number}")])
        super().__init__(f"mssante-worker-{number}", config, config.mssante)
        self.port += number
        self._number = number
        self._held = Gauge("colloque_mailboxes_held", "Mailboxes that this worker holds", registry=self.registry)

    async def open(self, stack: AsyncExitStack) -> None:
        """Wait for the worker of that number that may still run, connect everything, then work."""
        config, own, clock = self.config, self.config.mssante, SystemClock()
        folder = worker_folder(own, self._number)
        ending = Ending(self)
        slot = await ending.slot(stack, own.database, folder, self._number)
        upgrades = new_upgrades()
        register_upgrades(upgrades)
        async with slot.door():
            db = await open_database(own.database, upgrades, "colloque_mssante")
        stack.push_async_callback(db.stop)
        journal = Journal.open(folder / "journal.jsonl", clock)
        stack.callback(journal.close)
        directory = open_directory(config.annuaire.directory, clock)
        stack.callback(directory.close)
        book = AttestationBook(config.annuaire.snapshot, read_secret(config.secrets.snapshot))
        sessions = open_sessions(config, directory, book, clock)
        credentials = Credentials(own.mailboxes, Revocation(folder / "revocation", clock), sessions)
        known = await open_known(db, clock, book, directory, credentials, service=own.sender)
        half = open_mail_half(
            config=own,
            folder=folder,
            weights=Weights(),
            db=db,
            journal=journal,
            known=known,
            clock=clock,
            bells=Bells(fetched=_nobody, moved=_nobody, noted=_nobody),
            name=str(self._number),
        )
        ending.half = half
        if sessions is not None:
            await sessions.update()
            self.spawn_endless("sessions", sessions.run)
            self.check("keeper", lambda: sessions.problem)
        await half.settle()
        self._held.set_function(lambda: half.leases.count)
        self.check("journal", lambda: "journal.broken" if journal.problem else "")
        self.check("credentials", lambda: credentials.problem)
        self.check("attestations", lambda: "attestations.unusable" if book.problem else "")
        self.check("leases", lambda: "" if half.leases.lives else "database.unavailable")
        for name, work in half.works.items():
            self.spawn_endless(name, work)


def _nobody() -> None:
    """Who is to be woken looks into the tables by itself, each second."""
