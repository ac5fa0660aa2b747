"""`!echanges`: how long what two people write lives, and holding it; typed in one's own home room.

A hold stops whatever we would delete. Nobody of ours is in the room, so no state event can tell Synapse's module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from colloque.book import AttestationBook
from colloque.bot import Handler, Reply
from colloque.clock import Clock, to_millis
from colloque.commands import Call, number
from colloque.errors import HomeRefused
from colloque.identity import RoomId, UserId, digest
from colloque.matrix.admin_history import SynapseHistory
from colloque.matrix.home import Home, Incoming, text
from colloque.rooms.direct import DirectRoom, is_held
from colloque.rooms.mark import home_key
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.life import Hold
from colloque_salles.talks.rounds import DirectRounds
from colloque_salles.texts import direct as says


class DirectHolds:
    """One instance a service. `lasts`: how long a hold does; `notice`: what is left after it, and its announcement."""

    def __init__(
        self,
        *,
        home: Home,
        history: SynapseHistory,
        directs: DirectRooms,
        rounds: DirectRounds,
        rooms: Rooms,
        book: AttestationBook,
        keys: RoomKeys,
        journal: Journal,
        clock: Clock,
        lasts: timedelta,
        notice: timedelta,
    ) -> None:
        self._home = home
        self._history = history
        self._directs = directs
        self._rounds = rounds
        self._rooms = rooms
        self._book = book
        self._keys = keys
        self._journal = journal
        self._clock = clock
        self._lasts = lasts
        self._notice = notice

    @property
    def table(self) -> Mapping[str, Handler]:
        """Commands served here."""
        return {
            "echanges": self.list,
            "echanges suspendre effacement": self.hold,
            "echanges reprendre effacement": self.resume,
        }

    async def list(self, call: Call, message: Incoming, reply: Reply) -> None:  # noqa: ARG002
        """One's conversations, and when what is written there goes."""
        await self._rounds.find_of(message.sender)
        numbered = await self._directs.numbered(message.sender)
        mine = {room.room: room for room in await self._directs.of(message.sender)}
        lines = [
            await self._line(n, mine[room], message.sender) for n, room in sorted(numbered.items()) if room in mine
        ]
        await reply(says.listed(lines) if lines else says.NONE)

    async def _line(self, n: int, room: DirectRoom, reader: UserId) -> says.Line:
        last = room.opened_at
        async for said in self._history.events(room.room):
            if not said.lasting:
                last = max(last, said.at)
        end = max(last, room.promised_at) + room.keep
        if room.held_until is not None:
            end = max(end, room.held_until + self._notice)
        held = room.held_until if is_held(room, self._clock.now()) else None
        return says.Line(n, self._other(room, reader), room.keep, end, room.room, held)

    async def hold(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Place a hold, or renew it. First in the database: from then on nothing goes."""
        n, room = await self._named(call.words, message.sender)
        reason = call.rest.partition(" ")[2].strip()
        if room is None or n is None:
            await reply(says.which(says.HOLD_EXAMPLE))
        elif not reason:
            await reply(says.WHY)
        else:
            until = message.sent_at + self._lasts
            await self._directs.hold(Hold(room.room, message.sender, message.sent_at, until, reason))
            await reply(says.held(self._other(room, message.sender), until, n))
            words = says.held_by(self._name(message.sender), until)
            await self._tell(self._others(room, message.sender), words, f"held-{message.event}")
            self._journal.note("direct.held", actor=message.sender, room=await self._keys.token(room.room, room.room))

    async def resume(self, call: Call, message: Incoming, reply: Reply) -> None:
        """Lift it: whoever placed it."""
        _, room = await self._named(call.words, message.sender)
        if room is None:
            await reply(says.which(says.RESUME_EXAMPLE))
        elif (hold := await self._directs.held(room.room, message.sender)) is None:
            await reply(says.NOT_YOURS if is_held(room, self._clock.now()) else says.NOT_HELD)
        else:
            now = self._clock.now()
            await self._directs.release(hold, now)
            after = await self._directs.get(room.room)
            first = max(now, after.held_until or now) if after is not None else now
            await reply(says.resumed(self._other(room, message.sender), first + self._notice))
            self._journal.note(
                "direct.resumed", actor=message.sender, room=await self._keys.token(room.room, room.room)
            )

    async def once(self) -> None:
        """Holds that end soon are announced, those that ended are said to have. Raises Temporary."""
        now = self._clock.now()
        for hold in await self._directs.holds():
            room = await self._directs.get(hold.room)
            if room is None:
                await self._directs.hold_over(hold)
            elif hold.until <= now:
                await self._announce(hold, room)
                await self._directs.hold_over(hold)
            elif not hold.warned and now >= hold.until - self._notice:
                await self._announce(hold, room)
                await self._directs.hold_warned(hold)

    async def _announce(self, hold: Hold, room: DirectRoom) -> None:
        """To both when it is over; before, to whoever may renew it."""
        over = hold.until <= self._clock.now()
        first = max(hold.until, room.held_until or hold.until) + self._notice
        for member in room.members if over else (hold.by,):
            other = self._other(room, member)
            words = says.hold_over(other, first) if over else says.hold_ends(other, hold.until)
            once = digest(f"{member} {hold.room} {hold.by} {to_millis(hold.until)}")
            await self._tell([member], words, f"direct-{'over' if over else 'ends'}-{once}")

    async def _tell(self, members: Sequence[UserId], words: str, txn: str) -> None:
        for member in members:
            own = await self._rooms.get(home_key(member))
            if own is None:
                continue
            try:
                await self._home.send(own.room, text(words), txn=txn)
            except HomeRefused:
                continue  # They left their room.

    async def _named(self, words: Sequence[str], member: UserId) -> tuple[int | None, DirectRoom | None]:
        """The room of theirs that the first word numbers."""
        n = number(words[0]) if words else None
        if n is None:
            return None, None
        await self._rounds.find_of(member)
        room: RoomId | None = (await self._directs.numbered(member)).get(n)
        return n, await self._directs.get(room) if room is not None else None

    def _others(self, room: DirectRoom, member: UserId) -> Sequence[UserId]:
        return [user for user in room.members if user != member]

    def _other(self, room: DirectRoom, member: UserId) -> str:
        others = self._others(room, member)
        return says.several([self._name(user) for user in others]) if others else says.NOBODY_ELSE

    def _name(self, user: UserId) -> str:
        held = self._book.of(user, self._clock.now())
        return held.person if held is not None else says.SOMEBODY
