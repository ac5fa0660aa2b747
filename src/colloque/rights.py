"""Who may have a bot's commands answered: who is verified, and who administers. From memory."""

from __future__ import annotations

from collections.abc import Collection

from colloque.attestation import Kind
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.identity import UserId


class Rights:
    """One instance a service. The one place that says who administers."""

    def __init__(self, named: Collection[UserId], book: AttestationBook, clock: Clock) -> None:
        """`named`: those whom the configuration names (`admin.users`)."""
        self._named = frozenset(named)
        self._book = book
        self._clock = clock

    def is_verified(self, user: UserId) -> bool:
        """Verified today, as a professional or as somebody who works under one."""
        held = self._book.of(user, self._clock.now())
        return held is not None and held.kind is not Kind.STAFF

    def administers(self, user: UserId) -> bool:
        """Named in the configuration, or attested as staff today."""
        if user in self._named:
            return True
        held = self._book.of(user, self._clock.now())
        return held is not None and held.kind is Kind.STAFF

    def is_named(self, user: UserId) -> bool:
        """By the configuration."""
        return user in self._named

    def administrators(self) -> frozenset[UserId]:
        """All of them."""
        self._book.refresh()
        now = self._clock.now()
        return self._named | {user for user in self._book.state.staff if self._book.known(user, now) is not None}

    @property
    def certain(self) -> bool:
        """False while the snapshot can't be read: somebody may be missing from `administrators`."""
        self._book.refresh()
        return not self._book.problem
