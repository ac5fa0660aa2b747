"""How people come in by the page `/entrer`: a proof of identity, then their account and a one-time password.

A visit (a browser's session) lives in memory for a quarter of an hour: a restart asks its holder to begin again. What
was proved is settled by `attesting`, as from anywhere else; who is not admitted gets no account.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from colloque.attestation import Method
from colloque.clock import Clock
from colloque.directory.lookup import Age, Directory
from colloque.errors import HomeRefused, NotFound, Refused
from colloque.identity import EventId, Rpps, UserId, digest
from colloque.logs import event as log_event
from colloque.matrix.home import Home, text
from colloque.professional import Professional
from colloque.psc.authorize import Begun, code_of
from colloque.psc.http_provider import Provider
from colloque_annuaire import texts_entry as texts
from colloque_annuaire.accounts import Accounts
from colloque_annuaire.attesting import Attesting
from colloque_annuaire.enrol import Ask, No, code_for, judge_code, judge_profession, may_send_code
from colloque_annuaire.flow import Mailer, Rules
from colloque_annuaire.homes import Homes
from colloque_annuaire.store import Code, People
from colloque_annuaire.store_entry import Links, Passes
from colloque_annuaire.store_proofs import Proof

log = logging.getLogger(__name__)

VISIT = timedelta(minutes=15)
MOST_VISITS = 5000
"""Browsers at once; the oldest visit makes room."""
STALE = "directory_stale"
EMPTY = "directory_empty"
ENDED = "visit_ended"
"""Codes of refusals of this page alone, beside those of `enrol.No` and `psc.claims.No`."""


@dataclass(slots=True)
class Visit:
    """One browser, since it opened the page."""

    at: datetime
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """Stands in every form: another site can't fill it in."""
    begun: Begun | None = field(default=None, repr=False)
    code: EventId | None = None
    """The one-time code that was mailed."""
    proved: Proof | None = None
    """What waits for the person to say that their other account is to be closed. (Its account is not made yet.)"""


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody may come in."""

    user: UserId
    password: str = field(repr=False)
    said: str
    """What @annuaire says to it in the home room."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody has an account on other servers, and none here."""

    organisations: tuple[str, ...]


