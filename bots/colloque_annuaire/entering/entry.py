"""How people come in by the page `/entrer`: a proof of identity, then their account and a one-time password.

What was proved is kept with the browser's visit until a password was shown: whatever fails or crashes on the way
goes on when the browser asks again. It is settled by `attesting`, as from anywhere else; who is not admitted gets no
account.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from colloque.attestation import Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, AgeRules, Directory
from colloque.errors import HomeRefused, LoginRefused, NotFound, Refused, Tampered
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.professional import Professional
from colloque.psc.authorize import code_of
from colloque.psc.http_provider import Provider
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.entering.entry_codes import EntryCodes
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.proving.ciba import INCIDENT
from colloque_annuaire.rules.enrol import No, judge_profession
from colloque_annuaire.store.entry import Links, Passes
from colloque_annuaire.store.entry_sessions import Proved, Visits
from colloque_annuaire.store.people import People
from colloque_annuaire.store.proofs import Proof
from colloque_annuaire.texts import psc as texts_psc

log = logging.getLogger(__name__)

STALE = "directory_stale"
EMPTY = "directory_empty"
ENDED = "visit_ended"
NOT_ATTESTED = "not_attested"
"""Codes of refusals of this page alone, beside those of `enrol.No` and `psc.claims.No`."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody may come in."""

    user: UserId
    password: str = field(repr=False)
    asked: str = ""
    """What @annuaire asks in the home room, before they count as verified; empty when nothing is open."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody has an account on other servers, and none here."""

    organisations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PscLogin:
    """Logins at Pro Santé Connect, and where browsers come back from there."""

    provider: Provider
    issuer: str
    redirect_uri: str


