"""Erasure receipts: what was deleted, what is proven of it, what nobody can reach. Pure; signing is done elsewhere.

A receipt names no room, person or file: the room stands as a token under a key that is destroyed with it. Each
receipt holds the hash of the one before, so that none can be taken out or changed unseen; the newest one is
protected by its signature alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from colloque.clock import from_millis, to_millis
from colloque.errors import Tampered

FORMAT = 3
"""Of receipts that name other servers, or are of something else than a patient room. Others are of format 2; those that
did not say what became of the conversation, of format 1. All hold as they are."""
GENESIS = "0" * 64
"""What the first receipt names as the one before."""
ORIGINALS = "originals_in_mailbox"
"""What a thread's receipt says of the conversation: each of its mails was in its mailbox when it ended."""
OUT_OF_REACH = ("backups", "database_log", "members_devices", "screenshots_and_prints")
"""What an erasure on the server can't reach: backups until they expire, the database's own log until it is
recycled, what members' devices hold until they sync, and what people took out."""

ELSEWHERE = "copies_elsewhere"
"""What is out of reach when other servers had members: until their own receipts stand in a supplement."""
OTHER_SERVERS = "other_servers"
"""What is out of reach when people of other servers read a conversation or a thread, too: their servers' copies."""
NOT_FOLLOWED = "room_not_followed"
"""What is out of reach when this server's bot was not in the room all the time: files that its people shared there."""
KEPT_THERE = "by_the_server_that_made_it"
"""Of a copy: what became of the conversation is for the server that made the room to say."""

