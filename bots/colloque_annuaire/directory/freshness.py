"""How old the directory is, for everybody who must know: admission, health, metrics, the admin room."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge

from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Freshness
from colloque.errors import Inconsistent, NotFound
from colloque.store.incidents import Incidents
from colloque_annuaire.texts import presence as texts

FUTURE = timedelta(days=1)
"""An extraction may be made a little later than our clock says; not more."""
NOTICE = timedelta(hours=48)
"""The admin room is told so long before the white-list ends."""
_MISSING, _UNREADABLE, _LATE, _STALE = (
    "directory.missing",
    "directory.unreadable",
    "directory.late",
    "directory.stale",
)
_ENDING, _OVER = "whitelist.ending", "whitelist.over"


class Dated(Protocol):
    """What is asked of the directory here."""

    def freshness(self) -> Freshness:
        """Raises NotFound, Inconsistent."""
        ...

    def whitelist_valid_until(self) -> datetime | None:
        """None when no white-list was ever imported."""
        ...


def believable(fresh: Freshness, now: datetime, ages: AgeRules) -> bool:
    """May something be concluded from an absence? Only when fresh, and not from the future (a clock that went back)."""
    return fresh.made_at - now <= FUTURE and fresh.age(now, ages) is Age.FRESH


class Gauges:
    """The directory's metrics; one instance a process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.age = Gauge("colloque_directory_age_seconds", "Since ANS made the oldest part in use", registry=registry)
        self.people = Gauge("colloque_directory_people", "People in the directory", registry=registry)
        self.mailboxes = Gauge("colloque_directory_mailboxes", "Mailboxes in the directory", registry=registry)
        self.presence = Gauge(
            "colloque_presence", "Attested people whom the directory lacks, by state", ["state"], registry=registry
        )
        self.held = Gauge("colloque_directory_held", "1 while a directory waits to be confirmed", registry=registry)


class Watch:
    """What `look` found last. Looks are cheap and regular; nobody else asks the directory how old it is."""

    def __init__(self, *, directory: Dated, incidents: Incidents, clock: Clock, ages: AgeRules, gauges: Gauges) -> None:
        self._directory = directory
        self._incidents = incidents
        self._clock = clock
        self._ages = ages
        self._gauges = gauges
        self._broken = ""
        self._whitelist = ""
        self.fresh: Freshness | None = None
        """None while nothing can be read."""
        self.whitelist_until: datetime | None = None

    @property
    def age(self) -> Age | None:
        """Fresh, late or stale, now; None while nothing can be read."""
        return self.fresh.age(self._clock.now(), self._ages) if self.fresh else None

    def problem(self) -> str:
        """For health: why people can't be verified; "" when they can."""
        return self._broken or (_STALE if self.age is Age.STALE else "")

    def whitelist_problem(self) -> str:
        """For health: `whitelist.over`, or ""."""
        return _OVER if self._whitelist == _OVER else ""

    async def look(self) -> None:
        """Ask the directory; open and close the incidents."""
        self._broken = ""
        try:
            self.fresh, self.whitelist_until = await asyncio.to_thread(self._ask)
        except (NotFound, Inconsistent) as error:
            self.fresh = None
            self._broken = _MISSING if isinstance(error, NotFound) else _UNREADABLE
        now = self._clock.now()
        if self.fresh is not None:
            self._gauges.age.set((now - self.fresh.made_at).total_seconds())
            self._gauges.people.set(self.fresh.people)
            self._gauges.mailboxes.set(self.fresh.mailboxes)
            self._whitelist = _whitelist(self.whitelist_until, now)
        await self._tell()

    def _ask(self) -> tuple[Freshness, datetime | None]:
        return self._directory.freshness(), self._directory.whitelist_valid_until()

    async def _tell(self) -> None:
        texts_of = {_MISSING: texts.NO_DIRECTORY, _UNREADABLE: texts.UNREADABLE, _OVER: texts.WHITELIST_OVER}
        if self.fresh is not None:
            texts_of |= {_LATE: texts.late(self.fresh.made_at), _STALE: texts.too_old(self.fresh.made_at)}
        if self.whitelist_until is not None:
            texts_of[_ENDING] = texts.whitelist_ending(self.whitelist_until)
        now_true = {self._broken, self._whitelist}
        if self.age is not None and self.age is not Age.FRESH:
            now_true.add(_STALE if self.age is Age.STALE else _LATE)
        for key in (_MISSING, _UNREADABLE, _LATE, _STALE, _ENDING, _OVER):
            if key in now_true:
                await self._incidents.open(key, texts_of[key])
            else:
                await self._incidents.close(key)


def _whitelist(until: datetime | None, now: datetime) -> str:
    if until is None or until <= now:
        return _OVER
    return _ENDING if until - now <= NOTICE else ""
