"""What a referent taps beneath what is said of an archive: it is in the record, or nothing is to be kept, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.errors import HomeRefused, Temporary
from colloque.identity import EventId, MssanteAddress, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Heard, Home, Incoming, reaction, text
from colloque.rooms.keeping import FILED, WAIVERS, Proof
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles.archive.handing import Handing
from colloque_salles.store.archive import Archive, Archives, Asks
from colloque_salles.store.rooms import Kept, PatientRooms
from colloque_salles.store.taps import EarlyTaps
from colloque_salles.texts import keeping as says

log = logging.getLogger(__name__)


class Filing:
    """One instance a service. What it notes is acted on by `Archiving`."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        archives: Archives,
        early: EarlyTaps,
        handing: Handing,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._archives = archives
        self._early = early
        self._handing = handing
        self._book = book
        self._clock = clock

    async def hear(self, heard: Heard) -> None:
        """A tap of whoever gets the archive, verified today. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        tap = tapped(heard.content) if isinstance(heard, Incoming) and heard.type == "m.reaction" else None
        if not isinstance(heard, Incoming) or tap is None or self._book.of(heard.sender, self._clock.now()) is None:
            return
        await self._handing.said(heard.room)
        if not await self._take(heard, *tap) and _could_answer(tap[1]) and await self._may_be_asked(heard.sender):
            await self._early.keep(heard)

    async def once(self) -> None:
        """Taps that came before what they answer was kept are answered now. Raises HomeUnavailable."""
        for heard in await self._early.all():
            tap = tapped(heard.content)
            try:
                taken = tap is not None and await self._take(heard, *tap)
            except HomeRefused as error:  # they left their home room: nobody is left to be answered
                log_event(log, "tap.refused", code=error.errcode)
                taken = True
            if taken or not await self._may_be_asked(heard.sender):
                await self._early.forget(heard.event)

    async def _take(self, heard: Incoming, on: EventId, key: str) -> bool:
        """Whether that message is known."""
        found = await self._archives.of(on)
        if found is None:
            return False
        archive, asks = found
        kept = await self._patients.get(archive.room)
        if kept is not None and archive.referent == heard.sender:
            await self._tapped(heard, kept, archive, asks, key)
        return True

    async def _may_be_asked(self, user: UserId) -> bool:
        """Whether some closed room waits for its archive's proof that could be theirs to give."""
        for room in await self._archives.awaited():
            kept = await self._patients.get(room)
            if kept is not None and user in {kept.room.opener, *kept.room.members}:
                return True
        return False

    async def _tapped(self, heard: Incoming, kept: Kept, archive: Archive, asks: Asks, key: str) -> None:
        rank = number_of(key)
        if asks is Asks.WHY and 0 < rank <= len(WAIVERS):
            await self._decide(heard, kept, archive, WAIVERS[rank - 1])
        elif asks is Asks.FILES and 0 < rank <= len(FILED):
            if await self._may_be_filed(heard, kept, archive):
                await self._decide(heard, kept, archive, FILED[rank - 1])
        elif asks is Asks.COMING and 0 < rank <= len(archive.boxes) > 1:
            box = MssanteAddress(archive.boxes[rank - 1])
            await self._archives.choose(heard.sender, box)
            await self._answer(heard, says.chosen(box))
        elif asks is Asks.FILED and is_sign(key, says.FILED):
            if not await self._may_be_filed(heard, kept, archive):
                return
            if archive.whole:
                await self._decide(heard, kept, archive, Proof.FILED)
            else:
                await self._ask(heard, archive, says.files(kept.words, archive.left_out), Asks.FILES, len(FILED))
        elif asks in {Asks.COMING, Asks.FILED} and is_sign(key, says.NOTHING):
            await self._ask(heard, archive, says.why(kept.words), Asks.WHY, len(WAIVERS))

    async def _may_be_filed(self, heard: Incoming, kept: Kept, archive: Archive) -> bool:
        """Whether they can have filed it. Else they read why nothing is noted, with signs to tap later: their own tap
        still stands beneath the message that they tapped.
        """
        if archive.decided is not None or kept.room.archived:
            return True  # what was said before stands, and is answered alike
        try:
            if await self._handing.has_left(archive):
                return True
            words = says.not_left(kept.words)
        except Temporary as error:
            log_event(log, "tap.unknown", code=error.code)
            words = says.not_known(kept.words)
        signs, txn = (says.FILED, says.NOTHING), f"later-{digest(heard.event)}"
        await self._put(heard, archive, words, Asks.FILED, signs=signs, txn=txn)
        return False

    async def _decide(self, heard: Incoming, kept: Kept, archive: Archive, proof: Proof) -> None:
        """Said last: heard again after a crash, the same tap is answered alike. What is proven already stays so."""
        first = not kept.room.archived and await self._archives.decide(archive, proof)
        same = archive.decided is proof
        await self._answer(heard, says.decided(kept.words, proof) if first or same else says.ALREADY_DECIDED)

    async def _ask(self, heard: Incoming, archive: Archive, words: str, asks: Asks, count: int) -> None:
        """A numbered question."""
        ref = digest(f"{archive.room} {archive.referent} {archive.attempt} {asks}")
        await self._put(heard, archive, words, asks, signs=NUMBERS[:count], txn=f"ask-{ref}")

    async def _put(
        self, heard: Incoming, archive: Archive, words: str, asks: Asks, *, signs: Sequence[str], txn: str
    ) -> None:
        """The signs come after what they answer is kept: none of them is tapped in vain."""
        event: EventId = await self._home.send(heard.room, text(words), txn=txn)
        await self._archives.asked(archive.room, event, asks)
        for rank, sign in enumerate(signs):
            await self._home.send(heard.room, reaction(event, sign), txn=f"{txn}-{rank}", type_="m.reaction")

    async def _answer(self, heard: Incoming, words: str) -> None:
        await self._home.send(heard.room, text(words), txn=f"filed-{digest(heard.event)}")


def _could_answer(key: str) -> bool:
    return number_of(key) > 0 or is_sign(key, says.FILED) or is_sign(key, says.NOTHING)
