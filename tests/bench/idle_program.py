"""The bridge's readers alone, without Synapse: `python -m tests.bench.idle_program FOLDER`.

Everything that keeps a mailbox open is the product's (watcher, client, budget, database, journal, directory, flags seen
elsewhere). Left out is what a mail goes into: a line on standard output says which mailbox it came to, and when.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque import logs
from colloque.book import AttestationBook
from colloque.clock import SystemClock, monotonic, to_millis
from colloque.config_mssante import BudgetConfig, MailSideConfig
from colloque.directory.open import open_directory
from colloque.mail.access import Way
from colloque.mail.revocation_check import Revocation
from colloque.service import raise_file_limit
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.schema import new_upgrades, open_database, transaction
from colloque_mssante.budget import Budget
from colloque_mssante.credentials import Credentials
from colloque_mssante.elsewhere import Elsewhere
from colloque_mssante.inbound import Inbound
from colloque_mssante.store import Mailboxes, Place
from colloque_mssante.store_choices import Choices
from colloque_mssante.store_flags import FlagMarks
from colloque_mssante.store_reading import Reads
from colloque_mssante.tables import register_upgrades
from colloque_mssante.teams import Teams
from colloque_mssante.watch import Watcher
from tests.waiting import until

KEY = b"k" * 32
_OPEN_S = 900.0
_POLL_S = 600.0
"""Between two probes: RFC 2177 asks for one in 29 minutes."""


class Seen(Inbound):
    """Says what came."""

    def __init__(self) -> None:
        """Needs nothing of what rooms need."""

    async def deliver(self, place: Place, raw: bytes) -> None:
        """See the module."""
        assert raw
        print("seen", place.box.address.value, monotonic(), flush=True)


async def run(folder: Path) -> None:
    """Read every mailbox that `folder` names, for ever; a line when all are open."""
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    clock, upgrades = SystemClock(), new_upgrades()
    register_upgrades(upgrades)
    db = await open_database(f"sqlite:{folder}/bridge.db", upgrades, "colloque_mssante")
    book = AttestationBook(folder / "snapshot", KEY)
    nothing = cast("Any", None)
    watcher = Watcher(
        imap=Way(MailSideConfig(Path(told["ca"]), told["host"], told["port"])),
        poll_s=_POLL_S,
        book=book,
        directory=open_directory(folder / "directory.sqlite", clock),
        credentials=Credentials(folder / "mailboxes.yaml", Revocation(folder / "revocation", clock)),
        mailboxes=Mailboxes(db, clock),
        choices=Choices(db, clock),
        teams=Teams(db, book, clock),
        budget=Budget(BudgetConfig(connections=len(told["addresses"]) + 1, logins_per_minute=100_000)),
        inbound=Seen(),
        elsewhere=Elsewhere(home=nothing, reads=Reads(db, clock), marks=FlagMarks(db), clock=clock),
        incidents=Incidents(db, clock),
        notices=nothing,
        journal=Journal.open(folder / "journal", clock),
        clock=clock,
    )
    logs.setup("idle", "WARNING")
    await _as_known(db, told["addresses"])
    working = asyncio.create_task(watcher.run())

    async def all_open() -> bool:
        if working.done():
            await working
        return list(watcher.states.values()).count("ok") == len(told["addresses"])

    await until(all_open, "every mailbox open", within=_OPEN_S)
    print("ready", monotonic(), flush=True)
    await working


async def _as_known(db: Database, addresses: list[str]) -> None:
    """As after a restart: each has a cursor. (What a first visit writes is waited for by the disk, one by one.)"""
    async with transaction(db):
        for number, address in enumerate(addresses):
            await db.execute(
                "INSERT INTO mailbox (address, owner, since, uidvalidity, uid) VALUES ($1, $2, $3, 1, 0)",
                address,
                f"@p{number}:h.test",
                to_millis(SystemClock().now()) - 60_000,
            )


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(run(Path(sys.argv[1])))
