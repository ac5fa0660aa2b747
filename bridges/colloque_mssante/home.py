"""The bridge's bot: `colloque.matrix.home.Home`, and ears: pushed events become values here."""

from __future__ import annotations

from mautrix.errors import DecryptionError

from colloque.clock import from_millis, monotonic
from colloque.errors import HomeRefused
from colloque.identity import EventId, MxcUri, RoomId, UserId
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque.matrix.home import Incoming, MemberChange, RoomMark, RoomSpec, Unreadable
from colloque.matrix.room_calls import RoomCalls
from colloque.store.rooms import Rooms
from colloque_mssante.crypto import Account, Accounts
from colloque_mssante.machine import NoKey, Opened

KEY_WAIT_S = 15.0
"""How long a message waits for its room key: both travel separately."""


class BridgeHome:
    """The bot's view of its homeserver. `rooms` remembers what each of its rooms is."""

    def __init__(self, account: Account, accounts: Accounts, rooms: Rooms, bots: frozenset[UserId]) -> None:
        self.user = account.user
        self.account = account
        self._accounts = accounts
        self._rooms = rooms
        self._calls = RoomCalls(account.api, account.user, bots)
        self._bots = bots

    async def send(self, room: RoomId, content: JsonDict, *, txn: str, type_: str = "m.room.message") -> EventId:
        """Send, encrypted (reactions apart). Raises HomeUnavailable, HomeRefused."""
        return await self.account.send(room, content, txn=txn, type_=type_)

    async def send_to_all_devices(self, room: RoomId, content: JsonDict, *, txn: str) -> EventId:
        """Send one harmless text that devices not signed by their owner can read too."""
        return await self.account.send_to_all_devices(room, content, txn=txn)

    async def create_room(self, spec: RoomSpec) -> RoomId:
        """Create, or find again by `spec.mark.key` a room created just before a crash."""
        return await self._calls.create_room(spec)

    async def invite(self, room: RoomId, user: UserId) -> None:
        """Invite; no error when already invited or joined."""
        await self._calls.invite(room, user)
        await self._accounts.rotate(room)

    async def set_state(self, room: RoomId, type_: str, content: JsonDict, state_key: str = "") -> EventId:
        """Set a state event."""
        return await self._calls.set_state(room, type_, content, state_key)

    async def state(self, room: RoomId, type_: str, state_key: str = "") -> JsonDict | None:
        """One state event's content; None when absent."""
        return await self._calls.state(room, type_, state_key)

    async def members(self, room: RoomId) -> dict[UserId, str]:
        """Membership by user, as the server says now."""
        return await self._calls.members(room)

    async def mark_of(self, room: RoomId) -> RoomMark | None:
        """What the room is, when one of our bots said so; None for any other room, and where the bot is not."""
        known = await self._rooms.by_room(room)
        if known is not None:
            return RoomMark(known.kind, known.key, known.owner)
        try:
            mark = await self._calls.mark_of(room)
        except HomeRefused as error:
            if error.status == 403:
                return None
            raise
        if mark is not None:
            await self._rooms.put(mark.key, room, mark.kind, mark.owner)
        return mark

    async def learn_rooms(self) -> None:
        """At start: know every room the bot is in, even when the database was lost."""
        answer = await self.account.api.call("GET", path(CLIENT, "joined_rooms"))
        for room in answer["joined_rooms"]:
            await self.mark_of(RoomId(room))

    async def download(self, mxc: MxcUri) -> bytes:
        """A media file's bytes as the store has them. Raises HomeUnavailable, HomeRefused (404: gone)."""
        return await self.account.api.download(mxc)

    async def hear(self, event: JsonDict) -> Incoming | Unreadable | MemberChange | None:
        """A pushed event as a value; None for our own accounts' words and for what concerns nobody.

        Invitations of our bots are accepted, others left alone. Raises HomeUnavailable.
        """
        room, sender = RoomId(event["room_id"]), UserId(event["sender"])
        if event["type"] == "m.room.member":
            return await self._membership(event, room, sender)
        if self._accounts.is_ours(sender):
            return None
        sent_at = from_millis(int(event["origin_server_ts"]))
        if event["type"] != "m.room.encrypted":
            return Incoming(
                room,
                EventId(event["event_id"]),
                sender,
                sent_at,
                event["type"],
                event["content"],
                encrypted=False,
                device_signed=False,
            )
        if not event["content"]:
            return None  # redacted before we read it
        opened = await self._opened(event)
        if opened is None:
            return Unreadable(room, EventId(event["event_id"]), sender, sent_at)
        return Incoming(
            room,
            EventId(event["event_id"]),
            sender,
            sent_at,
            opened.type,
            opened.content,
            encrypted=True,
            device_signed=opened.signed,
            device=opened.device,
        )

    async def _opened(self, event: JsonDict) -> Opened | None:
        """The event, decrypted; None when it can't be, or its key does not come."""
        until = monotonic() + KEY_WAIT_S
        while True:
            try:
                return await self.account.read(event)
            except NoKey:
                if monotonic() >= until:
                    return None
                await self._accounts.wait_for_keys(1.0)
            except DecryptionError:
                return None

    async def _membership(
        self, event: JsonDict, room: RoomId, sender: UserId
    ) -> Incoming | Unreadable | MemberChange | None:
        user, membership = UserId(event["state_key"]), str(event["content"].get("membership"))
        if user == self.user and membership == "invite":
            if sender not in self._bots:
                return None
            await self.account.join(room)
            await self.mark_of(room)
        return MemberChange(room, user, sender, membership, EventId(event["event_id"]))
