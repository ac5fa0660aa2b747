"""Mail to Matrix and back, by value: no wire, no store.

In: one text event that begins with a neutral line, then one event a clinical document with its files, then one an
attachment.
Out: what the owner writes, changes, withdraws or taps.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from colloque.commands import parse
from colloque.identity import EventId
from colloque.mail.html import readable, words
from colloque.mail.message import Attachment, Mail
from colloque.mail.rich import to_rich
from colloque.matrix.home import HTML_FORMAT, Incoming, JsonDict, answered, text, thread_root, without_quote
from colloque.taps import tapped
from colloque_mssante.mapping.cards import Card
from colloque_mssante.mapping.drafts import Line
from colloque_mssante.mapping.targets import Answers, shown
from colloque_mssante.mapping.words import in_one_event, notes
from colloque_mssante.texts import mails as texts
from colloque_mssante.texts import writing as texts_writing

_CARDS_FROM = 10_000
"""Rank of the first card. A mail shows fewer files (`parse.FILES_SHOWN`): their ranks are the same, card or not."""
_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass(frozen=True, slots=True)
class Draft:
    """One event to be: a text, or a file to upload first (`content` then is what its event has beside the file).

    `rank` names it within the mail.
    """

    rank: int
    content: JsonDict
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a mail beside its own words."""

    author: str
    """How its sender is named."""
    warning: str
    """What they are, where the directory does not list that address."""
    thread: int
    """The thread's number in this room."""
    answers: Answers


def to_drafts(
    mail: Mail,
    *,
    head: Head,
    root: EventId | None,
    answered: EventId | None,
    cards: Sequence[Card] = (),
    quiet: bool = False,
) -> list[Draft]:
    """The events that show `mail`, in the Matrix thread that `root` began; None when it begins one itself.

    `quiet`: its words do not ring. `cards` are the clinical documents it carries. A file that comes beside its document
    is shown once.

    `answered` is the event it answers, if any. The files of a thread's first mail stand beside it, not in the thread:
    a client that folds threads must not hide them.
    """
    above = texts.mail_head(
        author=head.author,
        warning=head.warning,
        thread=head.thread,
        to=[shown(p) for p in mail.to],
        cc=[shown(p) for p in mail.cc],
        answers_to=shown(head.answers.to) if head.answers.followed else "",
        ignored=head.answers.ignored,
        subject=mail.subject,
        sent_at=mail.date,
        notes=notes(mail),
    )
    said, whole = in_one_event(mail, above, quiet=quiet)
    files = [*mail.attachments, *([whole] if whole is not None else [])]
    drafts = [Draft(0, said | relation(root, answered))]
    related = relation(root, None)
    beside = {item.data for item in files}
    of_cards: list[tuple[JsonDict, Attachment | None]] = []
    for card in cards:
        of_cards.append((text(card.body, notice=quiet) | related, None))
        of_cards += [(related, item) for item in card.files if item.data not in beside]
    drafts += [Draft(rank, content, item) for rank, (content, item) in enumerate(of_cards, _CARDS_FROM)]
    drafts += [Draft(rank, related, item) for rank, item in enumerate(files, 1)]
    return drafts


def relation(root: EventId | None, answered: EventId | None) -> JsonDict:
    """`m.relates_to` of an event in a thread (Matrix, "Threading"), or of an answer outside any; may be empty."""
    if root is None:
        return {"m.relates_to": {"m.in_reply_to": {"event_id": answered}}} if answered else {}
    return {
        "m.relates_to": {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": answered is None,
            "m.in_reply_to": {"event_id": answered or root},
        }
    }


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
    """Why a message does not leave; each is said in the room, but for SILENT, and COMMAND that the bot answers."""

    SILENT = "silent"
    COMMAND = "command"
    CAPTION = "caption"
    NOT_SENDABLE = "not_sendable"
    FILE_IN_CLEAR = "file_in_clear"
    EMPTY = "empty"


SAID = {
    No.NOT_SENDABLE: texts.NOT_SENDABLE,
    No.CAPTION: texts_writing.CAPTION_COMMAND,
    No.FILE_IN_CLEAR: texts.FILE_IN_CLEAR,
    No.EMPTY: texts.EMPTY,
}


