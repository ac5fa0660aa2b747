"""`!inviter` and `!envoyer-par-mail`: the correspondent in the room, and what leaves as mail all the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.errors import HomeRefused, NotFound, Refused
from colloque.matrix.home import Incoming
from colloque.numbers import duration, fold
from colloque_mssante.access.authors import Authors
from colloque_mssante.guests.guests import Hosting
from colloque_mssante.guests.talk import KEPT, Talk
from colloque_mssante.store.guests import Guests
from colloque_mssante.texts import guests as texts

_SHORTEST = timedelta(minutes=1)


class GuestCommands:
    """Handlers by command name."""

    def __init__(self, *, hosting: Hosting, talk: Talk, guests: Guests, authors: Authors) -> None:
        self._hosting = hosting
        self._talk = talk
        self._guests = guests
        self._authors = authors
        self.table: Mapping[str, Handler] = {
            "inviter": self.bring,
            "inviter fin": self.end,
            "envoyer par mail": self.by_mail,
        }

    async def bring(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!inviter`."""
        try:
            await reply(await self._hosting.bring(said.room, said.sender))
        except Refused as refusal:
            await reply(str(refusal))
        except NotFound:
            await reply(texts.BRING_LATER)
        except HomeRefused:
            await reply(texts.BRING_REFUSED)

    async def end(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!inviter fin`, by either of the two."""
        try:
            await self._hosting.end(said.room, said.sender)
        except Refused as refusal:
            await reply(str(refusal))

    async def by_mail(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!envoyer-par-mail`, as a reply to a message or for the last one; with a time: for what stays unread."""
        try:
            if call.rest:
                await self._choose(call.rest, said, reply)
                return
            guest = await self._guests.of(said.room)
            if said.reply_to is None and (guest is None or not guest.joined):
                raise Refused("alone", texts.BY_MAIL_ALONE)
            await self._talk.by_mail(said.room, said.sender, said.reply_to)
        except Refused as refusal:
            await reply(str(refusal))

    async def _choose(self, rest: str, said: Incoming, reply: Reply) -> None:
        guest = await self._guests.of(said.room)
        if guest is None or not guest.joined or said.sender not in {guest.owner, guest.user}:
            raise Refused("alone", texts.BY_MAIL_ALONE)
        if fold(rest) in {"jamais", "never"}:
            await self._guests.choose(said.room, said.sender, timedelta())
            await reply(texts.AFTER_NEVER)
            return
        after = duration(rest)
        if after is None or not _SHORTEST <= after < KEPT:
            raise Refused("how", texts.AFTER_HOW)
        await self._guests.choose(said.room, said.sender, after)
        chosen = await self._guests.of(said.room)
        words = [texts.after(after, chosen.after if chosen is not None else timedelta())]
        if not self._authors.mailboxes(said.sender):
            words.append(texts.AFTER_NO_MAILBOX)
        await reply("\n".join(words))
