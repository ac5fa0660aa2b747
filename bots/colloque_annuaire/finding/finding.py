"""`!chercher`, `!suite` and `!qui`. What somebody types is never logged nor stored: it may name a patient."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from colloque.attestation import Attestation, Kind
from colloque.book import AttestationBook
from colloque.bot import Reply
from colloque.clock import Clock, start_of_day_in_paris
from colloque.commands import Call
from colloque.config import Config
from colloque.directory.lookup import Age, AgeRules, Directory, Page, Query, Understood
from colloque.errors import BadInput, NotFound
from colloque.identity import Adeli, EventId, MssanteAddress, Rpps, UserId, localpart, server_of
from colloque.logs import event as log_event
from colloque.matrix.home import Incoming
from colloque.numbers import fold
from colloque.professional import Professional
from colloque_annuaire.rules.results import Line, Listed, is_long_number, mentioned, reach_of, today, whom
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import Results
from colloque_annuaire.store.vouching import Vouches
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import finding as said
from colloque_annuaire.texts import kinds as texts_kinds

PAGE = 5
"""People on a page: what a phone shows without much scrolling."""
PER_MINUTE, PER_DAY = 30, 500
"""Questions an account may ask: plenty for anybody, too few to copy the country out."""
MOST_CHARS = 200
REMEMBER = timedelta(hours=1)
"""How long `!suite` goes on with a search."""
SEARCH = "search"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Search:
    """The page last shown to somebody; in memory only."""

    words: str
    offset: int
    total: int
    event: EventId
    """The command that it answered: heard again, it shows the same page."""
    at: datetime


class Finding:
    """`directory` answers at once; `slow` is the same one, opened apart, for searches in a thread of their own."""

    def __init__(
        self,
        *,
        config: Config,
        directory: Directory,
        slow: Directory,
        ages: AgeRules,
        results: Results,
        people: People,
        vouches: Vouches,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._config = config
        self._directory = directory
        self._slow = slow
        self._ages = ages
        self._results = results
        self._people = people
        self._vouches = vouches
        self._book = book
        self._clock = clock
        self._last: dict[UserId, _Search] = {}
        self._one_search = asyncio.Lock()

    async def search(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!chercher WORDS…`: the first page."""
        if not call.rest:
            await reply(said.WHAT_TO_FIND)
        elif len(call.rest) > MOST_CHARS:
            await reply(said.TOO_LONG)
        elif await self._may_ask(message, reply):
            await reply(await self._page(message, call.rest, 0))

    async def more(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """`!suite`: the next page of this person's last search."""
        self._forget_old()
        last = self._last.get(message.sender)
        if last is None:
            await reply(said.NO_SEARCH)
            return
        offset = last.offset if last.event == message.event else last.offset + PAGE
        if offset >= last.total:
            await reply(said.NO_MORE)
        elif await self._may_ask(message, reply):
            await reply(await self._page(message, last.words, offset))

    async def who(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!qui ACCOUNT | ADDRESS | NUMBER | RESULT`."""
        asked = whom(call.rest, test=self._config.test) or mentioned(message.content, self._config.bots)
        if asked is None:
            await reply(said.BAD_NUMBER if is_long_number(call.rest) else said.WHO)
        elif await self._may_ask(message, reply):
            try:
                await reply(await self._who(asked, message.sender))
            except NotFound:
                await reply(texts.DIRECTORY_EMPTY)

    async def _page(self, message: Incoming, words: str, offset: int) -> str:
        now, user = self._clock.now(), message.sender
        await self._results.drop_question(user)
        try:
            found = await self._ask(Query(words, limit=PAGE, offset=offset))
            age = self._age(now)
            if not found.total:
                wider = [(w, (await self._ask(Query(w, limit=1))).total) for w in _wider(words, found.understood) if w]
                without = [(w, count) for w, count in wider if count]
                return said.nothing(found.understood, without, made_at=found.made_at, age=age)
        except BadInput:
            return said.WHAT_TO_FIND
        except NotFound:
            return texts.DIRECTORY_EMPTY
        listed = [Listed(m.person.number, m.homonyms) for m in found.matches]
        numbers = await self._results.number(user, today(now), message.event, listed)
        self._forget_old()
        self._last[user] = _Search(words, offset, found.total, message.event, now)
        if not listed:
            return said.NO_MORE
        own = self._book.of(user, now)
        lines = [
            Line(
                n,
                match.person,
                match.homonyms,
                reach_of(match.person, self._attested(match.person.rpps, now)),
                is_asker=own is not None and own.rpps == match.person.rpps,
            )
            for n, match in zip(numbers, found.matches, strict=True)
        ]
        shown = offset + len(lines)
        return said.page(
            lines, shown=shown, total=found.total, understood=found.understood, made_at=found.made_at, age=age
        )

    async def _who(self, asked: UserId | MssanteAddress | Rpps | Adeli | int, asker: UserId) -> str:
        match asked:
            case str():
                return await self._account(asked)
            case MssanteAddress():
                return await self._address(asked)
            case int():
                listed = await self._results.get(asker, today(self._clock.now()), asked)
                return said.no_result(asked) if listed is None else await self._person(listed.number)
            case Rpps() | Adeli():
                return await self._person(asked)

    async def _account(self, user: UserId) -> str:
        now = self._clock.now()
        ours = server_of(user) == self._config.homeserver.server_name
        if user in self._config.bots:
            return said.BOT
        if ours and localpart(user).startswith(self._config.mssante.ghost_prefix):
            return said.GHOST
        # Ours are told of when their verification has ended, too; others only while they are admitted here.
        held = await self._people.attestation_of(user) if ours else self._book.of(user, now)
        if held is None:
            return said.NOT_VERIFIED if ours else said.remote(server_of(user))
        made_at, age = self._source(now)
        valid, person = held.is_valid(now), self._directory.by_rpps(held.rpps)
        match held.kind:
            case Kind.STAFF:
                return texts_kinds.staff(held, valid=valid)
            case Kind.SUPERVISED:
                answered = self._attested(held.under, now) is not None
                source = said.source(made_at, age)
                return texts_kinds.supervised(held, person, valid=valid and answered, source=source)
        named = await self._vouchers(held)
        return said.identity(person=person, held=held, valid=valid, made_at=made_at, age=age, vouchers=named)

    async def _vouchers(self, held: Attestation | None) -> list[str]:
        """On whose word it rests; empty when it rests on something else."""
        return [each.name for each in await self._vouches.behind(held.user)] if held is not None else []

    async def _address(self, address: MssanteAddress) -> str:
        if address.is_patient:
            return said.PATIENT_ADDRESS
        made_at, age = self._source(self._clock.now())
        box = self._directory.by_mssante(address)
        if box is None:
            trusted = self._directory.whitelisted(address.domain)
            return said.unknown_address(whitelisted=trusted, made_at=made_at, age=age)
        owner = box.rpps or box.adeli
        if owner is None:
            return said.shared_mailbox(box, made_at=made_at, age=age)
        return await self._person(owner, note=said.OWN_ADDRESS)

    async def _person(self, number: Rpps | Adeli, *, note: str = "") -> str:
        now = self._clock.now()
        made_at, age = self._source(now)
        person = self.listed(number)
        rpps = person.rpps if person is not None else number if isinstance(number, Rpps) else None
        held = self._attested(rpps, now)
        if person is None and held is None:
            return said.unknown_number(made_at, age)
        return said.identity(
            person=person,
            held=held,
            valid=held is not None,
            made_at=made_at,
            age=age,
            note=note,
            vouchers=await self._vouchers(held),
        )

    def listed(self, number: Rpps | Adeli) -> Professional | None:
        """The person who goes by that number today, or went by it before."""
        if isinstance(number, Rpps):
            return self._directory.by_rpps(number)
        return self._directory.by_adeli(number)

    def _attested(self, rpps: Rpps | None, now: datetime) -> Attestation | None:
        return self._book.of_rpps(rpps, now) if rpps is not None else None

    async def _ask(self, query: Query) -> Page:
        async with self._one_search:
            return await asyncio.to_thread(self._slow.search, query)

    async def _may_ask(self, message: Incoming, reply: Reply) -> bool:
        """Count the question, unless there were too many: then say so."""
        now, user, event = self._clock.now(), message.sender, message.event
        for most, since, words in (
            (PER_DAY, start_of_day_in_paris(now), said.TOO_MANY),
            (PER_MINUTE, now - timedelta(minutes=1), said.TOO_FAST),
        ):
            if await self._results.counted(user, SEARCH, since, but=event) >= most:
                log_event(log, "search.limited", most=most)
                await reply(words)
                return False
        await self._results.count(user, SEARCH, event, now)
        return True

    def _source(self, now: datetime) -> tuple[datetime, Age]:
        fresh = self._directory.freshness()
        return fresh.made_at, fresh.age(now, self._ages)

    def _age(self, now: datetime) -> Age:
        return self._source(now)[1]

    def _forget_old(self) -> None:
        oldest = self._clock.now() - REMEMBER
        self._last = {user: kept for user, kept in self._last.items() if kept.at > oldest}


def _wider(typed: str, understood: Understood) -> Iterator[str]:
    """Searches that ask for less, as words to type: the name alone, all but the name, the trade alone."""
    others = understood.trades + understood.places
    if understood.names and others:
        yield " ".join(understood.names)
        yield " ".join(w for w in typed.split() if fold(w) not in {*understood.names, *understood.ignored})
    elif understood.trades and understood.places:
        yield understood.trades[0]
