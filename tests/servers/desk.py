"""Searching and contacting over a directory by hand and a real store."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from colloque.attestation import Attestation, Method, snapshot
from colloque.book import AttestationBook
from colloque.clock import FrozenClock
from colloque.commands import Call, parse
from colloque.config import Config
from colloque.config_load import load
from colloque.directory.lookup import AgeRules
from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.matrix.home import Incoming
from colloque.professional import Mailbox, MailboxKind
from colloque.snapshot import SnapshotWriter
from colloque.store.journal import Journal
from colloque.store.schema import open_database
from colloque_annuaire.finding.contact import Contacting
from colloque_annuaire.finding.direct import Direct
from colloque_annuaire.finding.finding import Finding
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import Results
from colloque_annuaire.store.tables import annuaire_upgrades
from colloque_annuaire.store.vouching import Vouches
from tests.servers.annuaire import MADE_AT, Shelf, activity, doctor, per

CONFIG: Config = load(Path(__file__).parents[2] / "deploy" / "config.sample.yaml")
SERVER = CONFIG.homeserver.server_name
ASKER, OTHER = UserId(f"@asker:{SERVER}"), UserId(f"@other:{SERVER}")
HOME = RoomId("!home")
EVENTS = itertools.count()
KEY = b"k" * 32

SELF = doctor(1, "DURAND", "Zoé", activity("METZ"))
ON_COLLOQUE = doctor(2, "MARTIN", "Anne", activity("NANCY", "CHRU DE NANCY"), mail=("anne@m.mssante.test",))
TWIN = doctor(3, "MARTIN", "Anne", activity("NANCY", "CLINIQUE DU PARC"), mail=("martin@m.mssante.test",))
ALONE = doctor(4, "O'NEIL", "Paul", activity("METZ"))
CROWD = [doctor(n, f"PETIT{n:03d}", "Léa", activity("TOUL")) for n in range(10, 23)]
SHARED = Mailbox(MssanteAddress("service@chu.mssante.test"), MailboxKind.ORG, "CHRU DE NANCY")
DISPUTED = per("disputed@m.mssante.test", None)


def said(body: str, sender: UserId = ASKER, event: str = "", **content: Any) -> Incoming:
    return Incoming(
        room=HOME,
        event=EventId(event or f"$e{next(EVENTS)}"),
        sender=sender,
        sent_at=MADE_AT,
        type="m.room.message",
        content={"msgtype": "m.text", "body": body} | content,
        encrypted=True,
        device_signed=True,
    )


@dataclass
class Desk:
    """Both halves over one shelf and one real store."""

    finding: Finding
    contacting: Contacting
    shelf: Shelf
    results: Results
    journal: Path
    clock: FrozenClock

    async def tell(self, body: str, sender: UserId = ASKER, event: str = "", **content: Any) -> str:
        """The answer to one command."""
        answers: list[str] = []

        async def reply(body: str, html: str | None = None) -> EventId:
            answers.append(body)
            return EventId("$answer")

        call, message = parse(body), said(body, sender, event, **content)
        if isinstance(call, Call):
            handlers = {
                "chercher": self.finding.search,
                "suite": self.finding.more,
                "qui": self.finding.who,
                "contacter": self.contacting.contact,
            }
            await handlers[call.command.name](call, message, reply)
        elif not await self.contacting.answers(message, reply):
            answers.append("(no command)")
        [answer] = answers
        return answer


@asynccontextmanager
async def standing(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Desk]:
    """Two verified people, and some who are not."""
    database = await open_database(f"sqlite:{tmp_path}/a.db", annuaire_upgrades(), "colloque_annuaire")
    people, results = People(database), Results(database)
    now = clock.now()
    held = [
        Attestation(user, person.rpps, person.display_name, Method.MAILBOX_CODE, now, now + timedelta(days=9))  # type: ignore[arg-type]
        for user, person in ((ASKER, SELF), (OTHER, ON_COLLOQUE))
    ]
    for attestation in held:
        await people.attest(attestation, EventId(f"$a{attestation.user}"))
    SnapshotWriter(tmp_path / "snapshot", KEY).publish(snapshot(1, now, held))
    book = AttestationBook(tmp_path / "snapshot", KEY)
    shelf = Shelf(SELF, ON_COLLOQUE, TWIN, ALONE, *CROWD, others=[SHARED, DISPUTED])
    journal = Journal.open(tmp_path / "journal.jsonl", clock)
    ages = AgeRules()
    finding = Finding(
        config=CONFIG,
        directory=shelf,
        slow=shelf,
        ages=ages,
        results=results,
        people=people,
        vouches=Vouches(database),
        book=book,
        clock=clock,
    )
    contacting = Contacting(
        directory=shelf,
        ages=ages,
        results=results,
        direct=cast("Direct", None),  # no room is opened here
        book=book,
        journal=journal,
        clock=clock,
    )
    try:
        yield Desk(finding, contacting, shelf, results, tmp_path / "journal.jsonl", clock)
    finally:
        journal.close()
        await database.stop()
