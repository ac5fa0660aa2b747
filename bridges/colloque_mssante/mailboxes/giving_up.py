"""A mail that can't be fetched or shown, by a defect of ours or of the server's: told to its owner, then let go."""

from __future__ import annotations

from datetime import timedelta

from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_mssante.access.notices import Notes
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import Place, box_ref
from colloque_mssante.texts import mails as texts

TRIES = 3
"""Failures of one mail after which it is given up."""
STUCK_WAIT = timedelta(seconds=30)
"""Between two of them."""
WITHHELD_WAIT = timedelta(minutes=10)
"""The same where the server did not give the mail: one that lost its store for a while looks like that, too."""


class GivingUp:
    """One instance a process."""

    def __init__(self, *, inbox: Inbox, notes: Notes, teams: Teams, incidents: Incidents, journal: Journal) -> None:
        self._inbox = inbox
        self._notes = notes
        self._teams = teams
        self._incidents = incidents
        self._journal = journal

    async def give_up(self, place: Place) -> None:
        """Say so, and let it go; it stays in its mailbox. Safe to repeat."""
        box = place.box
        name = box_ref(box.address, str(place.uidvalidity), str(place.uid))
        await self._incidents.open(f"mssante.mail.{name}", texts.INCIDENT_GIVEN_UP)
        await self._incidents.close(f"mssante.mail.{name}")  # told once, then over: there is nothing to wait for
        words = texts.mail_given_up(box.address.value)
        await self._notes.add_for(f"given-up-{name}", box.owner, self._teams.members(box.address), words)
        self._journal.note("mail.given_up", actor=box.actor, ref=name)
        await self._inbox.take_away(place)
