"""What the homeserver refused reaches the person, in French, in their home room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from colloque.attestation import Kind
from colloque.clock import Clock, monotonic, to_millis
from colloque.errors import HomeRefused
from colloque.identity import UserId, localpart
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.store.people import People, RefusedAct
from colloque_annuaire.texts import refusals as texts

log = logging.getLogger(__name__)

GROUPED_S = 60.0
AT_ONCE = 5
"""The same refusal, repeated within GROUPED_S, is told so many times at once (a person tries again, in other ways that
look the same from here); what comes after, as a client that retries by itself does, once at the end, with how often."""
COUNTED_S = 3600.0
"""Between two counts for the admin room."""

Fields = tuple[str, str, str, str]
"""actor, other, act, reason."""


@dataclass(slots=True)
class Group:
    """The same refusal, over and over."""

    since: float
    told: int = 1
    repeats: int = 0
    """Those not told yet."""


class Refusals:
    """Tells the actor; tells the other too when they only lack a verification and a verified colleague asked."""

    def __init__(
        self, *, home: Home, homes: Homes, people: People, journal: Journal, incidents: Incidents, clock: Clock
    ) -> None:
        self._home = home
        self._homes = homes
        self._people = people
        self._journal = journal
        self._incidents = incidents
        self._clock = clock
        self._groups: dict[Fields, Group] = {}
        self._counts: Counter[str] = Counter()
        self._counted = monotonic()
        self._news = asyncio.Event()

    async def note(self, acts: Iterable[Mapping[str, Any]]) -> None:
        """Keep what the homeserver reports, durably: `{"actor", "other", "act", "reason"}`, `other` may be empty."""
        for act in acts:
            actor, other, kind, reason = fields = _fields(act)
            self._counts[reason] += 1
            if (group := self._groups.get(fields)) is None:
                self._groups[fields] = Group(monotonic())
            elif group.told < AT_ONCE:
                group.told += 1
            else:
                group.repeats += 1
                continue
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
            await self._close_groups()
            await self._tell_counts()

    async def _close_groups(self) -> None:
        """What was repeated is told once more, with how often."""
        now = monotonic()
        for fields, group in [(f, g) for f, g in self._groups.items() if now - g.since >= GROUPED_S]:
            del self._groups[fields]
            actor, _, act, reason = fields
            if group.repeats and self._homes.is_person(UserId(actor)):
                said = texts.refused_again(act, reason, group.repeats)
                await self._say(UserId(actor), said, f"refused-again-{secrets.token_hex(12)}")

    async def _tell_counts(self) -> None:
        """To administrators: how many, for what reasons; never whom."""
        if not self._counts or monotonic() - self._counted < COUNTED_S:
            return
        counts, self._counts, self._counted = self._counts, Counter(), monotonic()
        key = f"refusals.{to_millis(self._clock.now())}"
        await self._incidents.open(key, texts.refused_counts(counts))
        await self._incidents.close(key)

    async def _tell(self, refusal: RefusedAct) -> None:
        actor, other = refusal.actor, refusal.other
        self._journal.note("act.refused", actor=actor, act=refusal.act, reason=refusal.reason)
        if self._homes.is_person(actor):
            shown = await self._name(other) if other else ""
            fault = await self._people.attestation_of(actor if refusal.reason.startswith("actor_") else other)
            supervised = fault is not None and fault.kind is Kind.SUPERVISED
            said = texts.refused_act(refusal.act, refusal.reason, other=shown, supervised=supervised)
            await self._say(actor, said, f"refused-{refusal.id}-actor")
        if refusal.act == "share" and other and self._homes.is_person(other):
            await self._say(other, texts.left_shared(refusal.reason), f"refused-{refusal.id}-other")
        if refusal.reason == "other_unverified" and other and self._homes.is_person(other):
            await self._say(other, texts.refused_other(actor=await self._name(actor)), f"refused-{refusal.id}-other")

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


def _fields(act: Mapping[str, Any]) -> Fields:
    actor, other, kind, reason = (str(act.get(key, "")) for key in ("actor", "other", "act", "reason"))
    return actor, other, kind, reason
