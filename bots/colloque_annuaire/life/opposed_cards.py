"""At each new directory: who must prove themselves again because their card was opposed. Safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from mautrix.util.async_db import Database

from colloque.attestation import Attestation, Kind
from colloque.clock import Clock, from_millis, to_millis
from colloque.directory.lookup import Freshness
from colloque.errors import HomeRefused, Inconsistent, NotFound
from colloque.identity import Adeli, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.policy.cards import WITHIN, needs_proof
from colloque.policy.renewal import Asked
from colloque.professional import Card
from colloque.store.journal import Journal
from colloque.store.schema import transaction
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.store.people import People
from colloque_annuaire.store.renewing import Renewals
from colloque_annuaire.texts import renewing as texts

log = logging.getLogger(__name__)

ACT = "person.card_opposed"


class Cards(Protocol):
    """What the directory says of cards (`colloque.directory.questions.TableDirectory`)."""

    def cards(self, number: Rpps | Adeli) -> tuple[Card, ...]:
        """Everybody's cards, opposed ones included. Raises NotFound, Inconsistent."""
        ...

    def freshness(self) -> Freshness:
        """Which edition it is. Raises NotFound, Inconsistent."""
        ...


class OpposedCards:
    """One instance a service."""

    def __init__(
        self,
        *,
        db: Database,
        people: People,
        directory: Cards,
        publication: Publication,
        home: Home,
        homes: Homes,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._db = db
        self._renewals = Renewals(db)
        self._people = people
        self._directory = directory
        self._publication = publication
        self._home = home
        self._homes = homes
        self._journal = journal
        self._clock = clock
        self._looked: datetime | None = None

    async def run_once(self) -> None:
        """Look at everybody when the directory is new, then tell who was not told. Raises HomeUnavailable."""
        try:
            edition = (await asyncio.to_thread(self._directory.freshness)).imported_at
            if edition != self._looked:
                await self._look()
                self._looked = edition
        except (NotFound, Inconsistent):
            pass  # No directory, or replaced meanwhile: the next turn looks. Health knows.
        await self._tell()

    async def _look(self) -> None:
        now = self._clock.now()
        _, attestations = await self._people.all_attestations()
        held = [a for a in attestations if a.kind is Kind.PROFESSIONAL and a.is_valid(now)]
        rows = await self._db.fetch("SELECT user_id, until FROM card_asked")
        asked = {UserId(row["user_id"]): from_millis(row["until"]) - WITHIN for row in rows}
        found = await asyncio.to_thread(self._find, held, asked, now)
        for each in found:
            # Ends within a week already: they were told, or are about to be.
            if each.valid_until > now + WITHIN:
                await self._ask(each, now)
        if found:
            await self._publication.snapshot()

    def _find(self, held: Sequence[Attestation], asked: Mapping[UserId, datetime], now: datetime) -> list[Attestation]:
        return [
            a for a in held if needs_proof(self._directory.cards(a.rpps), a.issued_at, now, asked_at=asked.get(a.user))
        ]

    async def _ask(self, held: Attestation, now: datetime) -> None:
        until = to_millis(now + WITHIN)
        self._journal.note(ACT, actor=held.user, rpps=held.rpps.value)
        async with transaction(self._db) as conn:
            await conn.execute(
                "UPDATE attestation SET valid_until = $2 WHERE user_id = $1 AND valid_until > $2", held.user, until
            )
            await conn.execute("UPDATE attestation_serial SET serial = serial + 1")
            await conn.execute(
                "INSERT INTO card_asked (user_id, until, told) VALUES ($1, $2, $3) "
                "ON CONFLICT (user_id) DO UPDATE SET until = $2, told = $3",
                held.user,
                until,
                False,
            )
            # The usual request to renew a week before the end would say the same thing again.
            await self._renewals.put(held.user, Asked(from_millis(until), WITHIN.days))

    async def _tell(self) -> None:
        for row in await self._db.fetch("SELECT * FROM card_asked WHERE NOT told"):
            user, until = UserId(row["user_id"]), from_millis(row["until"])
            held = await self._people.attestation_of(user)
            if held is not None and held.valid_until == until:
                try:
                    room = await self._homes.ensure(user)
                    ref = digest(f"{user} {to_millis(until)}")
                    await self._home.send(room, text(texts.card_opposed(held)), txn=f"card-{ref}")
                except HomeRefused as error:
                    log_event(log, "card.not_told", level=logging.WARNING, code=error.errcode)
            await self._db.execute(
                "UPDATE card_asked SET told = true WHERE user_id = $1 AND until = $2", user, to_millis(until)
            )
