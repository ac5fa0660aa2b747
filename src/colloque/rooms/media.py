"""Which files an event shares: every `mxc://` address anywhere in its content, thumbnails and edits included."""

from __future__ import annotations

from typing import Any

from colloque.identity import MxcUri


def files_in(content: Any) -> tuple[MxcUri, ...]:
    """Distinct media addresses, in order of appearance. `content` is JSON of any shape."""
    found: dict[MxcUri, None] = {}
    todo = [content]
    while todo:
        item = todo.pop()
        if isinstance(item, str) and item.startswith("mxc://") and item.count("/") >= 3:
            found[MxcUri(item)] = None
        elif isinstance(item, dict):
            todo.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            todo.extend(reversed(item))
    return tuple(found)

