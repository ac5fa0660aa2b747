"""What the house learns of attestations: the signed snapshot file, and the names on the homeserver. Safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from colloque.attestation import Attestation, Change, Kind, snapshot
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound
from colloque.identity import Rpps, UserId
from colloque.logs import event as log_event
from colloque.policy.professions import Trade, may_enter, may_open
from colloque.professional import Professional
from colloque.rooms.mark import RoomKind
from colloque.snapshot import SnapshotWriter
from colloque_annuaire.store.people import People

log = logging.getLogger(__name__)

REMEMBERED = timedelta(days=30)
"""How long somebody whose attestation ended still stands in the snapshot, as ended."""

Codes = tuple[tuple[str, ...], str]
"""Codes of professions, and the status under which all of them are exercised."""


class Names(Protocol):
    """What sets a display name on the homeserver."""

    async def set_display_name(self, user: UserId, name: str) -> None:
        """Raises HomeUnavailable, HomeRefused."""
        ...


Source = Callable[[], Awaitable[Change]]
"""More to publish, read anew at each publication: people of other servers, blocks, the list of servers. What a source
says of somebody replaces what the tables and the sources before it say."""


class Publication:
    """One instance a service. Whatever the tables say is published; a crash is repaired by publishing again."""

    def __init__(
        self,
        *,
        people: People,
        names: Names,
        clock: Clock,
        path: Path,
        key: bytes,
        directory: Directory | None = None,
        also: Sequence[Source] = (),
    ) -> None:
        """`directory` tells what people exercise: without it nobody is published as of a profession."""
        self._people = people
        self._names = names
        self._clock = clock
        self._writer = SnapshotWriter(path, key)
        self._directory = directory
        self._also = tuple(also)
        self._writing = asyncio.Lock()
        self._naming = asyncio.Lock()
        self._codes: dict[tuple[Rpps, Trade | None], Codes] = {}
        self._edition: datetime | None = None

    async def snapshot(self) -> None:
        """Publish what is different. In threads: with 25,000 people it takes a good part of a second."""
        async with self._writing:
            serial, attestations = await self._people.all_attestations()
            more = [await source() for source in self._also]
            now = self._clock.now()
            await asyncio.to_thread(self._publish, serial, now, attestations, more)

    def _publish(self, serial: int, now: datetime, attestations: list[Attestation], more: list[Change]) -> None:
        known = self._writer.state.by_user
        wanted = {a.user: a for a in self._with_trades(attestations, known)}
        blocks: dict[UserId, frozenset[UserId]] = {}
        servers = None
        for change in more:
            wanted |= {a.user: a for a in change.attested}
            blocks |= change.blocks
            servers = change.servers or servers
        # What has ended is told from what never was for as long as that may matter (`synapse.inbound`).
        for user, old in known.items():
            if user not in wanted and old.valid_until > now - REMEMBERED:
                wanted[user] = replace(old, valid_until=min(old.valid_until, now))
        self._writer.publish(snapshot(serial, now, wanted.values(), blocks, servers))

    def _with_trades(
        self, attestations: list[Attestation], known: Mapping[UserId, Attestation]
    ) -> Iterator[Attestation]:
        """What each exercises, as the directory in use says; as it said last, for those whom it no longer lists."""
        try:
            edition = self._directory.freshness().imported_at if self._directory is not None else None
        except (NotFound, Inconsistent):
            edition = None
        if edition != self._edition:
            self._codes.clear()
            self._edition = edition
        for each in attestations:
            if each.kind is not Kind.PROFESSIONAL:
                yield each
                continue
            codes = self._look_up(each.rpps, _chosen(each))
            if codes is None and (last := known.get(each.user)) is not None:
                codes = last.professions, last.category
            yield each if codes is None else replace(each, professions=codes[0], category=codes[1])

    def _look_up(self, rpps: Rpps, chosen: Trade | None) -> Codes | None:
        """From the edition in use; None where there is none, or where it lacks the person."""
        if (rpps, chosen) not in self._codes and self._directory is not None and self._edition is not None:
            try:
                person = self._directory.by_rpps(rpps)
            except (NotFound, Inconsistent):
                return None  # Replaced or damaged meanwhile: the service's health says so.
            if person is not None:
                self._codes[rpps, chosen] = codes_of(person, chosen)
        return self._codes.get((rpps, chosen))

    async def name(self, user: UserId) -> None:
        """Set one person's display name, unless it is set already. Raises HomeUnavailable.

        A refusal (the account is gone) is logged, and tried again with the next publication.
        """
        async with self._naming:
            attestation = await self._people.name_to_set(user)
            if attestation is None:
                return
            try:
                await self._names.set_display_name(user, attestation.name)
            except HomeRefused as error:
                log_event(log, "name.refused", level=logging.WARNING, code=error.errcode)
                return
            await self._people.name_set(user)

    async def names(self) -> None:
        """Set all that are not set. Raises HomeUnavailable."""
        for attestation in await self._people.names_to_set():
            await self.name(attestation.user)


def _chosen(attestation: Attestation) -> Trade | None:
    """The one exercise, of several, under which the person is attested."""
    return Trade(attestation.professions[0], attestation.category) if attestation.professions else None


def codes_of(person: Professional, chosen: Trade | None = None) -> Codes:
    """What somebody exercises under one status: the exercise they chose, while they still have it or have several.

    Nobody chose: of several statuses, the one under which they may most.
    """
    trades = {Trade(a.profession_code, a.category_code) for a in person.activities}
    if chosen is not None and len(trades) > 1:
        return ((chosen.code,), chosen.category) if chosen in trades else ((), "")
    by_status: dict[str, dict[str, None]] = {}
    for activity in person.activities:
        by_status.setdefault(activity.category_code, {})[activity.profession_code] = None

    def rank(status: str) -> tuple[bool, bool]:
        trades = [Trade(code, status) for code in by_status[status]]
        return may_open(trades) is None, may_enter(RoomKind.PATIENT, trades) is None

    best = max(by_status, key=rank, default="")
    return tuple(by_status.get(best, ())), best