_TOKEN = re.compile(r"[0-9a-f]{16,64}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_CODE = re.compile(r"[a-z][a-z0-9_.]{0,63}\Z")
_SERVER = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?(?::[1-9][0-9]{0,4})?\Z")


def is_token(text: object) -> bool:
    """Whether it is what stands for a room in receipts."""
    return isinstance(text, str) and _TOKEN.match(text) is not None


def is_code(text: object) -> bool:
    """Whether it is one of the words that receipts consist of."""
    return isinstance(text, str) and _CODE.match(text) is not None


def is_server(text: object) -> bool:
    """Whether it is a server's name as receipts may hold it."""
    return isinstance(text, str) and _SERVER.match(text) is not None


def is_hash(text: object) -> bool:
    """Whether it is a receipt's hash."""
    return isinstance(text, str) and _HASH.match(text) is not None


class Kind(StrEnum):
    """What a receipt is of."""

    PATIENT = "patient"
    """A patient room, gone as a whole."""
    DIRECT = "direct"
    """A conversation of two people, gone as a whole."""
    GROUP = "group"
    """A room that people had made themselves, gone as a whole."""
    DIRECT_MESSAGES = "direct_messages"
    """The old messages of a conversation that goes on."""
    GROUP_MESSAGES = "group_messages"
    """The old messages of a room that people made themselves, and that goes on."""
    MAIL = "mail"
    """A thread of mails: its room stays, and shows that something was there, when and by whom."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a room holds: events heard in it, files shared in it, people in it."""

    events: int
    files: int
    members: int


@dataclass(frozen=True, slots=True)
class Residue:
    """Something that was left on purpose or could not be deleted. `name` and `why` are codes."""

    name: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class AskedBy:
    """For whom a copy was erased: the server that made the room, and the token under which its own receipt has it."""

    server: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One erasure. Raises ValueError when a field is not a count, a code, a token or a time in order."""

    serial: int
    """1 for the first, then one more each."""
    room: str
    """The room's token."""
    opened_at: datetime
    closed_at: datetime
    erased_at: datetime
    before: Counts
    """As counted when the erasure began."""
    after: Counts
    """As looked for again when it was done."""
    files_deleted: int
    undecryptable: int
    """Events of the room that the bot could not read, or was not given before they were withdrawn: files that they may
    have named are unknown."""
    residue: tuple[Residue, ...] = ()
    out_of_reach: tuple[str, ...] = OUT_OF_REACH
    previous: str = GENESIS
    """Hash of the receipt before."""
    archived: str = ""
    """What proved that the conversation was kept, or why it was not (`keeping.Proof`, `ORIGINALS`); empty in format 1,
    and for conversations and groups."""
    servers: tuple[str, ...] = ()
    """Other servers that had members: asked to erase their copies, their answers stand in a supplement."""
    asked_by: AskedBy | None = None
    """Of a copy of another server's room: who asked."""
    kind: Kind = Kind.PATIENT
    """Of old messages, `before` and `after` count these alone; nobody was taken out of their room."""

    def __post_init__(self) -> None:
        counts = (
            *asdict(self.before).values(), *asdict(self.after).values(), self.files_deleted, self.undecryptable,
            *(r.count for r in self.residue),
        )  # fmt: skip
        said = [self.archived] if self.archived else []
        codes = (*self.out_of_reach, *(r.name for r in self.residue), *(r.why for r in self.residue), *said)
        rules = {
            "its serial is 1 or more": type(self.serial) is int and self.serial > 0,
            "its room is a token": _TOKEN.match(self.room),
            "it names the hash of the one before": _HASH.match(self.previous),
            "its counts are whole numbers": all(type(count) is int and count >= 0 for count in counts),
            "its reasons are codes": all(_CODE.match(code) for code in codes),
            "its servers are in order, each once": all(map(is_server, self.servers))
            and list(self.servers) == sorted(set(self.servers)),
            "it says who asked": self.asked_by is None
            or (is_server(self.asked_by.server) and is_token(self.asked_by.ref)),
            "it says what became of what it is of": self.archived or self.kind is not Kind.MAIL,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(f"not a receipt: {rule}")

    @property
    def _is_room(self) -> bool:
        return self.kind in {Kind.PATIENT, Kind.DIRECT, Kind.GROUP}

    @property
    def _are_messages(self) -> bool:
        return self.kind in {Kind.DIRECT_MESSAGES, Kind.GROUP_MESSAGES}

    @property
    def proven(self) -> tuple[str, ...]:
        """What was looked for again and found gone, as codes."""
        gone = {
            "room_gone": self._is_room and self.after.events == 0 and self.after.members == 0,
            "texts_withdrawn": self.kind is Kind.MAIL and self.after.events == 0,
            "messages_gone": self._are_messages and self.after.events == 0,
            "known_files_gone": self.after.files == 0,
        }
        return tuple(code for code, holds in gone.items() if holds)

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What is left, unknown, or out of reach, as codes."""
        left = {
            "room_left": self._is_room and (self.after.events > 0 or self.after.members > 0),
            "texts_left": self.kind is Kind.MAIL and self.after.events > 0,
            "that_it_was_there": self.kind is Kind.MAIL,
            "messages_left": self._are_messages and self.after.events > 0,
            "files_left": self.after.files > 0,
            "files_in_unread_events": self.undecryptable > 0,
            "residue": bool(self.residue),
        }
        return (*(code for code, holds in left.items() if holds), *self.out_of_reach)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; times in milliseconds since 1970; with its hash, before it is signed."""
        more = bool(self.servers or self.asked_by) or self.kind is not Kind.PATIENT
        body: dict[str, Any] = {
            "format": FORMAT if more else 2 if self.archived else 1,
            "serial": self.serial,
            "room": self.room,
            "opened_at": to_millis(self.opened_at),
            "closed_at": to_millis(self.closed_at),
            "erased_at": to_millis(self.erased_at),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "files_deleted": self.files_deleted,
            "undecryptable": self.undecryptable,
            "residue": [asdict(r) for r in self.residue],
            "out_of_reach": list(self.out_of_reach),
            "proven": list(self.proven),
            "not_proven": list(self.not_proven),
            "previous": self.previous,
            **({"archived": self.archived} if self.archived else {}),
            **({} if self.kind is Kind.PATIENT else {"kind": self.kind.value}),
            **({"servers": list(self.servers)} if self.servers else {}),
            **({"asked_by": asdict(self.asked_by)} if self.asked_by else {}),
        }
        return hashed(body)


def hashed(body: dict[str, Any]) -> dict[str, Any]:
    """With its hash, ready to be signed."""
    return body | {"hash": hashlib.sha256(signing_bytes(body)).hexdigest()}


def signing_bytes(receipt: Mapping[str, Any]) -> bytes:
    """What is hashed and signed: a fixed heading, then canonical JSON of all but `hash` and `signature`."""
    body = {name: value for name, value in receipt.items() if name not in {"hash", "signature"}}
    return (
        b"fr.colloque.erasure\n" + json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    )


def read_receipt(raw: Mapping[str, Any]) -> Receipt:
    """A receipt from its JSON, `signature` ignored. Raises Tampered when it is not one, whole and unchanged."""
    try:
        receipt = Receipt(
            serial=raw["serial"],
            room=raw["room"],
            opened_at=from_millis(raw["opened_at"]),
            closed_at=from_millis(raw["closed_at"]),
            erased_at=from_millis(raw["erased_at"]),
            before=Counts(**raw["before"]),
            after=Counts(**raw["after"]),
            files_deleted=raw["files_deleted"],
            undecryptable=raw["undecryptable"],
            residue=tuple(Residue(**r) for r in raw["residue"]),
            out_of_reach=tuple(raw["out_of_reach"]),
            previous=raw["previous"],
            archived=raw.get("archived", ""),
            servers=tuple(raw.get("servers", ())),
            asked_by=AskedBy(**raw["asked_by"]) if "asked_by" in raw else None,
            kind=Kind(raw.get("kind", Kind.PATIENT)),
        )
        unchanged = is_same(receipt.to_dict(), raw)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        raise Tampered("this is not an erasure receipt") from None
    if not unchanged:
        raise Tampered("the receipt was changed after it was made")
    return receipt


def is_same(again: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
    """Whether what was read, written anew, is what was there, with its hash."""
    return signing_bytes(again) == signing_bytes(raw) and again["hash"] == raw["hash"]


def signature_of(raw: Mapping[str, Any]) -> bytes:
    """A receipt's signature, in the one spelling that services write: nothing in a receipt may change unseen.

    Raises Tampered.
    """
    text = raw.get("signature")
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise Tampered("the signature is missing or malformed")
    return data
