"""Mails that wait in the inbox and are shown to nobody, whatever keeps them: told, to who can mend it and who waits."""

from __future__ import annotations

from datetime import timedelta

from mautrix.util.async_db import Database

from colloque.clock import PARIS, Clock
from colloque.store.incidents import Incidents
from colloque_mssante.access.notices import Notes
from colloque_mssante.rules.teams import Teams
from colloque_mssante.store.inbox import Inbox
from colloque_mssante.store.mailboxes import box_ref
from colloque_mssante.texts import mails as texts

LATE = timedelta(minutes=2)
"""A mail that could be shown and waits for that long makes the service unhealthy."""
_LONG = timedelta(hours=1)
"""After that long its owner is told, once a day while it lasts: their other programs have it."""
_INCIDENT = "mssante.inbox"


class Unshown:
    """One instance a process; `once` is called again and again."""

    def __init__(self, db: Database, teams: Teams, incidents: Incidents, clock: Clock) -> None:
        self._inbox = Inbox(db, clock)
        self._notes = Notes(db)
        self._teams = teams
        self._incidents = incidents
        self._clock = clock

    async def once(self) -> None:
        """Everything that was not told yet. Safe to repeat."""
        if not await self._inbox.late(LATE):
            await self._incidents.close(_INCIDENT)
            return
        await self._incidents.open(_INCIDENT, texts.INCIDENT_UNSHOWN)
        today = self._clock.now().astimezone(PARIS).date()
        for address, owner in await self._inbox.late(_LONG):
            key = f"unshown-{box_ref(address)}-{today}"
            await self._notes.add_for(key, owner, self._teams.members(address), texts.box_unshown(address.value))
