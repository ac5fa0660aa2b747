"""Before a closed room is erased, its conversation goes to its referent, and something proves that it was kept.

One round a call; everything starts from what the tables say, so that a crash at any line is repaired by the next round.
"""

from __future__ import annotations

import logging
from datetime import datetime

from colloque.attestation import Attestation
from colloque.book import AttestationBook
from colloque.clock import Clock, to_millis
from colloque.directory.lookup import Directory
from colloque.errors import NotFound, Temporary
from colloque.identity import EventId, MssanteAddress, RoomId, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Home
from colloque.rooms.keeping import Due, KeepingRule, Proof, due, is_late
from colloque.rooms.lifecycle import LifetimeRule
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.taps import NUMBERS
from colloque_salles.archive.handing import Handing
from colloque_salles.archive.making import Making
from colloque_salles.living.evicting import may_lead
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.store.archive import Archive, Archives, Asks
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.texts import keeping as says

FAILED = "archive.failed"
"""The incident of an archive that can't be made."""
log = logging.getLogger(__name__)


class Archiving:
    """One instance a service."""

    def __init__(
        self,
        *,
        home: Home,
        making: Making,
        patients: PatientRooms,
        archives: Archives,
        handing: Handing,
        book: AttestationBook,
        directory: Directory,
        incidents: Incidents,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        rule: LifetimeRule,
        keeping: KeepingRule,
        standing_in: StandingIn,
    ) -> None:
        self._home = home
        self._making = making
        self._patients = patients
        self._archives = archives
        self._handing = handing
        self._book = book
        self._directory = directory
        self._incidents = incidents
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._rule = rule
        self._keeping = keeping
        self._standing_in = standing_in

    async def once(self) -> None:
        """Each closed room gets what is due; one that fails holds back no other, and is told."""
        failed = False
        for room in await self._archives.awaited():
            try:
                await self._step(room)
            except Temporary as error:
                log_event(log, "archive.deferred", code=error.code)
            except Exception:
                log.exception("archive.failed")
                failed = True
        if failed:
            await self._incidents.open(FAILED, says.INCIDENT_FAILED)
        else:
            await self._incidents.close(FAILED)

    async def _step(self, room: RoomId) -> None:
        kept, archive = await self._patients.get(room), await self._archives.get(room)
        if kept is None or kept.room.closed_at is None:
            return
        if archive is not None and archive.decided is not None:
            await self._prove(kept, archive, archive.decided)
            return
        if is_late(kept.room.closed_at, self._keeping, self._clock.now()):
            await self._incidents.open(await self._late(room), says.late(kept.words, self._who_is_waited_for(kept)))
        who = self._addressee(kept, archive)
        if who is not None and (archive is None or archive.referent != who.user):
            await self._announce(kept, who, archive)
        elif archive is not None and archive.sent_at is not None:
            await self._watch(kept, archive)
        elif archive is not None and who is not None:
            await self._go_on(kept, archive, who)

    def _who_is_waited_for(self, kept: Kept) -> str:
        """The referent's name, else that of somebody in the room who may say it; empty when nobody can."""
        now = self._clock.now()
        people = (self._book.of(user, now) for user in (kept.room.opener, *kept.room.members))
        held = next((each for each in people if each is not None), None)
        return held.person if held is not None else ""

    def _addressee(self, kept: Kept, archive: Archive | None) -> Attestation | None:
        """The referent; while they are away, who stands in for them, where that person is in the room; where their
        access has ended, the first of those who are in the room and may be referent. Whoever has it already keeps it.

        Raises Temporary while it is not known who is away.
        """
        now, room = self._clock.now(), kept.room
        if archive is not None and archive.sent_at is not None:
            held = self._book.of(archive.referent, now)
            if held is not None:
                return held
        away = self._standing_in.of(room.opener)
        inside = room.members or (room.opener,)
        first = (away.by, room.opener) if away is not None else (room.opener,)
        people = [self._book.of(user, now) for user in dict.fromkeys((*first, *room.members)) if user in inside]
        able = [held for held in people if held is not None and (held.user == room.opener or may_lead(held))]
        # Who is of another server can tap nothing in a closed room: somebody of ours is asked, where there is one.
        ours = [held for held in able if server_of(held.user) == server_of(self._home.user)]
        return next(iter([*ours, *able]), None)

    def _boxes(self, held: Attestation) -> list[MssanteAddress]:
        """Somebody's own mailboxes, in the order in which they are numbered."""
        try:
            person = self._directory.by_rpps(held.rpps)
        except NotFound:  # no directory was imported yet
            raise Temporary("the directory was not imported yet") from None
        found = {box.address for box in person.personal_mailboxes} if person is not None else set()
        return sorted(found, key=lambda address: address.value)[: len(NUMBERS)]

    async def _announce(self, kept: Kept, held: Attestation, before: Archive | None) -> None:
        """What will come, and where; with several mailboxes none is guessed."""
        room, attempt = kept.room.room, before.attempt + 1 if before is not None else 1
        if before is not None:
            await self._handing.withdraw(before)
            if before.referent != held.user and self._book.of(before.referent, self._clock.now()) is not None:
                await self._handing.say(kept, before.referent, says.taken_over(kept.words), once=f"over-{attempt}")
        boxes = self._boxes(held)
        chosen = await self._archives.box(held.user)
        box = next((each for each in boxes if each.value == chosen), boxes[0] if len(boxes) == 1 else None)
        at = max(self._clock.now(), (kept.room.closed_at or self._clock.now()) + self._rule.linger)
        words = says.will_come(kept.words, at, box, boxes, instead=held.user != kept.room.opener)
        signs = (*(NUMBERS[: len(boxes)] if len(boxes) > 1 else ()), says.NOTHING)

        async def keep(event: EventId) -> None:
            await self._archives.begin(room, held.user, attempt, boxes, box)
            await self._archives.asked(room, event, Asks.COMING)

        await self._handing.say(kept, held.user, words, once=f"archive-{attempt}", signs=signs, keep=keep)

    async def _go_on(self, kept: Kept, archive: Archive, who: Attestation) -> None:
        assert kept.room.closed_at is not None
        if not kept.close_heard or self._clock.now() < kept.room.closed_at + self._rule.linger:
            return
        if not archive.made:
            proof = await self._making.make(kept, archive)
            if proof is not None:
                await self._prove(kept, archive, proof)
        elif archive.at_home:
            await self._handing.bring_home(kept, archive)
        elif archive.address is not None and archive.address not in self._boxes(who):
            await self._announce(kept, who, archive)  # it is theirs no more
        elif archive.address is not None:
            await self._handing.mail(kept, archive, archive.address)

    async def _watch(self, kept: Kept, archive: Archive) -> None:
        now = self._clock.now()
        if not archive.at_home and archive.delivered_at is None:
            arrived = await self._handing.has_arrived(archive)
            if arrived:
                await self._archives.delivered(archive.room, now)
            if arrived is not False:
                return
        if await self._is_away(archive, now):
            return
        match due(archive.keeping, self._keeping, now):
            case Due.REMIND:
                await self._remind(kept, archive)
            case Due.PROVEN:
                await self._prove(kept, archive, Proof.DELIVERED)

    async def _is_away(self, archive: Archive, now: datetime) -> bool:
        """Noted as soon as it is known: their time begins when they are back, be it earlier than they said."""
        away = self._standing_in.of(archive.referent)
        before = archive.not_before
        if away is not None and before != away.until:
            await self._archives.not_before(archive.room, away.until)
        elif away is None and before is not None and before > now:
            await self._archives.not_before(archive.room, now)
        else:
            return away is not None
        return True

    async def _remind(self, kept: Kept, archive: Archive) -> None:
        async def keep(event: EventId) -> None:
            await self._archives.reminded(archive.room, event, self._clock.now())

        known = archive.keeping
        alone = known.whole and known.delivered_at is not None
        words = says.reminder(kept.words, archive.left_out, erased_anyway=alone)
        once = f"archive-reminder-{archive.attempt}-{to_millis(known.delivered_at or known.handed_at)}"
        signs = (says.FILED, says.NOTHING)
        await self._handing.say(kept, archive.referent, words, once=once, signs=signs, keep=keep)

    async def _prove(self, kept: Kept, archive: Archive, proof: Proof) -> None:
        room = kept.room.room
        await self._handing.withdraw(archive)
        token = await self._keys.token(room, room)
        self._journal.note("room.archived", actor=archive.referent, room=token, outcome=proof.value)
        await self._incidents.close(await self._late(room))
        await self._archives.prove(room, proof)

    async def _late(self, room: RoomId) -> str:
        return f"archive.late.{await self._keys.token(room, room)}"
