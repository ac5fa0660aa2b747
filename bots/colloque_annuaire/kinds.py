"""The kinds of people beyond the professional who proves themselves, and what people say of each other, wired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from colloque.book import AttestationBook
from colloque.bot import Handler
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque_annuaire.blocks import Blocking
from colloque_annuaire.desk import Desk
from colloque_annuaire.naming import Naming
from colloque_annuaire.publish import Publication
from colloque_annuaire.store import People
from colloque_annuaire.store_blocks import Blocks

Round = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Kinds:
    """All of it."""

    blocking: Blocking

    @property
    def commands(self) -> Mapping[str, Handler]:
        """Handlers by command name."""
        return {**self.blocking.table}

    async def settle(self) -> None:
        """At start: what a crash left open."""
        await self.blocking.settle()


def open_kinds(
    *,
    config: Config,
    parts: Parts,
    people: People,
    directory: Directory,
    publication: Publication,
    book: AttestationBook,
    desk: Desk,
) -> Kinds:
    """On the service's parts."""
    naming = Naming(
        config=config, directory=directory, results=desk.results, people=people, book=book, clock=parts.clock
    )
    blocking = Blocking(
        blocks=Blocks(parts.db),
        naming=naming,
        publication=publication,
        book=book,
        journal=parts.journal,
        clock=parts.clock,
    )
    return Kinds(blocking)
