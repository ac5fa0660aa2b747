"""Correspondents who have a verified account: here, or on a listed server whose people we admit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from colloque.attestation import Attestation, Kind
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.identity import Adeli, Rpps, server_of
from colloque.professional import Professional
from colloque_mssante.people.ghosts import keys_of


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One of them, today."""

    person: Professional
    account: Attestation
    rpps: Rpps


class Neighbours:
    """One instance a process. Everything raises NotFound while no directory was imported."""

    def __init__(self, book: AttestationBook, directory: Directory, clock: Clock, server: str) -> None:
        self._book = book
        self._directory = directory
        self._clock = clock
        self._server = server
        self._edition = -1
        self._keys: tuple[str, ...] = ()

    def account(self, who: str) -> Neighbour | None:
        """The correspondent of that key (`ghosts.Correspondent`), where they may be invited."""
        kind, _, value = who.partition(":")
        if kind not in {"rpps", "adeli"}:
            return None
        person = self._directory.by_rpps(Rpps(value)) if kind == "rpps" else self._directory.by_adeli(Adeli(value))
        if person is None or person.rpps is None:
            return None
        held = self._book.of_rpps(person.rpps, self._clock.now())
        if held is None or held.frozen or not self.counts(held, self._clock.now()):
            return None
        return Neighbour(person, held, person.rpps)

    def keys(self) -> tuple[str, ...]:
        """The keys of all of them; looked up anew when the attestations change."""
        if self._edition != self._book.edition:
            now = self._clock.now()
            held = [a for a in self._book.all(now) if a.kind is Kind.PROFESSIONAL and self.counts(a, now)]
            found = [person for each in held if (person := self._directory.by_rpps(each.rpps)) is not None]
            self._keys = tuple(key for person in found for key in keys_of(person))
            self._edition = self._book.edition
        return self._keys

    def is_near(self, neighbour: Neighbour) -> bool:
        """True for an account of this server."""
        return server_of(neighbour.account.user) == self._server

    def counts(self, held: Attestation, now: datetime) -> bool:
        """Is it of this server, or of one that is listed?"""
        server = server_of(held.user)
        return server == self._server or self._book.is_listed(server, now)
