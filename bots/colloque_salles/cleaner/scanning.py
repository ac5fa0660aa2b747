"""The look with other eyes: every text of every table, and every file name, for the identifiers of many rooms at once.

Blocking: runs in a thread. It knows nothing of what was deleted, nor of what may stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from colloque.errors import Temporary
from colloque.rooms.traces import Traces
from colloque_salles.cleaner import synapse_media
from colloque_salles.cleaner.synapse_db import SynapseDb

MEDIA = "media_folder"
"""How the media folder is called among the tables."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass found. Rows (or files) by place, for each room; and the tables that could not be read."""

    found: Mapping[str, Mapping[str, int]]
    unreadable: tuple[str, ...] = ()
    texts: int = field(default=0, compare=False)
    """How many rows and names were read."""


def look(
    rooms: Mapping[str, Iterable[str]],
    db: SynapseDb,
    media: Path | None = None,
    *,
    without: Collection[str] = (),
    stopped: Callable[[], bool] = lambda: False,
) -> Seen:
    """Read everything once. `rooms`: identifiers of each. `without`: tables to pass over.

    Raises Temporary, also when `stopped` says so.
    """
    traces = Traces(rooms)
    found: dict[str, Counter[str]] = {room: Counter() for room in rooms}
    unreadable: list[str] = []
    count = 0

    def read(place: str, texts: Iterable[str]) -> None:
        nonlocal count
        for text in texts:
            count += 1
            if count % 1000 == 0 and stopped():
                raise Temporary("stopped")
            for room in traces.rooms_in(text):
                found[room][place] += 1

    for table in db.tables():
        if table.name in without or not table.columns:
            continue
        if table.readable:
            read(table.name, db.texts(table))
        else:
            unreadable.append(table.name)
    if media is not None:
        read(MEDIA, synapse_media.names(media))
    return Seen({room: dict(places) for room, places in found.items()}, tuple(unreadable), count)