@dataclass(frozen=True, slots=True)
class Tap:
    """A reaction."""

    on: EventId
    key: str


@dataclass(frozen=True, slots=True)
class Struck:
    """A message was withdrawn."""

    what: EventId


@dataclass(frozen=True, slots=True)
class Written:
    """A message: what it says, and what it says it belongs to."""

    line: Line
    answers: EventId | None = None
    """The event that it answers by reply."""
    root: EventId | None = None
    """The Matrix thread in which it was written, where it is no reply."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An earlier message was edited; `line.event` names that one."""

    line: Line


def is_edit(said: Incoming) -> bool:
    """True for a message that replaces an earlier one."""
    relation = said.content.get("m.relates_to")
    return isinstance(relation, dict) and relation.get("rel_type") == "m.replace"


_QUOTED = re.compile(r"<mx-reply>.*?</mx-reply>", re.DOTALL)
"""What older clients put above a reply (Matrix, "reply fallback")."""
_FILES = {"m.file", "m.image", "m.video", "m.audio"}


def to_meant(said: Incoming) -> Written | Changed | Tap | Struck | No:
    """What the owner does in a mail room. What begins with `!`, stickers, polls and places never leave."""
    content = said.content
    relation = content.get("m.relates_to")
    if said.type == "m.reaction":
        tap = tapped(content)
        return Tap(*tap) if tap is not None else No.SILENT
    if said.type == "m.room.redaction":
        what = content.get("redacts")
        return Struck(EventId(what)) if isinstance(what, str) else No.SILENT
    if said.type != "m.room.message":
        # Stickers and polls have no mail form; calls, typing and other signals are nobody's message.
        return No.NOT_SENDABLE if "sticker" in said.type or said.type.endswith("poll.start") else No.SILENT
    if is_edit(said):
        return _changed(content)
    if said.msgtype not in {"m.text", *_FILES}:
        return No.NOT_SENDABLE
    answers = answered(relation)
    line = _line(said.event, content, without_quote(said.body) if answers else said.body)
    return line if isinstance(line, No) else Written(line, answers, None if answers else thread_root(relation))


def _changed(content: Mapping[str, Any]) -> Changed | No:
    new = content.get("m.new_content")
    of = content["m.relates_to"].get("event_id")
    if not isinstance(new, dict) or not isinstance(of, str):
        return No.SILENT
    body = new.get("body")
    line = _line(EventId(of), new, without_quote(body) if isinstance(body, str) else "")
    # An edit to nothing, or to a command, must not leave the old words in place.
    return Changed(Line(EventId(of), "") if isinstance(line, No) else line)


def _line(event: EventId, content: Mapping[str, Any], words: str) -> Line | No:
    if content.get("msgtype") in _FILES:
        return _file(event, content, words)
    if parse(words) is not None:
        return No.COMMAND
    return Line(event, words, html=_html(content, words)) if words.strip() else No.EMPTY


def _html(content: Mapping[str, Any], said: str) -> str:
    """What the writer's client shows, in HTML; empty where it shows other words than those that leave."""
    source = content.get("formatted_body")
    if content.get("format") != HTML_FORMAT or not isinstance(source, str):
        return ""
    rich = to_rich(_QUOTED.sub("", source))
    return rich if rich and words(readable(rich)) == words(said) else ""


def _file(event: EventId, content: Mapping[str, Any], words: str) -> Line | No:
    file, name, info = content.get("file"), content.get("filename"), content.get("info")
    if not isinstance(file, dict):
        return No.FILE_IN_CLEAR
    caption = words if isinstance(name, str) and name != words else ""
    if parse(caption) is not None:
        return No.CAPTION  # no bot reads commands there: nobody else would say a word
    about = info if isinstance(info, dict) else {}
    mime, size = about.get("mimetype"), about.get("size")
    return Line(
        event,
        caption,
        {
            "file": file,
            "name": name if isinstance(name, str) and name else words,
            "mime": mime if isinstance(mime, str) else "application/octet-stream",
            "size": size if type(size) is int else None,
        },
    )
