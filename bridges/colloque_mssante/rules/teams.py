"""Mailboxes that a team shares (ORG, CAB): who acts for each, today.

An administrator names the members. Whoever is away names a stand-in, up to a day. Only people verified today count:
whoever loses their attestation is out of every team at once, and back with it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database

from colloque.attestation import Kind
from colloque.book import AttestationBook
from colloque.clock import Clock, from_millis, to_millis
from colloque.identity import MssanteAddress, UserId
from colloque.store.schema import transaction

SHARED = UserId("")
"""Stands for the owner of a mailbox that is nobody's own."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who acts for a shared mailbox."""

    user: UserId
    added_at: datetime
    until: datetime | None
    """Exclusive; None: no end."""
    stands_in: UserId | None
    """For whom; None for a member of the team."""


class Teams:
    """Known in memory, so that rules can ask without waiting."""

    def __init__(self, db: Database, book: AttestationBook, clock: Clock) -> None:
        self._db = db
        self._book = book
        self._clock = clock
        self._known: dict[MssanteAddress, list[Member]] = {}
        self.version = 0
        """Grows with every change."""

    async def load(self) -> None:
        """At start, and after every change; again and again where another process makes them."""
        rows: list[Any] = await self._db.fetch("SELECT * FROM team ORDER BY mailbox, added_at, user_id, until")
        found: defaultdict[MssanteAddress, list[Member]] = defaultdict(list)
        for row in rows:
            member = Member(
                UserId(row["user_id"]),
                from_millis(row["added_at"]),
                from_millis(row["until"]) if row["until"] else None,
                UserId(row["stands_in"]) if row["stands_in"] else None,
            )
            found[MssanteAddress(row["mailbox"])].append(member)
        if found != self._known:
            self._known = dict(found)
            self.version += 1

    def mailboxes(self) -> tuple[MssanteAddress, ...]:
        """Every shared mailbox."""
        return tuple(self._known)

    def since(self, mailbox: MssanteAddress) -> datetime:
        """When its team began. Raises KeyError for a mailbox without any."""
        return min(member.added_at for member in self._known[mailbox])

    def listed(self, mailbox: MssanteAddress) -> tuple[Member, ...]:
        """Everybody named for today, whether verified or not."""
        now = self._clock.now()
        return tuple(m for m in self._known.get(mailbox, ()) if m.until is None or m.until > now)

    def members(self, mailbox: MssanteAddress) -> tuple[UserId, ...]:
        """Who acts for it now."""
        return tuple(dict.fromkeys(member.user for member in self.listed(mailbox) if self._counts(member)))

    def has(self, mailbox: MssanteAddress, user: UserId) -> bool:
        """Whether that person acts for it now."""
        return any(member.user == user and self._counts(member) for member in self.listed(mailbox))

    def of(self, user: UserId) -> tuple[MssanteAddress, ...]:
        """The shared mailboxes that a person acts for now."""
        return tuple(mailbox for mailbox in self._known if self.has(mailbox, user))

    def _counts(self, member: Member) -> bool:
        now = self._clock.now()
        held = self._book.of(member.user, now)
        if held is None or held.kind is Kind.STAFF:
            return False
        return held.under is None or self._book.of_rpps(held.under, now) is not None

    async def add(self, mailbox: MssanteAddress, user: UserId) -> None:
        """A member."""
        await self._db.execute(
            "INSERT INTO team (mailbox, user_id, added_at) VALUES ($1, $2, $3) "
            "ON CONFLICT (mailbox, user_id, stands_in) DO NOTHING",
            mailbox.value,
            user,
            to_millis(self._clock.now()),
        )
        await self.load()

    async def remove(self, mailbox: MssanteAddress, user: UserId) -> bool:
        """No member any more, and nobody stands in for them; False when they were none."""
        known = any(member.user == user for member in self.listed(mailbox))
        await self._db.execute(
            "DELETE FROM team WHERE mailbox = $1 AND (user_id = $2 OR stands_in = $2)", mailbox.value, user
        )
        await self.load()
        return known

    async def replace(self, user: UserId, by: UserId, until: datetime) -> tuple[MssanteAddress, ...]:
        """`by` stands in for `user` in all their teams, and nobody else does; the mailboxes, perhaps none.

        A stand-in names no other.
        """
        own = tuple(
            mailbox
            for mailbox in self.of(user)
            if any(member.user == user and member.stands_in is None for member in self.listed(mailbox))
        )
        async with transaction(self._db):
            await self._db.execute("DELETE FROM team WHERE stands_in = $1", user)
            for mailbox in own:
                await self._db.execute(
                    "INSERT INTO team (mailbox, user_id, added_at, until, stands_in) VALUES ($1, $2, $3, $4, $5)",
                    mailbox.value,
                    by,
                    to_millis(self._clock.now()),
                    to_millis(until),
                    user,
                )
        await self.load()
        return own

    async def back(self, user: UserId) -> bool:
        """Nobody stands in for them any more; False when nobody did."""
        stood = any(member.stands_in == user for members in self._known.values() for member in members)
        await self._db.execute("DELETE FROM team WHERE stands_in = $1", user)
        await self.load()
        return stood
