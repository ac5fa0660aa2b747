"""Every new directory in use: all attested people are looked up again, and what follows is done, journaled and told.

Nothing is written before everybody was looked up in one and the same edition. Every act is one transaction with what
must be told of it; whatever a crash interrupts is taken up again at the next start, and nobody is told twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from colloque.attestation import Kind
from colloque.clock import Clock, to_millis
from colloque.directory.lookup import AgeRules, Directory
from colloque.errors import HomeRefused, Inconsistent, NotFound
from colloque.identity import UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.policy.ending import End
from colloque.policy.presence import Grace, Presence, State, Step, Turn, look, too_many
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.directory.freshness import believable
from colloque_annuaire.directory.looking import CHUNK, Ask, Look, Watched, ask_fhir, chunks, look_up
from colloque_annuaire.store.people import People
from colloque_annuaire.store.presence import Edition, Kept, Presences, Stage
from colloque_annuaire.texts import presence as texts

log = logging.getLogger(__name__)

_ACTS = {
    Turn.MISSING: "person.missing",
    Turn.FROZEN: "person.missing",
    Turn.BACK: "person.back",
    Turn.GONE: "person.end",
    Turn.RETURNED: "person.back",
}
_RENAME = "person.rename"
_INCIDENT = "presence."


Ends = Callable[[UserId, End], Awaitable[None]]
Bars = Callable[[UserId], Awaitable[End | None]]
"""Why an administrator alone may give somebody's access back; None when that is not so."""


