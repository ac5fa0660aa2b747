"""The first contact of two people on two servers: their servers exchange both attestations, then it is told.

The homeserver refuses such an invitation at once (`remote_unknown`) and reports it; what follows happens here, off its
path. What it reported is kept until it was looked into and told, through crashes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from colloque.clock import Clock, monotonic
from colloque.errors import (
    BadIdentifier,
    BadInput,
    HomeRefused,
    NotFound,
    Refused,
    Tampered,
    Temporary,
)
from colloque.federation.http_client import Peers
from colloque.federation.keeper import Keeper
from colloque.identity import EventId, UserId, digest, localpart, parse_user_id, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.policy.passport import No
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.federation.people import NOT_ATTESTED, Crossing
from colloque_annuaire.finding.direct import Direct
from colloque_annuaire.rules.federation_outcome import Met, Outcome
from colloque_annuaire.store.federation import Abroad
from colloque_annuaire.store.federation_own import Meeting, OwnAbroad, Way
from colloque_annuaire.texts import federation as texts
from colloque_annuaire.texts.contact import link_to

log = logging.getLogger(__name__)

OUTBOUND = frozenset({"remote_unknown", "remote", "room_local"})
"""Refusals of our people's acts that are looked into here: a server that is not listed may be so by now, and with
somebody known already only our bots can open a conversation."""
INBOUND = frozenset({"remote_unknown"})
"""Refusals of other people's acts towards ours."""
AT_ONCE = 8
SAME_MAX, WITHIN_S = 5, 60.0
"""The same two people are looked into at most so many times in so many seconds."""


