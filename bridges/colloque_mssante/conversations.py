"""Conversations: the room of a mailbox's owner and one correspondent, whom the directory knows by several addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mautrix.util.async_db import Database

from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused
from colloque.identity import Adeli, MssanteAddress, RoomId, Rpps, UserId
from colloque.mail.message import Party
from colloque.matrix.home import Home, RoomSpec
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_mssante.crypto import Account
from colloque_mssante.ghosts import Correspondent, Ghosts, opaque
from colloque_mssante.patient_rooms import PatientRooms
from colloque_mssante.store_documents import Documents
from colloque_mssante.texts_documents import ROOM_NAME


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who is at both ends. `sender` and `recipient` were chosen for new mails; empty before."""

    room: RoomId
    owner: UserId
    who: str
    """The correspondent's key (`ghosts.Correspondent`)."""
    sender: str
    recipient: str


class Conversations:
    """One instance a process. `whitelisted` says whether a domain belongs to MSSanté."""

    def __init__(
        self,
        *,
        db: Database,
        home: Home,
        ghosts: Ghosts,
        directory: Directory,
        rooms: Rooms,
        keys: RoomKeys,
        journal: Journal,
        secret: bytes,
        whitelisted: Callable[[str], bool],
    ) -> None:
        self._db = db
        self._home = home
        self._ghosts = ghosts
        self._directory = directory
        self._rooms = rooms
        self._keys = keys
        self._journal = journal
        self._secret = secret
        self._whitelisted = whitelisted
        self._documents = Documents(db)
        self._patients = PatientRooms(db, home)
        self._whole: dict[RoomId, set[UserId]] = {}
        """Rooms whose owner is in them, with the ghosts that are."""

    async def ensure(self, owner: UserId, who: Correspondent) -> tuple[RoomId, Account]:
        """The room, with the three who belong in it, and the correspondent's account.

        Raises HomeUnavailable, HomeRefused.
        """
        room, ghost = await self._ensure("room", f"{owner}|{who.key}", owner, who, name=who.name)
        await self._db.execute(
            "INSERT INTO conversation (room_id, owner, who) VALUES ($1, $2, $3) ON CONFLICT (room_id) DO NOTHING",
            room,
            owner,
            who.key,
        )
        if who.patient:
            await self._patients.mark(room, ghost)
        return room, ghost

    async def documents(self, owner: UserId, mailbox: MssanteAddress, who: Correspondent) -> tuple[RoomId, Account]:
        """The quiet room of a mailbox, with that sender in it, and their account. Raises as `ensure`."""
        room, ghost = await self._ensure("documents", f"{owner}|{mailbox}", owner, who, name=ROOM_NAME)
        await self._documents.begin(room, owner)
        return room, ghost

    async def _ensure(
        self, use: str, key: str, owner: UserId, who: Correspondent, *, name: str
    ) -> tuple[RoomId, Account]:
        ghost = await self._ghosts.ensure(who)
        mark = RoomMark(RoomKind.MAIL, "mail-" + opaque(self._secret, use, key), owner=owner)
        known = await self._rooms.get(mark.key)
        room = known.room if known is not None else await self._create(mark, name, ghost)
        if ghost.user not in self._whole.get(room, ()):
            members = await self._home.members(room)
            for user in (owner, ghost.user):
                if members.get(user) not in {"join", "invite"}:
                    await self._home.invite(room, user)
                    ghost.forget(room)
            if members.get(ghost.user) != "join":
                await ghost.join(room)
            self._whole.setdefault(room, set()).add(ghost.user)
        return room, ghost

    async def of(self, room: RoomId) -> Conversation | None:
        """What a room is; None for one of ours that is no conversation."""
        row = await self._db.fetchrow("SELECT * FROM conversation WHERE room_id = $1", room)
        if row is None:
            return None
        return Conversation(room, UserId(row["owner"]), row["who"], row["sender"], row["recipient"])

    async def remember(self, room: RoomId, sender: MssanteAddress, recipient: str) -> None:
        """The two addresses of this room's new mails."""
        await self._db.execute(
            "UPDATE conversation SET sender = $2, recipient = $3 WHERE room_id = $1", room, sender.value, recipient
        )

    def addresses(self, conversation: Conversation) -> list[Party]:
        """Where the correspondent can be written to today: what the directory lists, or their one unlisted address."""
        kind, _, value = conversation.who.partition(":")
        if kind == "address":
            return [Party("", value)] if self._writable(value) else []
        if kind not in {"rpps", "adeli"}:
            return []
        directory = self._directory
        person = directory.by_rpps(Rpps(value)) if kind == "rpps" else directory.by_adeli(Adeli(value))
        boxes = person.mailboxes if person is not None else ()
        return [
            Party(person.full_name, box.address.value) for box in boxes if person and self._writable(box.address.value)
        ]

    def changed(self, room: RoomId) -> None:
        """Who is in that room is looked up again before the next mail."""
        self._whole.pop(room, None)

    async def lost(self, room: RoomId) -> None:
        """The room does not exist any more, or we are not in it: the next mail makes another."""
        self.changed(room)
        await self._rooms.forget(room)

    def _writable(self, address: str) -> bool:
        return self._whitelisted(address.rpartition("@")[2])

    async def _create(self, mark: RoomMark, name: str, ghost: Account) -> RoomId:
        assert mark.owner is not None
        act = self._journal.begin("room.create", actor=mark.owner, ref=opaque_hex(self._secret, mark.key))
        spec = RoomSpec(name=name, mark=mark, invite=(mark.owner, ghost.user), direct=True)
        try:
            room = await self._home.create_room(spec)
        except HomeRefused as error:
            self._journal.end(act, "refused", status=error.status)
            raise
        await self._rooms.put(mark.key, room, mark.kind, mark.owner)
        self._journal.end(act, "created", room=await self._keys.token(room, room), kind=mark.kind.value)
        return room


def opaque_hex(secret: bytes, value: str) -> str:
    """A journal token for something that has no room yet: 20 hex digits."""
    return opaque(secret, "journal", value).encode().hex()[:20]
