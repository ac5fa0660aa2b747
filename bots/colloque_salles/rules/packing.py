"""What of an archive goes into which mail. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from colloque.mail.compose import encoded_size
from colloque.mail.message import one_line
from colloque.mail.xdm import FILE_NAME
from colloque.rooms.archive import Line

_PER_MAIL = 100
"""Files of one mail at most."""
NAME = 200
"""Letters of a file's name that are kept."""
_SAYS = 60_000
"""Bytes of a mail that are not its files: its head, its words, names of files that are in no mail."""
_HEAD = 500
_DESCRIBED = 120_000
"""Characters that describe one mail's files, far below what one call between services holds (`calls.MAX_LINE`)."""
_LONGEST = 4_000
"""Of one file: what clients write takes some 500."""


@dataclass(frozen=True, slots=True)
class Item:
    """A stored, encrypted file. `file` opens it: it never leaves our services."""

    name: str = field(repr=False)
    mime: str
    size: int
    """Bytes of the file itself."""
    file: Mapping[str, Any] = field(repr=False)
    """Matrix's `EncryptedFile`; of somebody's own, what opens it and nothing else."""
    ours: bool = False
    """True for the conversation itself, which we wrote."""

    @property
    def is_archive(self) -> bool:
        """True for the conversation as a document of health, in its archive; somebody's own is a file like another."""
        return self.ours and self.name == FILE_NAME

    @property
    def described(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def item_of(content: Mapping[str, Any], size: int, *, ours: bool = False) -> Item:
    """The file that a message shares, as its content says; `size` is the file's own.

    Whoever shared it may have written anything at all: what can't be written down or handed on is not taken in.
    """
    info = content.get("info")
    mime = info.get("mimetype") if isinstance(info, dict) else None
    name = _text(content, "filename") or _text(content, "body")
    kind = mime if isinstance(mime, str) and mime else "application/octet-stream"
    file = content["file"]
    return Item(name_of(name), one_line(kind, 100), size, file if ours else _opening(file), ours)


def name_of(said: str) -> str:
    """A file's name, as far as it is kept."""
    return one_line(said, NAME)


def _opening(file: Mapping[str, Any]) -> dict[str, Any]:
    """What opens a file (see `NioHome.download`)."""
    return {
        "url": _text(file, "url"),
        "key": {"k": _text(file.get("key"), "k")},
        "iv": _text(file, "iv"),
        "hashes": {"sha256": _text(file.get("hashes"), "sha256")},
    }


def _text(said: Any, key: str) -> str:
    value = said.get(key) if isinstance(said, Mapping) else None
    return value if isinstance(value, str) else ""


def files_of(lines: Iterable[Line]) -> tuple[list[Item], list[str]]:
    """Files that were read, in their order, each once; and the names of those that were not."""
    found: dict[str, Item] = {}
    unread: list[str] = []
    for line in lines:
        if line.file is None:
            continue
        if not line.file.digest:
            unread.append(name_of(line.file.name))
            continue
        item = item_of(line.file.share, line.file.size)
        found.setdefault(str(item.file.get("url")), item)
    return list(found.values()), unread


def fits(sizes: Iterable[int], limit: int) -> bool:
    """Whether files of these sizes leave in one mail of `limit` bytes, under short names."""
    return sum(encoded_size(size) + _HEAD for size in sizes) <= limit - _SAYS


def pack(items: Iterable[Item], limit: int) -> tuple[list[list[Item]], list[Item]]:
    """Mails of at most `limit` bytes each as they leave, in the order of `items`; and what fits in none."""
    mails: list[list[Item]] = []
    left: list[Item] = []
    room = words = 0
    for item in items:
        # A name stands in the file's own head, and among the mail's words: up to three bytes for one in each.
        weight = encoded_size(item.size) + _HEAD + 8 * len(item.name.encode("utf-8", "replace"))
        length = len(json.dumps(item.described))
        if weight > limit - _SAYS or length > _LONGEST:
            left.append(item)
            continue
        if not mails or weight > room or words + length > _DESCRIBED or len(mails[-1]) >= _PER_MAIL:
            mails.append([])
            room, words = limit - _SAYS, 0
        mails[-1].append(item)
        room -= weight
        words += length
    return mails, left