class Entry:
    """One instance a service. Visits are named by `visit_id` of the browser's cookie."""

    def __init__(
        self,
        *,
        visits: Visits,
        people: People,
        directory: Directory,
        attesting: Attesting,
        accounts: Accounts,
        passes: Passes,
        links: Links,
        codes: EntryCodes,
        home: Home,
        homes: Homes,
        incidents: Incidents,
        journal: Journal,
        clock: Clock,
        ages: AgeRules,
        psc: PscLogin | None,
    ) -> None:
        """`psc`: None where Pro Santé Connect is not asked."""
        self._visits = visits
        self._people = people
        self._directory = directory
        self._attesting = attesting
        self._accounts = accounts
        self._passes = passes
        self._links = links
        self._codes = codes
        self._home = home
        self._homes = homes
        self._incidents = incidents
        self._journal = journal
        self._clock = clock
        self._ages = ages
        self._psc = psc
        self._lock = asyncio.Lock()

    @property
    def by_psc(self) -> bool:
        """Whether Pro Santé Connect is offered."""
        return self._psc is not None

    async def proved(self, visit: str) -> bool:
        """Whether the browser's holder has proved who they are: nothing is left but `enter`."""
        known = await self._visits.of(visit, self._clock.now())
        return known.proved is not None or known.result is not None

    # by Pro Santé Connect

    async def to_psc(self, visit: str) -> str:
        """Where the browser goes. Raises Refused where Pro Santé Connect is not asked."""
        if self._psc is None:
            raise Refused(ENDED)
        begun = self._psc.provider.begin(self._psc.redirect_uri)
        await self._visits.to_psc(visit, begun, self._clock.now())
        return begun.url

    async def from_psc(self, visit: str, query: Mapping[str, str]) -> None:
        """The browser is back: keep who it is. Raises Refused, Tampered, Temporary, LoginRefused."""
        begun = await self._visits.from_psc(visit, self._clock.now())
        if begun is None or self._psc is None:
            raise Refused(ENDED)
        try:
            code = code_of(query, begun, self._psc.issuer)
        except Tampered:
            # Anybody can send a browser here with an answer made up: nothing that an operator must see.
            raise Refused(ENDED) from None
        try:
            who = await self._psc.provider.finish(code, begun, self._psc.redirect_uri)
        except (Tampered, LoginRefused):
            await self._incidents.open(INCIDENT, texts_psc.TROUBLE)
            raise
        await self._incidents.close(INCIDENT)
        await self._keep(visit, who.rpps, Method.PSC)

    # by a code in the MSSanté mailbox

    async def send_code(self, visit: str, rpps: Rpps, choice: int | None) -> str:
        """Mail a code; the address it went to. Raises Refused (a `No`), Temporary."""
        return await self._codes.send(visit, self._listed(rpps), rpps, choice)

    async def check_code(self, visit: str, typed: str) -> None:
        """Keep who it is when the digits are right. Raises Refused (a `No`)."""
        await self._keep(visit, await self._codes.check(visit, typed), Method.MAILBOX_CODE)

    # by a link

    async def link(self, secret: str) -> UserId | None:
        """Whose link it is; looking uses nothing up."""
        return await self._links.of(secret, self._clock.now())

    async def use_link(self, visit: str, secret: str) -> Entered:
        """Raises Refused when it can't be used (any more)."""
        now = self._clock.now()
        async with self._lock:
            user = await self._links.of(secret, now) or (await self._visits.of(visit, now)).result
            if user is None:
                raise Refused(ENDED)
            password = await self._passes.make(user, now)
            await self._visits.show(visit, user, now)
            # Last: what a crash interrupts leaves the link as it was.
            await self._links.use(secret, now)
        self._journal.note("account.link_used", actor=user)
        return Entered(user, password)

    # whoever has proved themselves

    async def enter(self, visit: str, *, moving: bool = False) -> Entered | Elsewhere:
        """An account and a password for whoever has proved who they are; safe to repeat.

        `moving`: have the account on the other server closed. Raises Refused, Temporary: nothing is lost.
        """
        known = await self._visits.of(visit, self._clock.now())
        if known.result is not None:
            return await self._show(visit, known.result)
        proved = known.proved
        if proved is None:
            raise Refused(ENDED)
        if moving and not proved.moving:
            proved = replace(proved, moving=True)
            await self._visits.prove(visit, proved, self._clock.now())
        if await self._attesting.is_barred(UserId(""), proved.rpps):
            raise Refused(No.BARRED)
        try:
            person = self._listed(proved.rpps)
        except Refused as error:
            # Neither an old directory nor an absence shuts out whoever is verified: a new session, nothing else.
            return await self._known(visit, proved.rpps, error)
        if (unfit := judge_profession(person)) is not None:
            raise Refused(unfit)
        if not proved.moving and await self._people.holder_of(proved.rpps) is None:
            others = await self._attesting.elsewhere(proved.rpps)
            if others:
                return Elsewhere(tuple(others))
        user = await self._accounts.of_professional(
            proved.rpps, person.given_name, person.family_name, person.display_name
        )
        return await self._show(visit, user, await self._attest(user, proved, known.code))

    async def _attest(self, user: UserId, proved: Proved, code: EventId | None) -> str:
        """What is still asked of the person. Raises Refused when they can't be verified after all."""
        proof = Proof(user, proved.rpps, proved.method, proved.ref, moving=proved.moving)
        said = await self._attesting.take(proof, code)
        if not await self._attesting.known(proved.ref):
            raise Refused(NOT_ATTESTED)
        try:
            await self._home.send(await self._homes.ensure(user), text(said), txn=f"entry-{digest(proved.ref)}")
        except HomeRefused as error:
            log_event(log, "entry.not_told", level=logging.WARNING, code=error.errcode)
        return "" if await self._people.holder_of(proved.rpps) == user else said

    async def _known(self, visit: str, rpps: Rpps, why_not: Refused) -> Entered:
        """Raises `why_not` when nobody here is verified as that professional today."""
        user = await self._people.holder_of(rpps)
        held = await self._people.attestation_of(user) if user is not None else None
        if held is None or not held.is_valid(self._clock.now()):
            raise why_not
        return await self._show(visit, held.user)

    async def _show(self, visit: str, user: UserId, asked: str = "") -> Entered:
        now = self._clock.now()
        async with self._lock:
            password = await self._passes.make(user, now)
            await self._visits.show(visit, user, now)
        return Entered(user, password, asked)

    async def _keep(self, visit: str, rpps: Rpps, method: Method) -> None:
        proved = Proved(rpps, method, EventId(f"$entry-{secrets.token_hex(16)}"))
        await self._visits.prove(visit, proved, self._clock.now())

    def _listed(self, rpps: Rpps) -> Professional:
        """Raises Refused: nobody is admitted on the word of an old directory, nor without one."""
        try:
            fresh = self._directory.freshness()
        except NotFound:
            raise Refused(EMPTY) from None
        if fresh.age(self._clock.now(), self._ages) is Age.STALE:
            raise Refused(STALE)
        person = self._directory.by_rpps(rpps)
        if person is None:
            raise Refused(No.UNKNOWN)
        return person
