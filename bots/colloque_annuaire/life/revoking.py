"""`!revoquer` and `!retablir`, in the admin room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from colloque.audit import SYSTEM
from colloque.bot import Handler, Reply
from colloque.calls import JsonDict
from colloque.commands import Call, fold
from colloque.errors import BadIdentifier, BadInput, Refused
from colloque.identity import UserId, digest, parse_user_id
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque.sockets import Verb
from colloque.store.journal import Journal
from colloque_annuaire.accounts.homes import Homes
from colloque_annuaire.life.ending import Closing
from colloque_annuaire.rules.results import says_yes
from colloque_annuaire.store.people import People
from colloque_annuaire.texts import ending as texts


class Revoking:
    """One method a command."""

    def __init__(self, *, closing: Closing, people: People, homes: Homes, journal: Journal) -> None:
        self._closing = closing
        self._people = people
        self._homes = homes
        self._journal = journal

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {"revoquer": self.revoke, "retablir": self.restore}

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """What the `colloque` command may ask: for an operator when no administrator can type."""
        return {"revoke": self.revoke_ordered, "restore": self.restore_ordered}

    async def revoke_ordered(self, user: str, motive: str) -> JsonDict:
        """Raises Refused (nobody here has that account), BadInput (another motive)."""
        if motive not in texts.MOTIVES:
            raise BadInput(f"the motive must be one of {', '.join(texts.MOTIVES)}")
        await self._take_away(await self._known(user), motive, by=SYSTEM)
        return {}

    async def restore_ordered(self, user: str) -> JsonDict:
        """`{"said": …}`. Raises Refused."""
        return {"said": await self._closing.give_back(await self._known(user), actor=UserId(SYSTEM))}

    async def _known(self, user: str) -> UserId:
        found = await self._account((user,))
        if found is None:
            raise Refused("account.unknown", "nobody here has that account")
        return found

    async def _take_away(self, user: UserId, motive: str, *, by: str) -> None:
        self._journal.note("person.revoke_ordered", actor=by, ref=digest(user), reason=motive)
        await self._closing.end(user, End.ADMIN)

    async def revoke(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!revoquer @compte MOTIF [oui]`: the second time with `oui`."""
        user = await self._account(call.words)
        motive = next((word for raw in call.words[1:] if (word := fold(raw)) in texts.MOTIVES), None)
        if user is None:
            await reply(texts.UNKNOWN if call.words else texts.WHO)
        elif user == message.sender:
            await reply(texts.YOURSELF)
        elif motive is None:
            await reply(texts.MOTIVE)
        elif not says_yes(call.words[-1]):
            held = await self._people.attestation_of(user)
            await reply(texts.confirm(held.name if held is not None else "", user, motive))
        else:
            await self._take_away(user, motive, by=message.sender)
            await reply(texts.REVOKED)

    async def restore(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!retablir @compte`."""
        user = await self._account(call.words)
        if user is None:
            await reply(texts.UNKNOWN if call.words else texts.WHO_BACK)
        else:
            await reply(await self._closing.give_back(user, actor=message.sender))

    async def _account(self, words: Sequence[str]) -> UserId | None:
        """A person of this server who has an account, by its full name."""
        try:
            user = parse_user_id(words[0]) if words else None
        except BadIdentifier:
            return None
        if user is None or not self._homes.is_person(user):
            return None
        return user if await self._people.has_account(user) else None
