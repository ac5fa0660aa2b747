"""Mail to Matrix and back, by value: no wire, no store.

In: one text event that begins with a neutral line, then one event an attachment.
Out: a reply becomes a mail to the author of the mail it answers, and to nobody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from colloque.commands import parse
from colloque.identity import EventId
from colloque.mail.message import Attachment, Mail, Party
from colloque.matrix.home import Incoming, JsonDict, text, without_quote
from colloque.professional import Mailbox, Professional
from colloque_mssante import texts

TEXT_BYTES = 20_000
"""UTF-8 bytes of a text event's body. Matrix holds 65,536 bytes an event: JSON may double them, base64 adds a third."""

_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass(frozen=True, slots=True)
class Draft:
    """One event to be: a text's content, or a file to upload first. `rank` is its place in the mail."""

    rank: int
    content: JsonDict
    file: Attachment | None = None


def to_drafts(mail: Mail, *, author: str, verified: bool, reply_to: EventId | None) -> list[Draft]:
    """The events that show `mail`. `author` is how its sender is named; `reply_to` the event it answers, if any."""
    head = texts.mail_head(
        author=author,
        verified=verified,
        to=[_shown(p) for p in mail.to],
        cc=[_shown(p) for p in mail.cc],
        subject=mail.subject,
        sent_at=mail.date,
    )
    body = mail.text.strip("\n") or texts.NO_TEXT
    files = list(mail.attachments)
    whole = f"{head}\n\n{body}"
    if len(whole.encode()) > TEXT_BYTES:
        files.append(Attachment("message.txt", "text/plain", whole.encode()))
        whole = _cut(whole, TEXT_BYTES - len(texts.CUT.encode())) + texts.CUT
    drafts = [Draft(0, text(whole, reply_to=reply_to))]
    drafts += [Draft(rank, {}, item) for rank, item in enumerate(files, 1)]
    return drafts


def file_content(item: Attachment, encrypted_file: Mapping[str, Any]) -> JsonDict:
    """A file event. Its `body` (which lock screens show) is neutral; the name stands in `filename`."""
    return {
        "msgtype": "m.image" if item.mime in _IMAGES else "m.file",
        "body": texts.FILE_TITLE,
        "filename": item.name,
        "info": {"mimetype": item.mime, "size": len(item.data)},
        "file": dict(encrypted_file),
    }


def txn(mailbox: str, digest: str, rank: int) -> str:
    """The transaction id of one part of one mail: the same whenever it is tried again."""
    return hashlib.sha256(f"{mailbox}\0{digest}\0{rank}".encode()).hexdigest()[:40]


def mail_key(mailbox: str, digest: str) -> str:
    """The id of a mail of a mailbox in our store."""
    return hashlib.sha256(f"{mailbox}\0{digest}".encode()).hexdigest()[:40]


class No(StrEnum):
    """Why a message does not leave; each is said in the room, but for SILENT."""

    SILENT = "silent"
    COMMAND = "command"
    NOT_A_REPLY = "not_a_reply"
    EDITED = "edited"
    NOT_SENDABLE = "not_sendable"
    FILE_IN_CLEAR = "file_in_clear"
    EMPTY = "empty"


SAID = {
    No.NOT_A_REPLY: texts.NOT_A_REPLY,
    No.EDITED: texts.EDITED,
    No.NOT_SENDABLE: texts.NOT_SENDABLE,
    No.FILE_IN_CLEAR: texts.FILE_IN_CLEAR,
    No.EMPTY: texts.EMPTY,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What leaves: a text, or a file of the media store (with its caption as text)."""

    to: EventId
    """The event it answers."""
    text: str
    file: Mapping[str, Any] | None = None
    """Matrix's EncryptedFile object: address, key, iv, hashes."""
    file_name: str = ""
    file_mime: str = ""
    file_size: int | None = None
    """Bytes, as the sending client tells; None when it does not."""


def is_edit(said: Incoming) -> bool:
    """True for a message that replaces an earlier one."""
    relation = said.content.get("m.relates_to")
    return isinstance(relation, dict) and relation.get("rel_type") == "m.replace"


_SILENT_TYPES = {"m.reaction", "m.room.redaction"}
_FILES = {"m.file", "m.image", "m.video", "m.audio"}


def to_reply(said: Incoming) -> Reply | No:
    """What a message of the owner's in a mail room means. Only an explicit reply ever leaves."""
    content = said.content
    relation = content.get("m.relates_to")
    if said.type in _SILENT_TYPES:
        return No.SILENT
    if is_edit(said):
        return No.EDITED
    if said.type != "m.room.message":
        # Stickers and polls have no mail form; calls, typing and other signals are nobody's message.
        return No.NOT_SENDABLE if "sticker" in said.type or said.type.endswith("poll.start") else No.SILENT
    if said.msgtype not in {"m.text", *_FILES}:
        return No.NOT_SENDABLE
    answered = _answered(relation)
    words = without_quote(said.body) if answered else said.body
    if said.msgtype == "m.text":
        if parse(words) is not None:
            return No.COMMAND
        if answered is None:
            return No.NOT_A_REPLY
        return Reply(answered, words) if words.strip() else No.EMPTY
    return _file(content, answered, words)


def _file(content: Mapping[str, Any], answered: EventId | None, words: str) -> Reply | No:
    if answered is None:
        return No.NOT_A_REPLY
    file, name, info = content.get("file"), content.get("filename"), content.get("info")
    if not isinstance(file, dict):
        return No.FILE_IN_CLEAR
    caption = words if isinstance(name, str) and name != words else ""
    if parse(caption) is not None:
        return No.COMMAND
    about = info if isinstance(info, dict) else {}
    mime, size = about.get("mimetype"), about.get("size")
    return Reply(
        answered,
        caption,
        file,
        name if isinstance(name, str) and name else words,
        mime if isinstance(mime, str) else "application/octet-stream",
        size if type(size) is int else None,
    )


def _answered(relation: object) -> EventId | None:
    """The event a reply names. A thread's automatic fallback is no reply: nobody chose that event."""
    if not isinstance(relation, dict):
        return None
    if relation.get("rel_type") == "m.thread" and relation.get("is_falling_back", False):
        return None
    inner = relation.get("m.in_reply_to")
    value = inner.get("event_id") if isinstance(inner, dict) else None
    return EventId(value) if isinstance(value, str) else None


def sender_label(person: Professional, box: Mailbox) -> str:
    """`<Titre>_<Prénom>_<NOM>_<Entité>`, as the référentiel asks (ECO.2.2.7)."""
    return "_".join(f"{person.full_name} {box.structure}".split())


def known_parents(mail: Mail) -> Sequence[str]:
    """Message-IDs that the mail says it answers, the nearest first."""
    return tuple(dict.fromkeys([*([mail.in_reply_to] if mail.in_reply_to else []), *reversed(mail.references)]))


def _shown(party: Party) -> str:
    return f"{party.name} <{party.address}>" if party.name else party.address or "(adresse illisible)"


def _cut(whole: str, size: int) -> str:
    return whole.encode()[:size].decode("utf-8", "ignore")