class Meetings:
    """`note` what is reported, `run` in the background."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        peers: Peers,
        crossing: Crossing,
        abroad: Abroad,
        own: OwnAbroad,
        home: Home,
        homes: Homes,
        direct: Direct,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._keeper = keeper
        self._peers = peers
        self._crossing = crossing
        self._abroad = abroad
        self._own = own
        self._home = home
        self._homes = homes
        self._direct = direct
        self._journal = journal
        self._clock = clock
        self._news = asyncio.Event()
        self._noted: dict[tuple[UserId, UserId, Way], list[float]] = {}

    async def note(self, acts: Iterable[Any]) -> list[Any]:
        """Keep, durably, those of the homeserver's reports that are looked into here; the others come back."""
        rest = []
        for act in acts:
            meeting = self._meeting(act)
            if meeting is None:
                rest.append(act)
            elif not self._too_often((meeting.own, meeting.other, meeting.way)):
                await self._own.note_meeting(meeting)
        self._news.set()
        return rest

    def _meeting(self, act: Any) -> Meeting | None:
        try:
            actor, other = parse_user_id(str(act["actor"])), parse_user_id(str(act["other"]))
            reason = str(act["reason"])
        except (BadIdentifier, KeyError, TypeError):
            return None
        now = self._clock.now()
        if self._homes.is_person(actor) and server_of(other) != server_of(actor) and reason in OUTBOUND:
            return Meeting(actor, other, Way.OUT, now)
        if self._homes.is_person(other) and server_of(other) != server_of(actor) and reason in INBOUND:
            return Meeting(other, actor, Way.IN, now)
        return None

    def _too_often(self, pair: tuple[UserId, UserId, Way]) -> bool:
        """A client that retries by itself is not nagged, nor is the other server."""
        now = monotonic()
        self._noted = {p: kept for p, ats in self._noted.items() if (kept := [a for a in ats if now - a < WITHIN_S])}
        times = self._noted.setdefault(pair, [])
        times.append(now)
        return len(times) > SAME_MAX

    async def note_met(self, own: UserId, other: UserId) -> None:
        """Their server has presented them for the first time: ours is to be told, durably."""
        await self._own.note_meeting(Meeting(own, other, Way.MET, self._clock.now()))
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Look into what waits, until `stop`; several at once, so that no slow server holds up the others."""
        self._news.set()
        slots = asyncio.Semaphore(AT_ONCE)
        under_way: dict[Meeting, asyncio.Task[None]] = {}
        try:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self._news.wait()
                self._news.clear()
                for meeting, task in list(under_way.items()):
                    if task.done():
                        del under_way[meeting]
                        task.result()
                for meeting in await self._own.meetings():
                    if meeting not in under_way:
                        under_way[meeting] = asyncio.create_task(self._look(meeting, slots))
        finally:
            for task in under_way.values():
                task.cancel()
            await asyncio.gather(*under_way.values(), return_exceptions=True)

    async def _look(self, meeting: Meeting, slots: asyncio.Semaphore) -> None:
        async with slots:
            try:
                if meeting.way is Way.MET:
                    await self._tell_met(meeting)
                else:
                    await self._introduce(meeting)
            except Temporary as error:
                log_event(log, "meeting.deferred", code=error.code)
                return  # Kept: all of it is harmless to repeat.
            await self._own.met(meeting)

    async def _introduce(self, meeting: Meeting) -> None:
        outcome = await self.meet(meeting.own, meeting.other)
        self._journal.note(
            "remote.meet", actor=meeting.own, ref=digest(meeting.other), outcome=outcome.reason or outcome.met.value
        )
        link = ""
        if outcome.met is Met.KNOWN and meeting.way is Way.OUT:
            link = await self._open(meeting)
        await self._tell(meeting, outcome, link)

    async def _open(self, meeting: Meeting) -> str:
        """The conversation that ours wanted: only our bots make rooms that two servers share. Empty when refused."""
        own, other = await self._crossing.attested(meeting.own), await self._abroad.remote(meeting.other)
        if own is None or other is None:
            return ""
        event = EventId(f"meeting-{digest(f'{meeting.own} {meeting.other} {meeting.at.isoformat()}')}")
        try:
            opened = await self._direct.open(own, other.attestation, event)
        except Refused as error:
            log_event(log, "meeting.not_opened", reason=error.reason)
            return ""
        return link_to(opened.room)

    async def meet(self, own: UserId, other: UserId) -> Outcome:
        """Have both servers know both people. Raises nothing that is another server's doing."""
        server = server_of(other)
        peer = await self._keeper.find(server)
        if peer is None:
            return Outcome(Met.NOT_LISTED)
        try:
            presented = await self._crossing.present(own, server)
        except Refused:
            return Outcome(Met.OURS, peer.organisation)
        with self._crossing.exchange(server):
            try:
                told = await self._peers.ask(peer, "attestation", {"user": other, "presented": presented})
            except Refused as error:
                if error.reason == NOT_ATTESTED:
                    return Outcome(Met.UNVERIFIED, peer.organisation)
                return Outcome(Met.US, peer.organisation, reason=error.reason)
            except (NotFound, BadInput, Temporary) as error:
                return Outcome(Met.AWAY, peer.organisation, reason=error.code)
            try:
                admitted = await self._crossing.receive(told.get("attestation"), server, of=other)
            except Refused as error:
                met = Met.NO_DIRECTORY if error.reason == No.STALE else Met.THEM
                return Outcome(met, peer.organisation, reason=error.reason)
            except Tampered as error:
                return Outcome(Met.THEM, peer.organisation, reason=error.code)
        return Outcome(Met.KNOWN, peer.organisation, admitted.name)

    async def _tell(self, meeting: Meeting, outcome: Outcome, link: str) -> None:
        shown = outcome.name or f"le compte « {localpart(meeting.other)} »"
        if meeting.way is Way.OUT:
            said = texts.told(
                outcome.met,
                other=shown,
                organisation=outcome.organisation,
                reason=outcome.reason,
                link=link,
                keep=self._direct.keep,
            )
        elif outcome.met is Met.KNOWN:
            said = texts.came(name=shown, organisation=outcome.organisation)
        else:
            return  # Nobody here asked for anything.
        await self._say(meeting, said)

    async def _tell_met(self, meeting: Meeting) -> None:
        other, peer = await self._abroad.remote(meeting.other), self._keeper.entry(server_of(meeting.other))
        if other is not None and peer is not None:
            await self._say(meeting, texts.wants(name=other.attestation.name, organisation=peer.organisation))

    async def _say(self, meeting: Meeting, said: str) -> None:
        moment = digest(f"{meeting.own} {meeting.other} {meeting.way} {meeting.at.isoformat()}")
        try:
            room = await self._homes.ensure(meeting.own)
            await self._home.send(room, text(said), txn=f"meeting-{moment}")
        except HomeRefused as error:
            log_event(log, "meeting.not_told", code=error.errcode)
