"""Which account somebody means: by its name, a mention, a result's number, an RPPS number or an address."""

from __future__ import annotations

from colloque.book import AttestationBook
from colloque.clock import Clock
from colloque.commands import Call
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.errors import NotFound
from colloque.identity import Adeli, MssanteAddress, Rpps, UserId, localpart, server_of
from colloque.matrix.home import Incoming
from colloque_annuaire.rules.results import is_long_number, mentioned, today, whom
from colloque_annuaire.rules.unnamed import Unnamed
from colloque_annuaire.store.people import People
from colloque_annuaire.store.results import Results


class Naming:
    """One instance a service."""

    def __init__(
        self,
        *,
        config: Config,
        directory: Directory,
        results: Results,
        people: People,
        book: AttestationBook,
        clock: Clock,
    ) -> None:
        self._config = config
        self._directory = directory
        self._results = results
        self._people = people
        self._book = book
        self._clock = clock

    async def account(self, call: Call, message: Incoming) -> UserId | Unnamed:
        """The account that is meant, of this server or a listed one, verified or not."""
        named = await self.named(call, message)
        return named if isinstance(named, Unnamed) else await self._existing(named)

    async def named(self, call: Call, message: Incoming) -> UserId | Unnamed:
        """The same, whether or not there is such an account."""
        asked = whom(call.rest, test=self._config.test) or mentioned(message.content, self._config.bots)
        match asked:
            case None:
                return Unnamed.BAD_NUMBER if is_long_number(call.rest) else Unnamed.NOTHING
            case str():
                return asked
            case int():
                listed = await self._results.get(message.sender, today(self._clock.now()), asked)
                return await self._holder(listed.number) if listed is not None else Unnamed.NO_RESULT
        return await self._holder(asked)

    async def _existing(self, user: UserId) -> UserId | Unnamed:
        self._book.refresh()
        if user in self._config.bots or user in self._book.state.bots:
            return Unnamed.BOT
        if server_of(user) != self._config.homeserver.server_name:
            return user if self._book.is_listed(server_of(user), self._clock.now()) else Unnamed.ELSEWHERE
        if localpart(user).startswith(self._config.mssante.ghost_prefix):
            return Unnamed.BOT
        return user if await self._people.has_account(user) else Unnamed.ELSEWHERE

    async def _holder(self, number: Rpps | Adeli | MssanteAddress) -> UserId | Unnamed:
        """Of whoever is, or was, attested as that professional."""
        rpps = number if isinstance(number, Rpps) else self._rpps(number)
        if rpps is None:
            return Unnamed.NO_ACCOUNT
        self._book.refresh()
        known = self._book.state.by_rpps.get(rpps)
        return known.user if known is not None else await self._people.holder_of(rpps) or Unnamed.NO_ACCOUNT

    def _rpps(self, number: Adeli | MssanteAddress) -> Rpps | None:
        try:
            if isinstance(number, MssanteAddress):
                box = self._directory.by_mssante(number)
                return box.rpps if box is not None else None
            person = self._directory.by_adeli(number)
        except NotFound:
            return None
        return person.rpps if person is not None else None