class Entry:
    """One instance a service."""

    def __init__(
        self,
        *,
        people: People,
        directory: Directory,
        attesting: Attesting,
        accounts: Accounts,
        passes: Passes,
        links: Links,
        mailer: Mailer,
        home: Home,
        homes: Homes,
        clock: Clock,
        rules: Rules,
        secret: bytes,
        server_name: str,
        provider: Provider | None,
        issuer: str,
        redirect_uri: str,
    ) -> None:
        """`provider`: None where Pro Santé Connect is not asked."""
        self._people = people
        self._directory = directory
        self._attesting = attesting
        self._accounts = accounts
        self._passes = passes
        self._links = links
        self._mailer = mailer
        self._home = home
        self._homes = homes
        self._clock = clock
        self._rules = rules
        self._secret = secret
        self._server_name = server_name
        self._provider = provider
        self._issuer = issuer
        self._redirect_uri = redirect_uri
        self._visits: dict[str, Visit] = {}

    @property
    def by_psc(self) -> bool:
        """Whether Pro Santé Connect is offered."""
        return self._provider is not None

    def visit(self, cookie: str) -> Visit | None:
        """The browser's visit, while it lasts."""
        found = self._visits.get(cookie)
        if found is None or self._clock.now() - found.at >= VISIT:
            return None
        return found

    def begin(self) -> Visit:
        """A new visit."""
        now = self._clock.now()
        self._visits = {key: v for key, v in self._visits.items() if now - v.at < VISIT}
        while len(self._visits) >= MOST_VISITS:
            del self._visits[next(iter(self._visits))]
        made = Visit(now)
        self._visits[made.id] = made
        return made

    def end(self, visit: Visit) -> None:
        """Its password was shown, or it was refused: nothing of it counts any more."""
        self._visits.pop(visit.id, None)

    # by Pro Santé Connect

    def to_psc(self, visit: Visit) -> str:
        """Where the browser goes."""
        if self._provider is None:
            raise NotFound("Pro Santé Connect is not asked here")
        visit.begun = self._provider.begin(self._redirect_uri)
        return visit.begun.url

    async def from_psc(self, visit: Visit, query: dict[str, str]) -> Entered | Elsewhere:
        """The browser is back. Raises Refused, Tampered, Temporary, LoginRefused."""
        begun, visit.begun = visit.begun, None
        if begun is None or self._provider is None:
            raise Refused(ENDED)
        code = code_of(query, begun, self._issuer)
        identity = await self._provider.finish(code, begun, self._redirect_uri)
        return await self._admit(visit, identity.rpps, Method.PSC, EventId(f"$psc-{secrets.token_hex(16)}"))

    # by a code in the MSSanté mailbox

    async def send_code(self, visit: Visit, rpps: Rpps, choice: int | None) -> str:
        """Mail a code; the address it went to, shortened. Raises Refused (a `No`), Temporary."""
        self._listed(rpps)
        now = self._clock.now()
        who = UserId(f"@entrer.{digest(visit.id)}:{self._server_name}")  # Nobody's account: the browser's own count.
        by_user, by_rpps = await self._people.codes_since(now - timedelta(days=1), user=who, rpps=rpps)
        ask = Ask(
            user=who,
            rpps=rpps,
            person=self._directory.by_rpps(rpps),
            held=None,
            holder=None,
            codes_of_user=by_user,
            codes_of_rpps=by_rpps,
            choice=choice,
            barred=await self._attesting.is_barred(who, rpps),
        )
        verdict = may_send_code(ask, per_day=self._rules.per_day, now=now)
        if isinstance(verdict, No):
            raise Refused(verdict)
        event = EventId(f"$entry-{secrets.token_hex(16)}")
        await self._people.add_code(
            Code(event, who, rpps, verdict.address, now + self._rules.code_life, 0, "open"), now
        )
        digits = code_for(self._secret, event, rpps, verdict.address)
        await self._mailer.send(
            key=f"code-{digest(event)}",
            to=verdict.address,
            subject=texts.CODE_SUBJECT,
            text=texts.code_mail(digits, person=ask.person, life=self._rules.code_life),
        )
        visit.code = event
        return str(verdict.address)

    async def check_code(self, visit: Visit, typed: str) -> Entered | Elsewhere:
        """Raises Refused (a `No`), Temporary."""
        code = await self._people.code_asked_by(visit.code) if visit.code is not None else None
        if code is None:
            raise Refused(No.NO_CODE)
        right = code_for(self._secret, code.event, code.rpps, code.address)
        now = self._clock.now()
        problem = judge_code(typed=typed, right=right, state=code.state, expires_at=code.expires_at, now=now)
        if problem is No.WRONG and not await self._people.count_try(code.event, self._rules.tries):
            problem = No.DEAD
        if problem is not None:
            raise Refused(problem)
        visit.code = None
        return await self._admit(visit, code.rpps, Method.MAILBOX_CODE, EventId(f"{code.event}-proof"), code.event)

    # by a link

    async def link(self, secret: str) -> UserId | None:
        """Whose link it is; looking uses nothing up."""
        return await self._links.of(secret, self._clock.now())

    async def use_link(self, secret: str) -> Entered:
        """Raises Refused when it can't be used (any more)."""
        now = self._clock.now()
        user = await self._links.use(secret, now)
        if user is None:
            raise Refused(ENDED)
        return Entered(user, await self._passes.make(user, now), "")

    # whoever has proved themselves

    async def move(self, visit: Visit) -> Entered:
        """Come in here, and have the account on the other server closed. Raises Refused, Temporary."""
        proof, visit.proved = visit.proved, None
        if proof is None:
            raise Refused(ENDED)
        return await self._enter(self._listed(proof.rpps), proof.rpps, proof.method, proof.ref, None, moving=True)

    async def _admit(
        self, visit: Visit, rpps: Rpps, method: Method, ref: EventId, code: EventId | None = None
    ) -> Entered | Elsewhere:
        if await self._attesting.is_barred(UserId(""), rpps):
            raise Refused(No.BARRED)
        try:
            person = self._listed(rpps)
        except Refused:
            # Neither an old directory nor an absence shuts out whoever is verified: a new session, nothing else.
            return await self._known(rpps)
        if (barred := judge_profession(person)) is not None:
            raise Refused(barred)
        if await self._people.holder_of(rpps) is None and (others := await self._attesting.elsewhere(rpps)):
            visit.proved = Proof(UserId(""), rpps, method, ref)
            return Elsewhere(tuple(others))
        return await self._enter(person, rpps, method, ref, code, moving=False)

    async def _known(self, rpps: Rpps) -> Entered:
        """Raises Refused, as `_listed` did, when nobody here is verified as that professional today."""
        user = await self._people.holder_of(rpps)
        held = await self._people.attestation_of(user) if user is not None else None
        if held is None or not held.is_valid(self._clock.now()):
            self._listed(rpps)
            raise Refused(No.UNKNOWN)
        return Entered(held.user, await self._passes.make(held.user, self._clock.now()), "")

    def _listed(self, rpps: Rpps) -> Professional:
        """Raises Refused: nobody is admitted on the word of an old directory, nor without one."""
        try:
            fresh = self._directory.freshness()
        except NotFound:
            raise Refused(EMPTY) from None
        if fresh.age(self._clock.now(), self._rules.ages) is Age.STALE:
            raise Refused(STALE)
        person = self._directory.by_rpps(rpps)
        if person is None:
            raise Refused(No.UNKNOWN)
        return person

    async def _enter(
        self, person: Professional, rpps: Rpps, method: Method, ref: EventId, code: EventId | None, *, moving: bool
    ) -> Entered:
        user = await self._accounts.of_professional(rpps, person.given_name, person.family_name, person.display_name)
        said = await self._attesting.take(Proof(user, rpps, method, ref, moving=moving), code)
        password = await self._passes.make(user, self._clock.now())
        try:
            await self._home.send(await self._homes.ensure(user), text(said), txn=f"entry-{digest(ref)}")
        except HomeRefused as error:
            log_event(log, "entry.not_told", level=logging.WARNING, code=error.errcode)
        return Entered(user, password, said)
