"""Accounts made here: one for each person, written down before it is made, so that no crash makes a second one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from mautrix.util.async_db import Database

from colloque.errors import Inconsistent
from colloque.identity import Rpps, UserId
from colloque.policy.localparts import base_of, distinguished
from colloque.store.journal import Journal
from colloque_annuaire.store.people import People


class Server(Protocol):
    """What makes accounts (`colloque.matrix.admin.SynapseAdmin`)."""

    async def exists(self, user: UserId) -> bool:
        """Whether the homeserver has, or had, that account. Raises HomeUnavailable, HomeRefused."""
        ...

    async def create(self, user: UserId, name: str) -> None:
        """Make it, without a password; no error when it is there."""
        ...


class Accounts:
    """One instance a service; one account at a time."""

    def __init__(self, *, db: Database, people: People, server: Server, journal: Journal, server_name: str) -> None:
        self._db = db
        self._people = people
        self._server = server
        self._journal = journal
        self._server_name = server_name
        self._lock = asyncio.Lock()

    async def of_professional(self, rpps: Rpps, given_name: str, family_name: str, name: str) -> UserId:
        """The professional's account: the one they are, or were, attested with; else the one made for them.

        Raises HomeUnavailable, HomeRefused; asked again it goes on.
        """
        held = await self._people.holder_of(rpps)
        return held or await self.of(f"rpps {rpps.value}", given_name, family_name, name)

    async def of(self, owner: str, given_name: str, family_name: str, name: str) -> UserId:
        """The account of `owner` (a stable key, never shown), made when there is none. `name` is its display name."""
        async with self._lock:
            row = await self._db.fetchrow("SELECT * FROM account_made WHERE owner = $1", owner)
            if row is not None and row["made"]:
                return UserId(row["user_id"])
            user = UserId(row["user_id"]) if row is not None else await self._choose(owner, given_name, family_name)
            act = self._journal.begin("account.make", actor=user)
            await self._server.create(user, name)
            await self._db.execute("UPDATE account_made SET made = true WHERE owner = $1", owner)
            self._journal.end(act, "made")
            return user

    async def _choose(self, owner: str, given_name: str, family_name: str) -> UserId:
        base = base_of(given_name, family_name)
        for localpart in (base, distinguished(base, owner)):
            user = UserId(f"@{localpart}:{self._server_name}")
            known = await self._db.fetchval("SELECT COUNT(*) FROM account_made WHERE user_id = $1", user)
            if not known and not await self._server.exists(user):
                await self._db.execute("INSERT INTO account_made (owner, user_id) VALUES ($1, $2)", owner, user)
                return user
        raise Inconsistent("both names of an account are taken")

    async def settle(self) -> None:
        """At start: end the journal's open acts; what was not made is made when it is asked for again."""
        for intent in self._journal.open_intents():
            if intent.kind == "account.make":
                self._journal.end(intent.act, "interrupted")
