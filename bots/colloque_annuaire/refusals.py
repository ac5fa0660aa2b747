"""What the homeserver refused reaches the person, in French, in their home room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from colloque.clock import Clock, monotonic
from colloque.errors import HomeRefused
from colloque.identity import UserId, localpart
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.store.journal import Journal
from colloque_annuaire import texts
from colloque_annuaire.homes import Homes
from colloque_annuaire.store import People, RefusedAct

log = logging.getLogger(__name__)

_SAME_MAX, _WITHIN_S = 5, 60.0
"""The same refusal is told at most so many times in so many seconds: a client that retries by itself is not nagged."""


class Refusals:
    """Tells the actor; tells the other too when they only lack a verification and a verified colleague asked."""

    def __init__(self, *, home: Home, homes: Homes, people: People, journal: Journal, clock: Clock) -> None:
        self._home = home
        self._homes = homes
        self._people = people
        self._journal = journal
        self._clock = clock
        self._noted: dict[tuple[str, ...], list[float]] = {}
        self._news = asyncio.Event()

    async def note(self, acts: Iterable[Mapping[str, Any]]) -> None:
        """Keep what the homeserver reports, durably: `{"actor", "other", "act", "reason"}`, `other` may be empty."""
        for act in acts:
            fields = tuple(str(act.get(k, "")) for k in ("actor", "other", "act", "reason"))
            if self._too_often(fields):
                continue
            actor, other, kind, reason = fields
            refusal = RefusedAct(secrets.token_hex(12), UserId(actor), UserId(other), kind, reason)
            await self._people.add_refusal(refusal, self._clock.now())
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what waits, until `stop`. Raises Temporary: what is not told stays."""
        self._news.set()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._news.wait()
            self._news.clear()
            for refusal in await self._people.refusals():
                await self._tell(refusal)
                await self._people.refusal_told(refusal.id)

    async def _tell(self, refusal: RefusedAct) -> None:
        actor, other = refusal.actor, refusal.other
        self._journal.note("act.refused", actor=actor, act=refusal.act, reason=refusal.reason)
        if self._homes.is_person(actor):
            shown = await self._name(other) if other else ""
            said = texts.refused_act(refusal.act, refusal.reason, other=shown)
            await self._say(actor, said, f"refused-{refusal.id}-actor")
        if refusal.reason == "other_unverified" and other and self._homes.is_person(other):
            await self._say(other, texts.refused_other(actor=await self._name(actor)), f"refused-{refusal.id}-other")

    def _too_often(self, fields: tuple[str, ...]) -> bool:
        now = monotonic()
        self._noted = {k: kept for k, ats in self._noted.items() if (kept := [a for a in ats if now - a < _WITHIN_S])}
        times = self._noted.setdefault(fields, [])
        times.append(now)
        return len(times) > _SAME_MAX

    async def _say(self, user: UserId, body: str, txn: str) -> None:
        try:
            room = await self._homes.ensure(user)
            await self._home.send(room, text(body), txn=txn)
        except HomeRefused as error:
            log_event(log, "refusal.not_told", code=error.errcode)

    async def _name(self, user: UserId) -> str:
        held = await self._people.attestation_of(user)
        if held is not None and held.is_valid(self._clock.now()):
            return held.name
        return f"le compte « {localpart(user)} »"
