"""What a referent taps beneath what is said of an archive: it is in the record, or nothing is to be kept, and why."""

from __future__ import annotations

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.identity import digest
from colloque.matrix.home import Heard, Home, Incoming, reaction, text
from colloque.rooms.keeping import WAIVERS, Proof
from colloque.taps import NUMBERS, is_sign, number_of, tapped
from colloque_salles import texts_keeping as says
from colloque_salles.archiving import Archiving
from colloque_salles.handing import Handing
from colloque_salles.store import Kept, PatientRooms
from colloque_salles.store_archive import Archive, Archives


class Filing:
    """One instance a service. What it notes is acted on by `Archiving`."""

    def __init__(
        self,
        *,
        home: Home,
        patients: PatientRooms,
        archives: Archives,
        archiving: Archiving,
        handing: Handing,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._home = home
        self._patients = patients
        self._archives = archives
        self._archiving = archiving
        self._handing = handing
        self._book = book
        self._clock = clock

    async def hear(self, heard: Heard) -> None:
        """A tap of whoever gets the archive. Safe to repeat. Raises Temporary, HomeRefused."""
        tap = tapped(heard.content) if isinstance(heard, Incoming) and heard.type == "m.reaction" else None
        if not isinstance(heard, Incoming) or tap is None:
            return
        event, key = tap
        async with self._handing.speaking:
            archive = await self._archives.of(event)
        kept = await self._patients.get(archive.room) if archive is not None else None
        if archive is None or kept is None or archive.referent != heard.sender:
            return
        if event == archive.why:
            rank = number_of(key)
            if 0 < rank <= len(WAIVERS):
                await self._decide(heard, kept, WAIVERS[rank - 1])
        elif is_sign(key, says.FILED):
            if archive.sent_at is not None:
                await self._decide(heard, kept, Proof.FILED)
        elif is_sign(key, says.NOTHING):
            await self._ask_why(heard, kept, archive)
        elif archive.sent_at is None:
            await self._choose(heard, number_of(key))

    async def _decide(self, heard: Incoming, kept: Kept, proof: Proof) -> None:
        """Said last: heard again after a crash, the same tap is answered alike. What is proven already stays so."""
        archive = await self._archives.get(kept.room.room)
        first = not kept.room.archived and await self._archives.decide(kept.room.room, proof)
        same = archive is not None and archive.decided is proof
        await self._answer(heard, says.decided(kept.words, proof) if first or same else says.ALREADY_DECIDED)

    async def _ask_why(self, heard: Incoming, kept: Kept, archive: Archive) -> None:
        ref = digest(f"{archive.room} {archive.attempt} why")
        event = await self._home.send(heard.room, text(says.why(kept.words)), txn=f"why-{ref}")
        await self._archives.asks_why(archive.room, event)
        for sign in NUMBERS[: len(WAIVERS)]:
            await self._home.send(heard.room, reaction(event, sign), txn=f"why-{ref}-{sign[0]}", type_="m.reaction")

    async def _choose(self, heard: Incoming, rank: int) -> None:
        held = self._book.of(heard.sender, self._clock.now())
        boxes = self._archiving.boxes(held) if held is not None else []
        if len(boxes) > 1 and 0 < rank <= len(boxes):
            await self._archives.choose(heard.sender, boxes[rank - 1])
            await self._answer(heard, says.chosen(boxes[rank - 1]))

    async def _answer(self, heard: Incoming, words: str) -> None:
        await self._home.send(heard.room, text(words), txn=f"filed-{digest(heard.event)}")
