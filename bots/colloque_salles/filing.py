"""What a referent taps beneath what is said of an archive: it is in the record, or nothing is to be kept, and why."""

from __future__ import annotations

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.identity import EventId, MssanteAddress, digest
from colloque.matrix.home import Heard, Home, Incoming, reaction, text
from colloque.rooms.keeping import FILED, WAIVERS, Proof
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles import texts_keeping as says
from colloque_salles.handing import Handing
from colloque_salles.store import Kept, PatientRooms
from colloque_salles.store_archive import Archive, Archives, Asks


class Filing:
    """One instance a service. What it notes is acted on by `Archiving`."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        archives: Archives,
        handing: Handing,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._archives = archives
        self._handing = handing
        self._book = book
        self._clock = clock

    async def hear(self, heard: Heard) -> None:
        """A tap of whoever gets the archive, verified today. Safe to repeat. Raises HomeUnavailable, HomeRefused."""
        tap = tapped(heard.content) if isinstance(heard, Incoming) and heard.type == "m.reaction" else None
        if not isinstance(heard, Incoming) or tap is None:
            return
        event, key = tap
        await self._handing.said(heard.room)
        found = await self._archives.of(event)
        kept = await self._patients.get(found[0].room) if found is not None else None
        if found is None or kept is None or self._book.of(heard.sender, self._clock.now()) is None:
            return
        archive, asks = found
        if archive.referent == heard.sender:
            await self._tapped(heard, kept, archive, asks, key)

    async def _tapped(self, heard: Incoming, kept: Kept, archive: Archive, asks: Asks, key: str) -> None:
        rank = number_of(key)
        if asks is Asks.WHY and 0 < rank <= len(WAIVERS):
            await self._decide(heard, kept, archive, WAIVERS[rank - 1])
        elif asks is Asks.FILES and 0 < rank <= len(FILED):
            await self._decide(heard, kept, archive, FILED[rank - 1])
        elif asks is Asks.COMING and 0 < rank <= len(archive.boxes) > 1:
            box = MssanteAddress(archive.boxes[rank - 1])
            await self._archives.choose(heard.sender, box)
            await self._answer(heard, says.chosen(box))
        elif asks is Asks.FILED and is_sign(key, says.FILED):
            if archive.whole:
                await self._decide(heard, kept, archive, Proof.FILED)
            else:
                await self._ask(heard, archive, says.files(kept.words, archive.left_out), Asks.FILES, len(FILED))
        elif asks in {Asks.COMING, Asks.FILED} and is_sign(key, says.NOTHING):
            await self._ask(heard, archive, says.why(kept.words), Asks.WHY, len(WAIVERS))

    async def _decide(self, heard: Incoming, kept: Kept, archive: Archive, proof: Proof) -> None:
        """Said last: heard again after a crash, the same tap is answered alike. What is proven already stays so."""
        first = not kept.room.archived and await self._archives.decide(archive, proof)
        same = archive.decided is proof
        await self._answer(heard, says.decided(kept.words, proof) if first or same else says.ALREADY_DECIDED)

    async def _ask(self, heard: Incoming, archive: Archive, words: str, asks: Asks, count: int) -> None:
        """A numbered question."""
        ref = digest(f"{archive.room} {archive.referent} {archive.attempt} {asks}")
        event: EventId = await self._home.send(heard.room, text(words), txn=f"ask-{ref}")
        await self._archives.asked(archive.room, event, asks)
        for rank, sign in enumerate(NUMBERS[:count]):
            await self._home.send(heard.room, reaction(event, sign), txn=f"ask-{ref}-{rank}", type_="m.reaction")

    async def _answer(self, heard: Incoming, words: str) -> None:
        await self._home.send(heard.room, text(words), txn=f"filed-{digest(heard.event)}")
