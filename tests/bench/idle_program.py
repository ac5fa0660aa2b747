"""The bridge's readers alone, without Synapse: `python -m tests.bench.idle_program FOLDER`.

All of the mail half is the product's (`colloque_mssante.mailboxes.mailing`). Left out is what an inbox is emptied by:
a line on standard output says which mailbox a mail came to, and when.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from mautrix.util.async_db import Database

from colloque import logs
from colloque.book import AttestationBook
from colloque.clock import SystemClock, monotonic, to_millis
from colloque.config_mssante import BudgetConfig, MailSideConfig, MssanteConfig
from colloque.directory.open import open_directory
from colloque.identity import MssanteAddress
from colloque.limits import raise_file_limit
from colloque.mail.revocation_check import Revocation
from colloque.store.journal import Journal
from colloque.store.schema import new_upgrades, open_database, transaction
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.known import open_known
from colloque_mssante.mailboxes.mailing import Bells, open_mail_half
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.tables import register_upgrades
from tests.waiting import until

KEY = b"k" * 32
_OPEN_S = 900.0
_POLL_S = 600.0
"""Between two probes: RFC 2177 asks for one in 29 minutes."""


async def run(folder: Path) -> None:
    """Read every mailbox that `folder` names, for ever; a line when all are open."""
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    clock, upgrades = SystemClock(), new_upgrades()
    register_upgrades(upgrades)
    db = await open_database(f"sqlite:{folder}/bridge.db", upgrades, "colloque_mssante")
    directory = open_directory(folder / "directory.sqlite", clock)
    credentials = Credentials(folder / "mailboxes.yaml", Revocation(folder / "revocation", clock))
    book, service = AttestationBook(folder / "snapshot", KEY), MssanteAddress("colloque@hopital.mssante.test")
    known = await open_known(db, clock, book, directory, credentials, service=service)
    server = MailSideConfig(Path(told["ca"]), told["host"], told["port"])
    budget = BudgetConfig(connections=len(told["addresses"]) + 1, logins_per_minute=100_000)
    config = SimpleNamespace(imap=server, smtp=server, poll_s=_POLL_S, budget=budget, workers=0)
    fetched = asyncio.Event()
    half = open_mail_half(
        weights=Weights(),
        folder=folder,
        config=cast("MssanteConfig", config),
        db=db,
        journal=Journal.open(folder / "journal", clock),
        known=known,
        clock=clock,
        bells=Bells(fetched=fetched.set, moved=_nobody, noted=_nobody),
        name="bench",
    )
    logs.setup("idle", "WARNING")
    await _as_known(db, told["addresses"])
    works = [asyncio.ensure_future(work()) for work in half.works.values()]
    mailboxes = Mailboxes(db, clock)

    async def all_open() -> bool:
        for work in works:
            if work.done():
                await work
        return list((await mailboxes.states()).values()).count("ok") == len(told["addresses"])

    await until(all_open, "every mailbox open", within=_OPEN_S)
    print("ready", monotonic(), flush=True)
    await asyncio.gather(_say(db, fetched), *works)


async def _say(db: Database, fetched: asyncio.Event) -> None:
    """What came, for ever: at the moment in which the other half is woken."""
    while True:
        await fetched.wait()
        at = monotonic()
        fetched.clear()
        rows: list[Any] = await db.fetch("SELECT mailbox, uid FROM inbox")
        for row in rows:
            await db.execute("DELETE FROM inbox WHERE mailbox = $1 AND uid = $2", row["mailbox"], row["uid"])
            print("seen", row["mailbox"], at, flush=True)


def _nobody() -> None:
    """There is no other half."""


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
