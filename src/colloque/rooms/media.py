"""Which files an event shares: every `mxc://` address anywhere in its content, thumbnails and edits included."""

from __future__ import annotations

import re
from typing import Any

from colloque.identity import MxcUri

_MXC = re.compile(r"mxc://[A-Za-z0-9.:\[\]-]{1,230}/[A-Za-z0-9_-]{1,255}\Z")
"""A media address and nothing else: anything looser could hold up an erasure for ever."""


def files_in(content: Any) -> tuple[MxcUri, ...]:
    """Distinct media addresses, in order of appearance. `content` is JSON of any shape."""
    found: dict[MxcUri, None] = {}
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, str) and _MXC.match(item):
            found[MxcUri(item)] = None
        elif isinstance(item, dict):
            todo.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            todo.extend(reversed(item))
    return tuple(found)


def server_of_media(mxc: MxcUri) -> str:
    """The server that holds the file."""
    return mxc.removeprefix("mxc://").partition("/")[0]
