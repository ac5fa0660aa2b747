"""The copies that other servers have of a room of ours: each is asked to erase its own, for days if need be.

Our own erasure waits for none of it. When all have answered, or the time is over, a supplement to its receipt holds
theirs, and names the servers of which there is none; until then our database keeps the room's address.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.errors import BadInput, Refused, Temporary
from colloque.identity import RoomId
from colloque.logs import event as log_event
from colloque.rooms.erasure import is_code
from colloque.rooms.supplement import ERASED, UNANSWERED, Answer, Supplement
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.elsewhere import Peer, Peers, pause
from colloque_salles.store.jobs import Jobs, ReceiptRow
from colloque_salles.texts.elsewhere import not_confirmed

FIRST, MOST = timedelta(seconds=5), timedelta(hours=1)
"""First and longest pause before a server is asked again."""
NO_WAY = "no_federation"
"""The outcome where our own annuaire service knows no other servers (any more)."""

log = logging.getLogger(__name__)

Ask = Callable[[str, RoomId, str], Awaitable[JsonDict]]
"""`await ask(server, room, ref)`, by the annuaire service: `{"outcome", "receipt"?}`, the receipt checked. Raises
Temporary, Refused, BadInput."""


class Elsewhere:
    """One instance a service."""

    def __init__(
        self,
        *,
        peers: Peers,
        jobs: Jobs,
        signer: Signer,
        ask: Ask,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        lasts: timedelta,
    ) -> None:
        """`lasts`: for how long servers are asked."""
        self._peers = peers
        self._jobs = jobs
        self._signer = signer
        self._ask = ask
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._lasts = lasts

    async def once(self) -> None:
        """Ask whoever is due: servers at the same time, each about one room after the other."""
        due: dict[str, list[Peer]] = {}
        for peer in await self._peers.due(self._clock.now()):
            due.setdefault(peer.server, []).append(peer)
        await asyncio.gather(*map(self._ask_all, due.values()))

    async def _ask_all(self, peers: list[Peer]) -> None:
        """Those of one server; the first that it leaves unanswered is the last one asked about in this round."""
        for peer in peers:
            outcome, receipt = await self._asked(peer)
            now = self._clock.now()
            if outcome == ERASED or now - peer.since >= self._lasts:
                self._journal.note(
                    "room.erase_elsewhere", ref=peer.ref, outcome=outcome, server=peer.server, tries=peer.tries + 1
                )
                await self._peers.settle(peer, outcome, receipt)
            else:
                log_event(log, "erasure.elsewhere_waits", server=peer.server, code=outcome, tries=peer.tries + 1)
                await self._peers.tried(peer, outcome, now + pause(peer.tries, FIRST, MOST))
            if outcome == UNANSWERED:
                return

    async def _asked(self, peer: Peer) -> tuple[str, JsonDict | None]:
        try:
            answer = await self._ask(peer.server, peer.room, peer.ref)
        except Temporary:
            return UNANSWERED, None
        except (Refused, BadInput):
            return NO_WAY, None
        outcome, receipt = answer.get("outcome"), answer.get("receipt")
        if outcome == ERASED and isinstance(receipt, dict):
            return ERASED, receipt
        return (str(outcome) if is_code(outcome) and outcome != ERASED else UNANSWERED), None

    async def write(self) -> None:
        """The supplements that are complete."""
        for peers in await self._peers.complete():
            async with self._jobs.chain:
                await self._add(peers)
        for receipt in await self._jobs.to_write():
            self._signer.write(receipt.serial, receipt.body)
            await self._jobs.written(receipt.serial)

    async def _add(self, peers: list[Peer]) -> None:
        serial, previous = await self._jobs.last()
        first = peers[0]
        assert previous is not None  # the erasure's own receipt
        assert first.serial is not None
        supplement = Supplement(
            serial=serial + 1,
            room=first.ref,
            of=first.serial,
            asked_at=first.since,
            written_at=self._clock.now(),
            answers=tuple(Answer(peer.server, peer.outcome, peer.tries, peer.receipt) for peer in peers),
            previous=json.loads(previous)["hash"],
        )
        for peer in peers:
            if peer.outcome != ERASED:
                # Told once: an incident that is over as soon as it is written stays until it is posted.
                incident = f"erasure.elsewhere.{first.serial}.{peer.server}"
                await self._incidents.open(incident, not_confirmed(first.serial, peer.server, peer.outcome))
                await self._incidents.close(incident)
        body = self._signer.sign(supplement.to_dict())
        await self._jobs.add_supplement(ReceiptRow(supplement.serial, body, "", ()), first.room)
        await self._peers.scrub()
