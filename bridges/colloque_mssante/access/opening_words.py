"""What people say about mailboxes that open by their word: commands, a reaction, a mail written while it is closed."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from colloque import logs
from colloque.bot import Handler, Reply
from colloque.commands import Call
from colloque.errors import BadInput, HomeRefused, Refused, Temporary
from colloque.identity import EventId, RoomId, digest
from colloque.matrix.home import Heard, Home, Incoming, text, without_quote
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.taps import is_sign, tapped
from colloque_mssante.access.opening import Holder, Opener
from colloque_mssante.mapping.mapping import is_edit
from colloque_mssante.rules.opening_rules import Why, read_hours
from colloque_mssante.texts import opening as texts

logger = logging.getLogger(__name__)


class OpeningWords:
    """One instance a process. Without an `opener` no mailbox opens so, and every answer says it."""

    def __init__(self, home: Home, opener: Opener | None) -> None:
        self._home = home
        self._opener = opener
        self._told: dict[RoomId, str] = {}
        """Of which closure or question a mail room was told last."""
        self.table: Mapping[str, Handler] = {"boite ouvrir": self.open, "boite heures": self.hours}

    async def open(self, _call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite ouvrir`."""
        holder = self._holder(said)
        await reply(texts.NOTHING if self._opener is None or holder is None else await self._bid(self._opener, holder))

    async def hours(self, call: Call, said: Incoming, reply: Reply) -> None:
        """`!boite heures`, with hours or `non`; alone, it shows them."""
        if self._opener is None or self._holder(said) is None:
            await reply(texts.NOTHING)
            return
        if call.rest:
            try:
                await self._opener.choose(said.sender, read_hours(call.rest))
            except BadInput:
                await reply(texts.HOURS_HOW)
                return
        await reply(texts.hours(self._opener.of(said.sender).hours))

    async def hear(self, heard: Heard, mark: RoomMark) -> None:
        """Whatever is said in a room of ours. Safe to repeat; only the homeserver's being away is raised."""
        if self._opener is None or not isinstance(heard, Incoming) or mark.owner != heard.sender:
            return
        try:
            holder = self._opener.holder(heard.sender)
            if holder is None or self._opener.is_open(holder):
                return
            if mark.kind is RoomKind.HOME and self._taps(heard, self._opener.of(heard.sender).notice):
                await self._bid(self._opener, holder)  # the message that was tapped shows the answer
            elif mark.kind is RoomKind.MAIL and _is_mail(heard):
                await self._wrote(self._opener, holder, heard)
        except HomeRefused as error:
            logs.event(logger, "opening.not_told", level=logging.WARNING, code=error.errcode)

    def _holder(self, said: Incoming) -> Holder | None:
        return self._opener.holder(said.sender) if self._opener is not None else None

    async def _bid(self, opener: Opener, holder: Holder) -> str:
        if opener.is_open(holder):
            return texts.ALREADY
        try:
            one = await opener.ask(holder, Why.BID)
        except Refused:
            return texts.TOO_OFTEN
        except Temporary:
            return texts.UNAVAILABLE
        return texts.asked(one) if one.binding and not one.reason else texts.notice(one, holder.shown)

    async def _wrote(self, opener: Opener, holder: Holder, heard: Incoming) -> None:
        try:
            one = await opener.ask(holder, Why.WROTE)
        except (Refused, Temporary):
            one = opener.of(heard.sender)  # they are told that it waits all the same
        about = f"{one.closed_at} {one.question}"
        if self._told.get(heard.room) == about:
            return
        words = texts.waits(one, holder.shown)
        await self._home.send(heard.room, text(words, reply_to=heard.event), txn=digest(f"closed {heard.event}"))
        self._told[heard.room] = about

    @staticmethod
    def _taps(heard: Incoming, notice: EventId | None) -> bool:
        tap = tapped(heard.content) if heard.type == "m.reaction" else None
        return tap is not None and tap[0] == notice and is_sign(tap[1], texts.OPEN_SIGN)


def _is_mail(said: Incoming) -> bool:
    """Whether it is something that would leave."""
    trusted = said.type == "m.room.message" and said.encrypted and said.device_signed and not is_edit(said)
    return trusted and not without_quote(said.body).lstrip().startswith("!")
