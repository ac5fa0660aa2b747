"""Searching and contacting, wired: what `app` needs to know of them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from colloque.book import AttestationBook
from colloque.bot_service import Parts
from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.config import Config
from colloque.directory.lookup import AgeRules, Directory
from colloque.directory.open import open_directory
from colloque.errors import BadInput
from colloque.identity import RoomId, Rpps, parse_user_id
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.finding.contact import Contacting
from colloque_annuaire.finding.direct import Direct
from colloque_annuaire.finding.finding import Finding
from colloque_annuaire.rules.results import today
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import DirectRooms, Results
from colloque_annuaire.store.vouching import Vouches


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people ask for people."""

    finding: Finding
    contacting: Contacting
    direct: Direct
    results: Results
    clock: Clock

    async def tidy(self) -> None:
        """Finish the rooms that were left half made, forget old results. Raises Temporary."""
        await self.direct.finish_all()
        await self.results.forget_old(self.clock.now())

    async def forget_direct(self, *, room: str) -> JsonDict:
        """For @salles: the conversation is erased; nothing here names it any more."""
        await self.direct.forget(RoomId(room))
        return {}

    async def result(self, *, user: str, n: int) -> JsonDict:
        """For the bridge: whose number a result of that account's is, today: `{"rpps" or "adeli", "homonyms"}`.

        Empty where that number was not given. Raises BadInput.
        """
        if not isinstance(n, int):
            raise BadInput("a result's number is a whole number")
        listed = await self.results.get(parse_user_id(user), today(self.clock.now()), n)
        if listed is None:
            return {}
        kind = "rpps" if isinstance(listed.number, Rpps) else "adeli"
        return {kind: listed.number.value, "homonyms": listed.homonyms}


def open_desk(
    stack: AsyncExitStack,
    *,
    config: Config,
    parts: Parts,
    directory: Directory,
    ages: AgeRules,
    people: People,
    homes: Homes,
    book: AttestationBook,
) -> Desk:
    """All three, on the service's parts; what they open is closed by `stack`."""
    # A search takes long enough for others to wait for its lock: it has the directory opened a second time.
    slow = open_directory(config.annuaire.directory, parts.clock)
    stack.callback(slow.close)
    results = Results(parts.db)
    direct = Direct(
        home=parts.home,
        server=parts.admin,
        homes=homes,
        rooms=DirectRooms(parts.db),
        results=results,
        people=people,
        keys=parts.keys,
        journal=parts.journal,
        clock=parts.clock,
        keep=timedelta(seconds=config.salles.direct.keep_s),
    )
    finding = Finding(
        config=config,
        directory=directory,
        slow=slow,
        ages=ages,
        results=results,
        people=people,
        vouches=Vouches(parts.db),
        book=book,
        clock=parts.clock,
    )
    contacting = Contacting(
        directory=directory,
        ages=ages,
        results=results,
        direct=direct,
        book=book,
        journal=parts.journal,
        clock=parts.clock,
    )
    return Desk(finding, contacting, direct, results, parts.clock)
