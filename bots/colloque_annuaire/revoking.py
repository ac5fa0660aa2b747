"""`!revoquer` and `!retablir`, in the admin room."""

from __future__ import annotations

from collections.abc import Mapping

from colloque.bot import Handler, Reply
from colloque.commands import Call, fold
from colloque.errors import BadIdentifier
from colloque.identity import UserId, digest, parse_user_id
from colloque.matrix.home import Incoming
from colloque.policy.ending import End
from colloque.store.journal import Journal
from colloque_annuaire import texts_ending as texts
from colloque_annuaire.ending import Closing
from colloque_annuaire.homes import Homes
from colloque_annuaire.results import says_yes
from colloque_annuaire.store import People


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

    async def revoke(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!revoquer @compte MOTIF [oui]`: the second time with `oui`."""
        user = await self._account(call)
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
            self._journal.note("person.revoke_ordered", actor=message.sender, ref=digest(user), reason=motive)
            await self._closing.end(user, End.ADMIN)
            await reply(texts.REVOKED)

    async def restore(self, call: Call, message: Incoming, reply: Reply) -> None:
        """`!retablir @compte`."""
        user = await self._account(call)
        if user is None:
            await reply(texts.UNKNOWN if call.words else texts.WHO_BACK)
        else:
            await reply(await self._closing.give_back(user, actor=message.sender))

    async def _account(self, call: Call) -> UserId | None:
        """A person of this server who has an account, by its full name."""
        try:
            user = parse_user_id(call.words[0]) if call.words else None
        except BadIdentifier:
            return None
        if user is None or not self._homes.is_person(user):
            return None
        return user if await self._people.has_account(user) else None
