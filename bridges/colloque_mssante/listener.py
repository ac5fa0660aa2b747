"""Who hears what Synapse pushes. Called again after a crash: every answer is safe to repeat."""

from __future__ import annotations

from colloque.bot import Bot
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.api import JsonDict
from colloque.matrix.home import Incoming, MemberChange, RoomKind, Unreadable
from colloque_mssante.crypto import Accounts
from colloque_mssante.home import BridgeHome
from colloque_mssante.inbound import Inbound
from colloque_mssante.mapping import is_edit
from colloque_mssante.outbound import Outbound


class Listener:
    """One instance a process."""

    def __init__(self, *, accounts: Accounts, home: BridgeHome, bot: Bot, inbound: Inbound, outbound: Outbound) -> None:
        self._accounts = accounts
        self._home = home
        self._bot = bot
        self._inbound = inbound
        self._outbound = outbound

    async def arrived(self, events: list[JsonDict]) -> None:
        """Before anything else is said in a room: who is in it may have changed, so its keys change."""
        rooms = {RoomId(e["room_id"]) for e in events if self._changes_readers(e)}
        for room in rooms:
            await self._accounts.rotate(room)

    async def handle(self, event: JsonDict) -> None:
        """One event, in its room's order. Raises HomeUnavailable and other Temporary errors: called again then."""
        heard = await self._home.hear(event)
        if heard is None:
            return
        if isinstance(heard, MemberChange):
            self._inbound.membership_changed(heard.room)
            return
        mark = await self._home.mark_of(heard.room)
        if mark is None:
            return
        if mark.kind is not RoomKind.MAIL:
            await self._bot.hear(heard)
        elif isinstance(heard, Unreadable):
            await self._outbound.unreadable(heard.room, heard.event)
        elif not (heard.encrypted and heard.device_signed) or is_edit(heard):
            # The bot would stay silent, or speak once a day: whoever writes a mail must know each time.
            await self._outbound.hear(heard, mark)
        else:
            await self._bot.hear(heard)

    async def answer(self, said: Incoming) -> None:
        """A message of a mail room that is no command."""
        mark = await self._home.mark_of(said.room)
        if mark is not None:
            await self._outbound.hear(said, mark)

    async def give_up(self, event: JsonDict) -> None:
        """An event that could not be handled, whatever was tried: in a mail room its writer must know."""
        mark = await self._home.mark_of(RoomId(event["room_id"]))
        if mark is not None and mark.kind is RoomKind.MAIL and event["type"] == "m.room.encrypted":
            await self._outbound.unreadable(RoomId(event["room_id"]), EventId(event["event_id"]))

    def _changes_readers(self, event: JsonDict) -> bool:
        """True for a membership change of somebody else's that is not the acceptance of an invitation."""
        if event.get("type") != "m.room.member" or self._accounts.is_ours(UserId(str(event.get("state_key")))):
            return False
        before = event.get("unsigned", {}).get("prev_content", {}).get("membership")
        return (before, event["content"].get("membership")) not in {("invite", "join"), ("join", "join")}
