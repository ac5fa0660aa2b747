"""Conversations: the room of a mailbox's owner (or of its team) and one correspondent, whatever their addresses.

A correspondent whom its owner brought in shares it: it is then theirs with that owner, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mautrix.util.async_db import Database

from colloque.audit import SYSTEM
from colloque.directory.lookup import Directory
from colloque.errors import HomeRefused
from colloque.identity import Adeli, MssanteAddress, RoomId, Rpps, UserId
from colloque.mail.message import Party
from colloque.matrix.home import Home, RoomSpec
from colloque.rooms.mark import RoomKind, RoomMark
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import transaction
from colloque_mssante.access.authors import Authors
from colloque_mssante.people.crypto import Account
from colloque_mssante.people.ghosts import Correspondent, Ghosts, correspondent, opaque
from colloque_mssante.people.patient_rooms import PatientRooms
from colloque_mssante.rules.teams import SHARED, Teams
from colloque_mssante.store.documents import Documents
from colloque_mssante.store.guests import Guests, Moves
from colloque_mssante.texts import teams as texts_teams
from colloque_mssante.texts.documents import ROOM_NAME


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who is at both ends. `sender` and `recipient` were chosen for new mails; empty before."""

    room: RoomId
    owner: UserId
    """`SHARED` for a team's."""
    who: str
    """The correspondent's key (`ghosts.Correspondent`)."""
    sender: str
    recipient: str
    team: MssanteAddress | None = None
    """The shared mailbox it belongs to; None for somebody's own conversation."""


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
        teams: Teams,
        authors: Authors,
        guests: Guests,
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
        self._teams = teams
        self._authors = authors
        self._guests = guests
        self._documents = Documents(db)
        self._patients = PatientRooms(db, home)
        self._whole: dict[RoomId, set[UserId]] = {}
        """Rooms whose owner is in them, with the ghosts that are."""

    async def ensure(
        self, owner: UserId, who: Correspondent, *, team: MssanteAddress | None = None
    ) -> tuple[RoomId, Account]:
        """The room, with those who belong in it, and the correspondent's account.

        The one to which the correspondent brought `owner`, where they did.

        `team`: the shared mailbox whose room it is; `owner` is `SHARED` then. Raises HomeUnavailable, HomeRefused.
        """
        shared = await self._shared(owner, who) if team is None else None
        if shared is not None:
            return shared
        room, ghost = await self._ensure("room", f"{team or owner}|{who.key}", owner, who, name=who.name, team=team)
        await self._db.execute(
            "INSERT INTO conversation (room_id, owner, who, team) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (room_id) DO NOTHING",
            room,
            owner,
            who.key,
            team.value if team else "",
        )
        if who.patient:
            await self._patients.mark(room, ghost, self._authors.structure(team) if team else "")
        return room, ghost

    async def documents(self, owner: UserId, mailbox: MssanteAddress, who: Correspondent) -> tuple[RoomId, Account]:
        """The quiet room of a mailbox, with that sender in it, and their account. Raises as `ensure`."""
        team = mailbox if owner == SHARED else None
        room, ghost = await self._ensure("documents", f"{owner}|{mailbox}", owner, who, name=ROOM_NAME, team=team)
        await self._documents.begin(room, owner, team)
        return room, ghost

    async def _ensure(
        self, use: str, key: str, owner: UserId, who: Correspondent, *, name: str, team: MssanteAddress | None
    ) -> tuple[RoomId, Account]:
        ghost = await self._ghosts.ensure(who)
        mark = RoomMark(RoomKind.MAIL, "mail-" + opaque(self._secret, use, key), owner=owner or None)
        people = (owner,) if team is None else self._teams.members(team)
        known = await self._rooms.get(mark.key)
        if known is not None:
            room = known.room
        else:
            title = name if team is None else texts_teams.room_name(name, self._authors.structure(team))
            room = await self._create(mark, title, ghost, people)
        if ghost.user not in self._whole.get(room, ()):
            await self._complete(room, ghost, people, await self._home.members(room))
        return room, ghost

    async def _shared(self, owner: UserId, who: Correspondent) -> tuple[RoomId, Account] | None:
        """The correspondent's own room, where `owner` is in it as their guest."""
        guest = await self._guests.met(owner, who.key)
        if guest is None:
            return None
        ghost = await self._ghosts.ensure(who)
        if ghost.user not in self._whole.get(guest.room, ()):
            members = await self._home.members(guest.room)
            if members.get(owner) != "join":
                return None  # they left a moment ago
            await self._complete(guest.room, ghost, (), members)
        return guest.room, ghost

    async def _complete(
        self, room: RoomId, ghost: Account, people: tuple[UserId, ...], members: Mapping[UserId, str]
    ) -> None:
        for user in (*people, ghost.user):
            if members.get(user) not in {"join", "invite"}:
                await self._home.invite(room, user)
                ghost.forget(room)
        if members.get(ghost.user) != "join":
            await ghost.join(room)
        self._whole.setdefault(room, set()).add(ghost.user)

    async def succeed(self, conversation: Conversation) -> RoomId:
        """The room that takes the place of somebody's own, and that other servers may enter. Safe to repeat.

        Raises HomeUnavailable, HomeRefused.
        """
        owner, listed = conversation.owner, self.addresses(conversation)
        if not listed:
            raise HomeRefused(404, "M_NOT_FOUND", "the correspondent can't be written to any more")
        who = await self._ghosts.settled(correspondent(listed[0].address, self._directory))
        ghost = await self._ghosts.ensure(who)
        first = RoomMark(RoomKind.MAIL, "mail-" + opaque(self._secret, "room", f"{owner}|{who.key}"), owner=owner)
        mark = replace(first, key=f"{first.key}-shared")
        room = await self._create(mark, who.name, ghost, (owner,), shared=True)
        await self._complete(room, ghost, (owner,), await self._home.members(room))
        async with transaction(self._db):
            await self._rooms.put(first.key, room, RoomKind.MAIL, owner)
            await self._db.execute(
                "INSERT INTO conversation (room_id, owner, who, sender, recipient, hinted) "
                "SELECT $2, owner, who, sender, recipient, true FROM conversation WHERE room_id = $1 "
                "ON CONFLICT (room_id) DO NOTHING",
                conversation.room,
                room,
            )
            await Moves(self._db).put(conversation.room, room)
        return room

    async def takes_part(self, user: UserId, room: RoomId, mark: RoomMark) -> bool:
        """Whether that person may act in a mail room: its owner or who came as their guest, or somebody of its team."""
        if user == mark.owner:
            return True
        if mark.owner is not None:
            guest = await self._guests.of(room)
            return guest is not None and guest.joined and guest.user == user
        team = await self.team_of(room)
        return team is not None and self._teams.has(team, user)

    async def team_of(self, room: RoomId) -> MssanteAddress | None:
        """The shared mailbox whose room it is; None for any other room."""
        found = await self._db.fetchval(
            "SELECT team FROM conversation WHERE room_id = $1 UNION SELECT team FROM document_room WHERE room_id = $1",
            room,
        )
        return MssanteAddress(found) if found else None

    async def of_teams(self) -> list[tuple[RoomId, MssanteAddress]]:
        """Every room of every shared mailbox that is still there."""
        rows: list[Any] = await self._db.fetch(
            "SELECT room_id, team FROM conversation JOIN bot_room ON bot_room.room = room_id WHERE team <> '' "
            "UNION SELECT room_id, team FROM document_room JOIN bot_room ON bot_room.room = room_id WHERE team <> ''"
        )
        return [(RoomId(row["room_id"]), MssanteAddress(row["team"])) for row in rows]

    async def own_room(self, owner: UserId, who: str) -> RoomId | None:
        """Somebody's own room with the correspondent of that key, where they have one."""
        found = await self._db.fetchval(
            "SELECT room_id FROM conversation JOIN bot_room ON bot_room.room = room_id "
            "WHERE conversation.owner = $1 AND who = $2 AND team = ''",
            owner,
            who,
        )
        return RoomId(found) if found else None

    async def of(self, room: RoomId, user: UserId) -> Conversation | None:
        """What a room is to whoever takes part in it; None for one of ours that is no conversation."""
        row = await self._db.fetchrow("SELECT * FROM conversation WHERE room_id = $1", room)
        if row is None:
            return None
        guest = await self._guests.of(room)
        if guest is not None and guest.user == user:
            return Conversation(room, user, guest.who, guest.sender, guest.recipient)
        team = MssanteAddress(row["team"]) if row["team"] else None
        return Conversation(room, UserId(row["owner"]), row["who"], row["sender"], row["recipient"], team)

    async def remember(self, room: RoomId, user: UserId, sender: MssanteAddress, recipient: str) -> None:
        """The two addresses of new mails that are written in this room by `user`, or by whoever is of its team."""
        guest = await self._guests.of(room)
        if guest is not None and guest.user == user:
            await self._guests.remember(room, sender, recipient)
            return
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
        await self._guests.forget(room)

    def _writable(self, address: str) -> bool:
        return self._whitelisted(address.rpartition("@")[2])

    async def _create(
        self, mark: RoomMark, name: str, ghost: Account, people: tuple[UserId, ...], *, shared: bool = False
    ) -> RoomId:
        act = self._journal.begin("room.create", actor=mark.owner or SYSTEM, ref=opaque_hex(self._secret, mark.key))
        direct = mark.owner is not None
        spec = RoomSpec(name=name, mark=mark, invite=(*people, ghost.user), direct=direct, shared=shared)
        try:
            room = await self._home.create_room(spec)
        except HomeRefused as error:
            self._journal.end(act, "refused", status=error.status)
            raise
        if not shared:  # else it takes the place of another in the same transaction as all that concerns it
            await self._rooms.put(mark.key, room, mark.kind, mark.owner)
        self._journal.end(act, "created", room=await self._keys.token(room, room), kind=mark.kind.value)
        return room


def opaque_hex(secret: bytes, value: str) -> str:
    """A journal token for something that has no room yet: 20 hex digits."""
    return opaque(secret, "journal", value).encode().hex()[:20]
