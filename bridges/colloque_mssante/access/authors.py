"""Who may write from which mailbox, and how they are named. A refusal (Refused) bears the words that people read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from colloque.attestation import Attestation, Kind
from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.errors import Refused
from colloque.identity import MssanteAddress, UserId
from colloque.mail.message import Party
from colloque.professional import Mailbox, MailboxKind, Professional
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import teams as texts_teams

SHARABLE = {MailboxKind.ORG, MailboxKind.CAB}
"""Kinds of mailboxes that a team may share."""


def personal(
    book: AttestationBook, directory: Directory, now: datetime
) -> Iterator[tuple[Attestation, tuple[Mailbox, ...]]]:
    """Who is verified as a professional, and their own mailboxes, as the directory lists them. Raises NotFound.

    Who works under somebody bears their number, and must never get their mail.
    """
    for held in book.all(now):
        person = directory.by_rpps(held.rpps) if held.kind is Kind.PROFESSIONAL else None
        if person is not None:
            yield held, person.personal_mailboxes


class Authors:
    """One instance a process. Raises NotFound while no directory was imported."""

    def __init__(
        self,
        *,
        book: AttestationBook,
        directory: Directory,
        credentials: Credentials,
        choices: Choices,
        teams: Teams,
        clock: Clock,
    ) -> None:
        self._book = book
        self._directory = directory
        self._credentials = credentials
        self._choices = choices
        self._teams = teams
        self._clock = clock

    def name(self, user: UserId) -> str:
        """How somebody is named in what leaves."""
        held = self._held(user)
        person = self._person(held)
        return person.full_name if person is not None else held.name

    def mailboxes(self, user: UserId) -> tuple[MssanteAddress, ...]:
        """Somebody's own mailboxes that we can send from."""
        mine = (box.address for box in self._own(user))
        return tuple(a for a in mine if self._credentials.of(a, user) and self._choices.closed(a, user) != OFF)

    def sender(self, user: UserId, mailbox: MssanteAddress) -> Party:
        """How the sender of a mail is written, where that person may send it from there."""
        shared = self.shares(user, mailbox)
        found = self.reader(SHARED if shared else user, mailbox)
        if self._credentials.of(mailbox) is None:
            raise Refused("no_mailbox", texts.NO_MAILBOX)
        if not shared and self._choices.closed(mailbox, user) == OFF:
            raise Refused("mailbox_off", texts.BOX_OFF)
        return found

    def reader(self, owner: UserId, mailbox: MssanteAddress) -> Party:
        """How the owner of a mailbox is written; of a shared one (`SHARED`), what shares it (ECO.2.2.7)."""
        if owner == SHARED:
            box = self._directory.by_mssante(mailbox)
            if box is None or box.kind not in SHARABLE:
                raise Refused("no_mailbox", texts.NO_MAILBOX)
            return Party(self.structure(mailbox), mailbox.value)
        person = self._professional(owner)
        mine = next((box for box in self._own(owner) if box.address == mailbox), None)
        if mine is None:
            raise Refused("no_mailbox", texts.NO_MAILBOX)
        return Party(_label(person, mine), mailbox.value)

    def shares(self, user: UserId, mailbox: MssanteAddress) -> bool:
        """True for somebody of the team that shares that mailbox."""
        return self._teams.has(mailbox, user)

    def unlisted(self, user: UserId) -> bool:
        """True for a verified professional whom the directory does not list today; it may list them again tomorrow."""
        held = self._held(user)
        return held.kind is Kind.PROFESSIONAL and self._person(held) is None

    def signature(self, user: UserId, mailbox: MssanteAddress) -> str:
        """Who wrote a mail that leaves in the name of a team; empty for one's own mailbox."""
        if not self.shares(user, mailbox):
            return ""
        return texts_teams.signature(self.name(user), self.structure(mailbox))

    def structure(self, mailbox: MssanteAddress) -> str:
        """The name under which the directory lists a shared mailbox."""
        return self.place(mailbox) or texts_teams.UNNAMED

    def place(self, mailbox: MssanteAddress) -> str:
        """The structure that the directory gives any mailbox; empty: none."""
        box = self._directory.by_mssante(mailbox)
        return box.structure if box is not None else ""

    def _held(self, user: UserId) -> Attestation:
        held = self._book.of(user, self._clock.now())
        if held is None or held.kind is Kind.STAFF:
            raise Refused("not_attested", texts.NOT_ATTESTED)
        return held

    def _person(self, held: Attestation) -> Professional | None:
        """Who works under somebody bears their number, and is not them."""
        return self._directory.by_rpps(held.rpps) if held.kind is Kind.PROFESSIONAL else None

    def _professional(self, user: UserId) -> Professional:
        person = self._person(self._held(user))
        if person is None:
            raise Refused("not_attested", texts.NOT_ATTESTED)
        return person

    def _own(self, user: UserId) -> tuple[Mailbox, ...]:
        person = self._person(self._held(user))
        return person.personal_mailboxes if person is not None else ()


def _label(person: Professional, box: Mailbox) -> str:
    """`<Titre>_<Prénom>_<NOM>_<Entité>`, as the référentiel asks (ECO.2.2.7)."""
    return "_".join(f"{person.full_name} {box.structure}".split())
