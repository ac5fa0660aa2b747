"""Who an account is, and what a room is, as this server knows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.identity import UserId, localpart
from colloque.policy.admission import Standing
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque.synapse.settings import Settings

logger = logging.getLogger(__name__)


class StateEvent(Protocol):
    """The part of Synapse's event that is read here."""

    @property
    def sender(self) -> str:
        """Who sent it."""
        ...

    @property
    def content(self) -> Mapping[str, object]:
        """What it says."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """What one of our bots has marked a room as; nothing for any other room."""

    kind: str = ""
    owner: UserId | None = None


class Accounts:
    """Answers from memory; the snapshot file is looked at (one `stat`) at every question."""

    def __init__(self, settings: Settings, book: AttestationBook, clock: Clock, is_mine: Callable[[str], bool]) -> None:
        self._settings = settings
        self._book = book
        self._clock = clock
        self._is_mine = is_mine
        self._said = ""

    def standing(self, user: str) -> Standing:
        """What the account is, now."""
        who = UserId(user)
        if not self._is_mine(user):
            return Standing.REMOTE
        if who in self._settings.bots or self._is_ghost(who):
            return Standing.SERVICE
        attested = self._book.of(who, self._clock.now()) is not None
        self._say_problem()
        if attested:
            return Standing.ATTESTED
        return Standing.STAFF if who in self._settings.staff else Standing.UNVERIFIED

    def room(self, state: Mapping[tuple[str, str], StateEvent]) -> Room:
        """What the room is. Our bots may mark any room, a ghost its own mail room; nobody else is believed."""
        mark = state.get((ROOM_MARK, ""))
        if mark is None or not self._is_mine(mark.sender):
            return Room()
        kind, owner, sender = mark.content.get("kind"), mark.content.get("owner"), UserId(mark.sender)
        if not isinstance(kind, str):
            return Room()
        if sender in self._settings.bots or (kind == RoomKind.MAIL and self._is_ghost(sender)):
            return Room(kind, UserId(owner) if isinstance(owner, str) else None)
        return Room()

    def _is_ghost(self, user: UserId) -> bool:
        return localpart(user).startswith(self._settings.ghost_prefix)

    def _say_problem(self) -> None:
        """Log once that the snapshot can't be used, and once that it can again."""
        if self._book.problem != self._said:
            self._said = self._book.problem
            if self._said:
                logger.error("colloque.snapshot_problem serial=%d: %s", self._book.serial, self._said)
            else:
                logger.warning("colloque.snapshot_in_use serial=%d", self._book.serial)