class Verification:
    """One instance a service, one look at a time."""

    def __init__(
        self,
        *,
        people: People,
        presences: Presences,
        directory: Directory,
        publication: Publication,
        journal: Journal,
        incidents: Incidents,
        home: Home,
        homes: Homes,
        clock: Clock,
        ages: AgeRules,
        grace: Grace,
        end: Ends,
        bar_of: Bars,
        ask: Ask | None = None,
    ) -> None:
        """`end` takes somebody's access away, for that reason; safe to repeat."""
        self._people = people
        self._presences = presences
        self._directory = directory
        self._publication = publication
        self._journal = journal
        self._incidents = incidents
        self._home = home
        self._homes = homes
        self._clock = clock
        self._ages = ages
        self._grace = grace
        self._end = end
        self._bar_of = bar_of
        self._ask = ask
        self._looked: Edition | None = None
        """Dealt with since this process began."""

    async def settle(self) -> None:
        """At start: end the journal's open acts by what the tables say was done."""
        kept = await self._presences.all()
        _, attestations = await self._people.all_attestations()
        by_rpps = {a.rpps.value: a for a in attestations if a.kind is Kind.PROFESSIONAL}
        rows = {k.rpps.value: k for k in kept.values()}
        for intent in self._journal.open_intents():
            rpps = str(intent.facts.get("rpps", ""))
            if intent.kind == _RENAME:
                known = by_rpps.get(rpps)
                done = known is not None and _rename_ref(known.user, known.name) == intent.ref
            elif intent.kind in _ACTS.values():
                row = rows.get(rpps)
                # Somebody who is back and has nothing to be told has no row any more.
                done = row.ref == intent.ref if row is not None else intent.kind == _ACTS[Turn.BACK]
            else:
                continue
            self._journal.end(intent.act, "done" if done else "not_done")

    async def confirm(self, actor: UserId) -> bool:
        """`!annuaire confirmer`: go on with the edition that is held. False when none is."""
        found = await self._presences.verified()
        if found is None or found[1] is not Stage.HELD:
            return False
        self._journal.note("directory.confirmed", actor=actor, ref=_edition_ref(found[0]))
        await self._presences.set_verified(found[0], Stage.CONFIRMED)
        return True

    async def run_once(self) -> None:
        """Deal with the directory in use unless that was done, then tell who was not told. Raises Temporary."""
        try:
            fresh = await asyncio.to_thread(self._directory.freshness)
        except (NotFound, Inconsistent):
            # Health and the admin room know; who was found missing before may still be told.
            await self._tell()
            return
        edition = Edition(fresh.made_at, fresh.imported_at)
        found = await self._presences.verified()
        stage = found[1] if found is not None and found[0] == edition else None
        if stage is not Stage.HELD and (stage is not Stage.DONE or self._looked != edition):
            await self._verify(edition, stage, fresh=believable(fresh, self._clock.now(), self._ages))
        await self._tell()

    async def _verify(self, edition: Edition, stage: Stage | None, *, fresh: bool) -> None:
        seen = await look_up(self._directory, edition, await self._watched(), fresh=fresh)
        if seen is None:
            return  # The next turn looks at what is there then.
        if stage is None and too_many(seen.newly_missing, seen.attested):
            await self._hold(seen)
            return
        await self._rename(seen)
        if self._ask is not None:
            await ask_fhir(seen, self._ask)
        for person in seen.people:
            step = look(person.kept.presence, seen.sight(person), self._grace)
            if step.after != person.kept.presence:
                await self._take(person, step, edition)
        # What people exercise may be different, even where nobody is missing.
        await self._publication.snapshot()
        await self._publication.names()
        await self._report(edition)
        await self._presences.set_verified(edition, Stage.DONE)
        self._looked = edition
        log_event(log, "presence.verified", people=len(seen.people), unlisted=len(seen.unlisted), fresh=fresh)

    async def _watched(self) -> list[Watched]:
        """Everybody attested today, and everybody of whom something is kept."""
        now = self._clock.now()
        _, attestations = await self._people.all_attestations()
        valid = {a.user: a for a in attestations if a.is_valid(now) and a.kind is Kind.PROFESSIONAL}
        out = []
        for kept in (await self._presences.all()).values():
            held = valid.pop(kept.user, None)
            if kept.presence.state is State.GONE and held is not None:
                # Proved themselves again since: begins anew.
                anew = Kept(kept.user, kept.rpps, Presence())
                await self._presences.put(anew)
                out.append(Watched(kept.user, kept.rpps, held, anew))
            else:
                out.append(Watched(kept.user, kept.rpps, held, kept))
        return out + [Watched(a.user, a.rpps, a, Kept(a.user, a.rpps, Presence())) for a in valid.values()]

    async def _hold(self, seen: Look) -> None:
        missing, attested = seen.newly_missing, seen.attested
        self._journal.note("directory.held", ref=_edition_ref(seen.edition), missing=missing, attested=attested)
        said = texts.held(seen.edition.made_at, missing=missing, attested=attested)
        await self._only(f"{_INCIDENT}held.{to_millis(seen.edition.imported_at)}", said)
        await self._presences.set_verified(seen.edition, Stage.HELD)

    async def _rename(self, seen: Look) -> None:
        changed = [
            (p.attestation, name)
            for p in seen.people
            if p.attestation is not None and (name := seen.names[p.user]) is not None and name != p.attestation.name
        ]
        for chunk in chunks(changed, CHUNK):
            acts = []
            for attestation, name in chunk:
                ref = _rename_ref(attestation.user, name)
                acts.append(self._journal.begin(_RENAME, ref=ref, rpps=attestation.rpps.value))
                await asyncio.sleep(0)
            await self._presences.rename(chunk)
            await self._publication.snapshot()
            for act in acts:
                self._journal.end(act, "done")
                await asyncio.sleep(0)

    async def _take(self, person: Watched, step: Step, edition: Edition) -> None:
        ref = digest(f"{step.turn} {person.user} {_edition_ref(edition)}")
        if step.handed_on:
            # Ended before the sighting is kept: a crash in between ends it again, which changes nothing.
            self._journal.note("person.inactive", ref=ref, rpps=person.rpps.value)
            await self._end(person.user, End.FHIR)
        if step.turn is Turn.DOUBTED:
            self._journal.note("person.contradiction", ref=ref, rpps=person.rpps.value)
        if step.turn not in _ACTS:
            await self._presences.put(Kept(person.user, person.rpps, step.after, person.kept.ref, person.kept.tell))
            return
        bar = await self._bar_of(person.user)
        # Whoever was not even told that they were missing need not be told that they are back. And no proof of
        # somebody revoked counts: what is asked of others would be idle.
        untold = bar is not None or (step.turn is Turn.BACK and person.kept.tell is Turn.MISSING)
        kept = Kept(person.user, person.rpps, step.after, ref, Turn.NONE if untold else step.turn)
        thaws = step.turn is Turn.BACK and person.kept.presence.days >= self._grace.freeze_days
        act = self._journal.begin(_ACTS[step.turn], ref=ref, rpps=person.rpps.value)
        listed = bar is End.FHIR and step.turn in {Turn.BACK, Turn.RETURNED}
        if listed:
            await self._incidents.open(f"ended.listed.{ref}", texts.LISTED_AGAIN)
        if step.turn is Turn.GONE:
            await self._end(person.user, End.GONE)
            await self._presences.put(kept)
        elif step.turn is Turn.FROZEN or thaws:
            await self._presences.freeze(kept, frozen=not thaws)
            await self._publication.snapshot()
        else:
            await self._presences.put(kept)
        if listed:
            await self._incidents.close(f"ended.listed.{ref}")
        self._journal.end(act, "done", days=step.after.days)

    async def _report(self, edition: Edition) -> None:
        """One incident an import, with counts only; none where nobody is concerned."""
        kept = list((await self._presences.all()).values())
        new = [k.presence.state for k in kept if k.presence.since == edition.made_at]
        missing, gone = new.count(State.MISSING), new.count(State.GONE)
        key = f"{_INCIDENT}{to_millis(edition.imported_at)}"
        if not missing and not gone:
            await self._only("", "")
            return
        said = texts.verified(
            edition.made_at,
            missing=missing,
            gone=gone,
            waiting=sum(k.presence.state is State.MISSING for k in kept),
            inactive=sum(k.presence.inactive > 1 for k in kept),
        )
        await self._only(key, said)

    async def _only(self, key: str, said: str) -> None:
        """Open this incident (none when empty), and close what earlier editions left open."""
        for other in await self._incidents.current():
            if other.startswith(_INCIDENT) and other != key:
                await self._incidents.close(other)
        if key:
            await self._incidents.open(key, said)

    async def _tell(self) -> None:
        for kept in await self._presences.to_tell():
            said = texts.presence(kept.tell, kept.presence.since, self._grace)
            try:
                room = await self._homes.ensure(kept.user)
                await self._home.send(room, text(said), txn=f"presence-{kept.ref}")
            except HomeRefused as error:
                log_event(log, "presence.not_told", level=logging.WARNING, code=error.errcode)
            await self._presences.told(kept)


def _rename_ref(user: UserId, name: str) -> str:
    return digest(f"rename {user} {name}")


def _edition_ref(edition: Edition) -> str:
    return digest(f"{to_millis(edition.made_at)} {to_millis(edition.imported_at)}")
