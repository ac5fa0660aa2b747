"""A "oui" in a home room stands for the command above it, typed again with `oui` at its end."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock
from colloque.commands import Call, parse
from colloque.identity import UserId
from colloque.matrix.home import Incoming, without_quote
from colloque_annuaire.finding.contact import ANSWER_WITHIN
from colloque_annuaire.rules.results import says_yes
from colloque_annuaire.store.asking import Asked, Asking
from colloque_annuaire.store.results import Results


class Confirming:
    """One instance a service. Only verified people are asked anything here."""

    def __init__(self, *, asking: Asking, results: Results, book: AttestationBook, clock: Clock) -> None:
        self._asking = asking
        self._results = results
        self._book = book
        self._clock = clock
        self._handlers: Mapping[str, Handler] = {}

    def serve(self, handlers: Mapping[str, Handler]) -> None:
        """From now on these are called again with the yes, by command name."""
        self._handlers = handlers

    async def ask(self, user: UserId, line: str) -> None:
        """The person is about to be asked whether they mean it. `line`: their command, without `!` and `oui`."""
        await self._asking.put(user, Asked(line, self._clock.now()))

    async def answers(self, message: Incoming, reply: Reply) -> bool:
        """A text that is no command: True when it was the yes that we waited for.

        The question stays, so that a yes that is heard again after a crash is understood again.
        """
        user, now = message.sender, self._clock.now()
        if not says_yes(without_quote(message.body)) or self._book.of(user, now) is None:
            return False
        asked = await self._asking.of(user)
        if asked is None or now - asked.at > ANSWER_WITHIN:
            return False
        later = await self._results.question(user)
        if later is not None and later.at > asked.at:
            return False  # `!contacter` asked something since.
        call = parse(f"!{asked.line} oui")
        if not isinstance(call, Call) or call.command.name not in self._handlers:
            return False
        await self._handlers[call.command.name](call, message, reply)
        return True

    async def tidy(self) -> None:
        """Forget what nobody answered."""
        await self._asking.forget_old(self._clock.now() - ANSWER_WITHIN)
