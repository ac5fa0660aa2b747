"""What the bridge knows of people and mailboxes: who is verified, who holds what, who may write from where."""

from __future__ import annotations

from dataclasses import dataclass

from mautrix.util.async_db import Database

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.identity import MssanteAddress
from colloque_mssante.access.authors import Authors
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.access.wanted import Wanted
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.choices import Choices


@dataclass(frozen=True, slots=True)
class Known:
    """One instance a process."""

    book: AttestationBook
    directory: Directory
    credentials: Credentials
    choices: Choices
    teams: Teams
    authors: Authors
    wanted: Wanted


async def open_known(
    db: Database,
    clock: Clock,
    book: AttestationBook,
    directory: Directory,
    credentials: Credentials,
    *,
    service: MssanteAddress,
) -> Known:
    """All of it, as the database has it. `service`: our services' own mailbox."""
    choices, teams = Choices(db, clock), Teams(db, book, clock)
    await choices.load()
    await teams.load()
    authors = Authors(
        book=book, directory=directory, credentials=credentials, choices=choices, teams=teams, clock=clock
    )
    wanted = Wanted(
        book=book,
        directory=directory,
        credentials=credentials,
        choices=choices,
        teams=teams,
        clock=clock,
        service=service,
    )
    return Known(book, directory, credentials, choices, teams, authors, wanted)
