"""The kinds of people on a real store, journal and snapshot, with a directory by hand: a fixture, `ward`.

The service may be killed before any of its steps, and started again on what it left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Change, Method, Servers
from colloque.book import AttestationBook
from colloque.bot import Handler
from colloque.clock import FrozenClock
from colloque.commands import Call, parse
from colloque.directory.lookup import AgeRules
from colloque.identity import EventId, UserId
from colloque.rights import Rights
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.accounts.naming import Naming
from colloque_annuaire.accounts.partners import Partners
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.entering.coming_in import ComingIn
from colloque_annuaire.finding.confirming import Confirming
from colloque_annuaire.kinds.blocks import Blocking
from colloque_annuaire.kinds.staff import Around as StaffAround
from colloque_annuaire.kinds.staff import Staff
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.proving.attesting import Attesting, Validity
from colloque_annuaire.store.asking import Asking
from colloque_annuaire.store.blocks import Blocks
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry import Links, Passes
from colloque_annuaire.store.entry_sessions import Visits
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proofs
from colloque_annuaire.store.results import Results
from colloque_annuaire.store.staff import StaffRows
from colloque_annuaire.store.tables import annuaire_upgrades
from colloque_annuaire.store.vouching import Vouches
from colloque_annuaire.vouching.introducing import Introducing
from colloque_annuaire.vouching.vouching import Around, Vouching
from tests.servers.annuaire import rpps
from tests.servers.databases import Opener
from tests.servers.dispatch import CONFIG, SERVER
from tests.servers.side_parts import Fresh
from tests.servers.ward_parts import BEGIN, EVENTS, Hall, Mails, said, user

KEY = b"k" * 32


class Ward:
    """The service's parts."""

    def __init__(self, tmp: Path, db: Database) -> None:
        self.tmp, self.db = tmp, db
        self.clock = FrozenClock(BEGIN)
        self.directory = Fresh(self.clock)
        self.people, self.results, self.incidents = People(db), Results(db), Incidents(db, self.clock)
        self.server, self.url = Hall(), "https://c.test"
        self.named: tuple[UserId, ...] = ()
        self.mails = Mails()
        self.servers: Servers | None = None
        self.start()

    def start(self) -> None:
        """As the service does at start; the old process was killed."""
        self.journal = Journal.open(self.tmp / "journal.jsonl", self.clock)
        self.book = AttestationBook(self.tmp / "snapshot", KEY)

        async def more() -> Change:
            return Change(servers=self.servers)

        blocks = Blocks(self.db)
        self.publication = Publication(
            people=self.people,
            names=self.server,
            clock=self.clock,
            path=self.tmp / "snapshot",
            key=KEY,
            directory=self.directory,
            also=[blocks.published, more],
        )
        naming = Naming(
            config=CONFIG,
            directory=self.directory,
            results=self.results,
            people=self.people,
            book=self.book,
            clock=self.clock,
        )
        self.blocking = Blocking(
            blocks=blocks,
            naming=naming,
            publication=self.publication,
            book=self.book,
            journal=self.journal,
            clock=self.clock,
        )

        self.attesting = Attesting(
            people=self.people,
            proofs=Proofs(self.db),
            directory=self.directory,
            publication=self.publication,
            journal=self.journal,
            clock=self.clock,
            ages=AgeRules(),
            validity=Validity(timedelta(days=365), timedelta(days=90)),
            barred=Endings(self.db).barred,
        )
        self.confirming = Confirming(asking=Asking(self.db), results=self.results, book=self.book, clock=self.clock)
        around = Around(
            config=CONFIG,
            people=self.people,
            directory=self.directory,
            attesting=self.attesting,
            mailer=self.mails,
            home=self.server,
            homes=self.server,  # type: ignore[arg-type]
            book=self.book,
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
        )
        self.vouching = Vouching(around, Vouches(self.db), self.confirming)
        self.endings, self.links, passes = Endings(self.db), Links(self.db), Passes(self.db)
        self.accounts = Accounts(
            db=self.db, people=self.people, server=self.server, journal=self.journal, server_name=SERVER
        )
        self.closing = Closing(
            people=self.people,
            endings=self.endings,
            directory=self.directory,
            publication=self.publication,
            server=self.server,
            rooms=self.server,
            partners=Partners(
                endings=self.endings,
                book=self.book,
                home=self.server,
                homes=self.server,  # type: ignore[arg-type]
            ),
            home=self.server,
            homes=self.server,  # type: ignore[arg-type]
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
        )
        coming_in = ComingIn(self.accounts, self.links, passes, Visits(self.db), self.clock, self.url)
        self.introducing = Introducing(
            around,
            vouching=self.vouching,
            vouches=Vouches(self.db),
            confirming=self.confirming,
            coming_in=coming_in,
            results=self.results,
        )
        self.rights = Rights(self.named, self.book, self.clock)
        staffing = StaffAround(
            people=self.people,
            coming_in=coming_in,
            closing=self.closing,
            publication=self.publication,
            homes=self.server,  # type: ignore[arg-type]
            book=self.book,
            rights=self.rights,
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
        )
        self.staff = Staff(staffing, StaffRows(self.db))

    @property
    def table(self) -> Mapping[str, Handler]:
        return {**self.blocking.table, **self.introducing.table, **self.staff.table}

    async def settle(self) -> None:
        await self.publication.snapshot()
        self.confirming.serve(self.table)
        await self.attesting.settle()
        await self.blocking.settle()
        await self.vouching.settle()
        await self.accounts.settle()
        await self.closing.settle()
        await self.staff.settle()

    async def restart(self) -> None:
        self.journal.close()
        self.start()
        await self.settle()

    async def attest(self, *numbers: int, **more: Any) -> None:
        """These are verified from now on, as doctors of the directory."""
        now = self.clock.now()
        for n in numbers:
            base = Attestation(user(n), rpps(n), f"Dr Anne NOM{n}", Method.MAILBOX_CODE, now, now + timedelta(days=365))
            await self.people.saw_account(user(n))
            await self.people.attest(replace(base, **more), EventId(f"$a{n} {next(EVENTS)}"))
        await self.publication.snapshot()

    async def tell(self, who: int | UserId, line: str, event: str = "", **content: Any) -> str:
        """The answer to one line; empty when nobody answers."""
        answers: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            answers.append(body)
            return EventId("$answer")

        message = said(line, user(who) if isinstance(who, int) else who, event, **content)
        call = parse(line)
        if isinstance(call, Call):
            await self.table[call.command.name](call, message, reply)
        else:
            await self.confirming.answers(message, reply)
        return "\n".join(answers)

    def told(self, who: int | UserId) -> list[str]:
        room = f"!{user(who) if isinstance(who, int) else who}"
        return [c["body"] for r, c in self.server.sent.values() if r == room]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """What the journal says of that kind of act."""
        lines = (self.tmp / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@pytest.fixture(name="ward")
async def a_ward(tmp_path: Path, opened: Opener) -> Ward:
    ward = Ward(tmp_path, await opened(annuaire_upgrades(), "colloque_annuaire"))
    await ward.settle()
    return ward
