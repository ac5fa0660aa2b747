"""Who an account is, and what a room is, as this server knows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.identity import UserId, localpart, server_of
from colloque.policy.admission import Person, Standing, attested_person
from colloque.rooms.mark import ROOM_MARK, RoomKind
from colloque.synapse.settings import Settings

logger = logging.getLogger(__name__)

_NOBODY = {standing: Person(standing) for standing in Standing}


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
    """What one of our bots, or a listed server's, has marked a room as; nothing for any other room."""

    kind: str = ""
    owner: UserId | None = None


class Accounts:
    """Answers from memory; the snapshot's files are looked at (one `stat`) at every question."""

    def __init__(self, settings: Settings, book: AttestationBook, clock: Clock, is_mine: Callable[[str], bool]) -> None:
        self._settings = settings
        self._book = book
        self._clock = clock
        self.is_mine = is_mine
        self._ghosts = "@" + settings.ghost_prefix
        self._said = ""

    def person(self, user: str) -> Person:
        """What the account is, now."""
        (found,) = self.people(user)
        return found

    def people(self, *users: str) -> list[Person]:
        """What the accounts that one decision is about are, now."""
        self._book.refresh()
        self._say_problem()
        now = self._clock.now()
        return [self._person(UserId(user), now) for user in users]

    def _person(self, who: UserId, now: datetime) -> Person:
        mine = self.is_mine(who)
        if mine and (who in self._settings.bots or self._is_ghost(who)):
            return _NOBODY[Standing.SERVICE]
        found = self._book.known(who, now)
        if not mine:
            if not self._book.is_listed(server_of(who), now):
                return _NOBODY[Standing.REMOTE]
            erases = self._book.erases(server_of(who), now)
            if who in self._book.state.bots:
                salles = who == self._book.salles_of(server_of(who), now)
                return Person(Standing.REMOTE_SERVICE, salles=salles, erases=erases)
            ghosts = self._book.state.ghosts.get(server_of(who))
            if ghosts is not None and localpart(who).startswith(ghosts):
                return _NOBODY[Standing.REMOTE_GHOST]
            if found is None:
                return _NOBODY[Standing.REMOTE_UNKNOWN]
            return attested_person(found, local=False, answered=True, erases=erases)
        if found is None:
            return _NOBODY[Standing.STAFF if who in self._settings.staff else Standing.UNVERIFIED]
        answered = found.under is None or self._book.of_rpps(found.under, now) is not None
        return attested_person(found, local=True, answered=answered)

    def standing(self, user: str) -> Standing:
        """The same, in one word."""
        return self.person(user).standing

    def name(self, user: str) -> str | None:
        """The directory's name of somebody attested."""
        found = self._book.known(UserId(user), self._clock.now())
        return found.name if found is not None else None

    def sponsor(self, person: Person) -> UserId | None:
        """The account of who answers for a supervised person."""
        held = self._book.of_rpps(person.under, self._clock.now()) if person.under is not None else None
        return held.user if held is not None else None

    def refuses(self, user: str, *others: str | None) -> bool:
        """Has `user` blocked one of these?"""
        return any(self._book.refuses(UserId(user), UserId(other)) for other in others if other)

    def was_attested(self, user: str, at_ms: int) -> bool:
        """Had somebody, whose attestation has ended, one at that moment?"""
        found = self._book.state.by_user.get(UserId(user))
        return found is not None and at_ms < found.valid_until.timestamp() * 1000

    def room(self, state: Mapping[tuple[str, str], StateEvent]) -> Room:
        """What the room is. Bots may mark any room, a ghost its own mail room; nobody else is believed."""
        mark = state.get((ROOM_MARK, ""))
        if mark is None:
            return Room()
        kind, owner, sender = mark.content.get("kind"), mark.content.get("owner"), UserId(mark.sender)
        if isinstance(kind, str) and self.may_mark(sender, kind):
            return Room(kind, UserId(owner) if isinstance(owner, str) else None)
        return Room()

    def may_mark(self, sender: UserId, kind: str) -> bool:
        """Is `sender` believed when they say that a room is of that kind?"""
        if not self.is_mine(sender):
            return sender in self._book.state.bots and self._book.is_listed(server_of(sender), self._clock.now())
        return sender in self._settings.bots or (kind == RoomKind.MAIL and self._is_ghost(sender))

    def _is_ghost(self, user: UserId) -> bool:
        return user.startswith(self._ghosts)

    def _say_problem(self) -> None:
        """Log once that the snapshot can't be used, and once that it can again."""
        if self._book.problem != self._said:
            self._said = self._book.problem
            if self._said:
                logger.error("colloque.snapshot_problem serial=%d: %s", self._book.serial, self._said)
            else:
                logger.warning("colloque.snapshot_in_use serial=%d", self._book.serial)
