"""Which mailboxes are to be read, and for whom.

The PER mailboxes that the directory lists for attested people and whose credentials we have, but for those that their
owners paused or disconnected; the ORG and CAB ones that a team shares; and our services' own, for the reports that come
back there: whether a closed room's archive was delivered. That one is nobody's: where the directory lists it as a
person's, it is theirs, and read for them or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from colloque.book import AttestationBook
from colloque.clock import Clock, monotonic
from colloque.directory.lookup import Directory
from colloque.errors import NotFound, Temporary
from colloque.identity import MssanteAddress, UserId
from colloque.professional import MailboxKind
from colloque_mssante.access.authors import SHARABLE, personal
from colloque_mssante.access.credentials import Credential, Credentials, fingerprint
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.choices import Choices

_DIRECTORY_S = 30.0
"""Between two questions to the directory for the same people."""

Key = tuple[MssanteAddress, UserId, str]
"""Address, owner (`SHARED` for a team's), fingerprint of the credential and of its owner's choice: a change of any
begins a new reading."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How a mailbox is to be read. `since`: what is older is not shown, where nothing was read yet."""

    since: datetime
    auth: Credential
    service: bool = False
    """Our services' own: never read in the place of a person whose it was."""


class Wanted:
    """One instance a process. `known` is empty until the directory is there. `service`: our services' own mailbox."""

    def __init__(
        self,
        *,
        book: AttestationBook,
        directory: Directory,
        credentials: Credentials,
        choices: Choices,
        teams: Teams,
        clock: Clock,
        service: MssanteAddress,
    ) -> None:
        self._book = book
        self._directory = directory
        self._credentials = credentials
        self._choices = choices
        self._teams = teams
        self._clock = clock
        self._service = service
        self._asked: tuple[int, ...] = ()
        self._asked_at = 0.0
        self.known: dict[Key, Opening] = {}
        self._pairs: set[tuple[MssanteAddress, UserId]] = set()
        self.complete = False
        """False before the directory was there: nothing is known then."""

    def refresh(self) -> None:
        """Follow the attestations, the directory, the credentials and the choices. Cheap where nothing changed."""
        self._book.refresh()
        self._credentials.refresh()
        now = (self._book.edition, self._credentials.version, self._choices.version, self._teams.version)
        if now == self._asked and monotonic() - self._asked_at < _DIRECTORY_S:
            return
        try:
            self.known = self._find()
        except (NotFound, Temporary):
            return  # no directory yet, or none that can be read
        self._asked, self._asked_at, self.complete = now, monotonic(), True
        self._pairs = {(address, owner) for address, owner, _ in self.known}

    def holds(self, address: MssanteAddress, owner: UserId) -> bool:
        """Whether that mailbox is to be read for that person (`SHARED`: for its team)."""
        return (address, owner) in self._pairs

    def only_reports(self, address: MssanteAddress) -> bool:
        """Whether it is our services' own, of which nothing but reports is taken in."""
        return address == self._service and self.holds(address, SHARED) and not self._teams.members(address)

    def _find(self) -> dict[Key, Opening]:
        found: dict[Key, Opening] = {}
        for attestation, boxes in personal(self._book, self._directory, self._clock.now()):
            for box in boxes:
                auth = self._credentials.of(box.address, attestation.user)
                if auth is not None and not self._choices.closed(box.address, attestation.user):
                    opened = self._choices.opened(box.address, attestation.user)
                    key = (box.address, attestation.user, f"{opened} {fingerprint(auth)}")
                    found[key] = Opening(attestation.issued_at, auth)
        for address in self._teams.mailboxes():
            listed, auth = self._directory.by_mssante(address), self._credentials.of(address)
            if listed is not None and listed.kind in SHARABLE and auth is not None and self._teams.members(address):
                found[address, SHARED, fingerprint(auth)] = Opening(self._teams.since(address), auth)
        own = self._credentials.of(self._service)
        listed = self._directory.by_mssante(self._service)
        personal_one = listed is not None and listed.kind is MailboxKind.PER
        if own is not None and not personal_one and all(address != self._service for address, _, _ in found):
            found[self._service, SHARED, fingerprint(own)] = Opening(self._clock.now(), own, service=True)
        return found
