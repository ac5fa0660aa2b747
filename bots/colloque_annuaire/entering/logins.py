"""Whether a one-time password opens a session, asked by the module inside Synapse at every login."""

from __future__ import annotations

from colloque.attestation import Kind
from colloque.calls import JsonDict
from colloque.clock import Clock
from colloque.directory.lookup import Directory
from colloque.errors import BadIdentifier, Inconsistent, NotFound
from colloque.identity import UserId, parse_user_id
from colloque.store.journal import Journal
from colloque_annuaire.rules.enrol import judge_profession
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry import Passes
from colloque_annuaire.store.people import People


class Logins:
    """One instance a service."""

    def __init__(
        self,
        *,
        passes: Passes,
        people: People,
        endings: Endings,
        directory: Directory,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._passes = passes
        self._people = people
        self._endings = endings
        self._directory = directory
        self._journal = journal
        self._clock = clock

    async def login(self, user: str, password: str) -> JsonDict:
        """`{"ok": true}` when the password is right, and the person may come in today. It is used up then."""
        try:
            known = parse_user_id(user)
        except BadIdentifier:
            return {"ok": False}
        right = await self._passes.check(known, password, self._clock.now())
        admitted = right and await self._may_come_in(known)
        if right:
            self._journal.note("account.login", actor=known, outcome="admitted" if admitted else "refused")
        return {"ok": admitted}

    async def _may_come_in(self, user: UserId) -> bool:
        """The directory is asked at every login. Who is missing from it is not shut out: absence proves little."""
        ending = await self._endings.of(user)
        if ending is not None and ending.why.locks:
            return False
        held = await self._people.attestation_of(user)
        if held is None or held.kind is not Kind.PROFESSIONAL:
            return True
        try:
            person = self._directory.by_rpps(held.rpps)
        except (NotFound, Inconsistent):
            return True
        return person is None or judge_profession(person) is None
