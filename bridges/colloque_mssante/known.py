"""What the bridge knows of people and mailboxes: who is verified, who holds what, who may write from where."""

from __future__ import annotations

from dataclasses import dataclass

from colloque.book import AttestationBook
from colloque.bot_service import Parts
from colloque.directory.lookup import Directory
from colloque_mssante.authors import Authors
from colloque_mssante.credentials import Credentials
from colloque_mssante.store_choices import Choices
from colloque_mssante.teams import Teams


@dataclass(frozen=True, slots=True)
class Known:
    """One instance a process."""

    book: AttestationBook
    directory: Directory
    credentials: Credentials
    choices: Choices
    teams: Teams
    authors: Authors


async def open_known(parts: Parts, book: AttestationBook, directory: Directory, credentials: Credentials) -> Known:
    """All of it, as the database has it."""
    choices, teams = Choices(parts.db, parts.clock), Teams(parts.db, book, parts.clock)
    await choices.load()
    await teams.load()
    authors = Authors(
        book=book, directory=directory, credentials=credentials, choices=choices, teams=teams, clock=parts.clock
    )
    return Known(book, directory, credentials, choices, teams, authors)
