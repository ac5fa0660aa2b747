"""Mailboxes that open by their holders' word, wired: what `app` needs to know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from colloque.attestation import Kind
from colloque.book import AttestationBook
from colloque.bot_service import Parts
from colloque.clock import Clock
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.identity import MssanteAddress, Rpps, UserId
from colloque.sockets import Client
from colloque_mssante.access.known import Known
from colloque_mssante.access.opening import Opener
from colloque_mssante.access.opening_words import OpeningWords
from colloque_mssante.access.sessions import Sessions
from colloque_mssante.access.token_keeper import KEEPER
from colloque_mssante.store.opening import Openings
from colloque_mssante.store.outbox import Outbox


@dataclass(frozen=True, slots=True)
class OpeningParts:
    """What people say of it, and what follows their sessions."""

    words: OpeningWords
    opener: Opener | None

    async def run(self) -> None:
        """For ever; returns at once where no mailbox opens so."""
        if self.opener is not None:
            await self.opener.run()


def open_sessions(config: Config, directory: Directory, book: AttestationBook, clock: Clock) -> Sessions | None:
    """The keeper as the bridge knows it; None where there is none."""
    if config.mssante.psc is None:
        return None

    def holds(user: UserId, rpps: Rpps) -> bool:
        held = book.of(user, clock.now())
        return held is not None and held.kind is Kind.PROFESSIONAL and held.rpps == rpps

    return Sessions(Client(config.socket(KEEPER), "mssante"), directory, config.mssante.psc_domains, holds)


async def open_opening(
    *,
    parts: Parts,
    known: Known,
    outbox: Outbox,
    states: Callable[[datetime | None], Awaitable[Mapping[MssanteAddress, str]]],
    opened: Callable[[], None],
) -> OpeningParts:
    """All of it, as the database has it. `states` and `opened`: see `Opener`."""
    if (sessions := known.credentials.sessions) is None:
        return OpeningParts(OpeningWords(parts.home, None), None)
    opener = Opener(
        sessions=sessions,
        openings=Openings(parts.db),
        credentials=known.credentials,
        book=known.book,
        directory=known.directory,
        choices=known.choices,
        outbox=outbox,
        home=parts.home,
        rooms=parts.rooms,
        incidents=parts.incidents,
        journal=parts.journal,
        clock=parts.clock,
        states=states,
        opened=opened,
    )
    await opener.load()
    return OpeningParts(OpeningWords(parts.home, opener), opener)
