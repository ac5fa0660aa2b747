"""What an import is refused for before and after it reads: unknown and older files, parts missing, falls in numbers."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from colloque.clock import Clock, from_millis
from colloque.directory import whitelist
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.engine import is_ours, open_read_only
from colloque.directory.rows import Rows
from colloque.directory.sources import Source

MAX_FALL = 0.05
"""ANS's own loader raises an alert past this share of changes."""
_NEEDED = (Kind.PEOPLE, Kind.MAILBOXES)


@dataclass(frozen=True, slots=True)
class InUse:
    """The directory in use; without parts when there is none."""

    parts: dict[Kind, datetime] = field(default_factory=dict)
    layouts: dict[Kind, str] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)


def in_use(target: Path, *, force: bool) -> InUse:
    """The parts in use; none when there is no file."""
    if not target.exists():
        return InUse()
    try:
        with closing(open_read_only(target)) as db:
            if is_ours(db):
                sources = db.execute("SELECT kind, made_at, layout FROM source").fetchall()
                return InUse(
                    {Kind(kind): from_millis(made) for kind, made, _ in sources},
                    {Kind(kind): layout for kind, _, layout in sources},
                    dict(db.execute("SELECT key, value FROM meta").fetchall()),
                )
    except (sqlite3.Error, ValueError):
        pass
    if not force:
        raise ImportRefused(
            "loaded.unreadable", "the directory in use can't be read, so nothing can be compared with it"
        )
    return InUse()


def recognised(sources: Sequence[Source]) -> tuple[dict[Kind, Source], list[str]]:
    """What each file is, from its name and header, before anything is read; and names of those that are nothing."""
    known: dict[Kind, Source] = {}
    ignored: list[str] = []
    for source in sources:
        with source.open() as stream:
            head = stream.read(2_000)
        kind = Kind.WHITELIST
        if source.named is not Kind.WHITELIST and not whitelist.looks_like(head):
            try:
                with source.open() as stream:
                    kind = Rows(stream, source.named, lambda _size: None).columns.kind
            except ImportRefused as refused:
                if refused.reason != "file.unknown" or source.explicit:
                    raise ImportRefused(refused.reason, f"{source.name}: {refused}") from None
                ignored.append(source.name)
                continue
        if kind in known:
            raise ImportRefused("file.twice", f"two files of the same kind ({kind}): {known[kind].name}, {source.name}")
        known[kind] = source
    if not known:
        raise ImportRefused("file.none", "there is no extraction to import in what was given")
    return known, ignored


def admit(known: dict[Kind, Source], before: InUse, clock: Clock, *, force: bool) -> None:
    """The guards on times, and on parts without which there is no directory."""
    missing = [kind for kind in _NEEDED if kind not in known and kind not in before.parts]
    if missing:
        raise ImportRefused("file.missing", "a first import needs people and mailboxes; missing: " + ", ".join(missing))
    for kind, source in known.items():
        if kind is not Kind.WHITELIST:
            guard_time(kind, source.name, made_at(source, clock), before, clock, force=force)


def made_at(source: Source, clock: Clock) -> datetime:
    """When ANS made it; a file that bears no time was written when its own time says, at the latest now."""
    return source.made_at if source.is_stamped else min(source.made_at, clock.now())


def guard_time(kind: Kind, name: str, made: datetime, before: InUse, clock: Clock, *, force: bool) -> None:
    """Raises ImportRefused: older than what is loaded, or not made yet."""
    if force:
        return
    loaded = before.parts.get(kind)
    if loaded is not None and made < loaded:
        raise ImportRefused("file.older", f"{name}: older than what is loaded ({loaded:%Y-%m-%d %H:%M} UTC)")
    if made > clock.now() + timedelta(days=1):
        raise ImportRefused("file.future", f"{name}: its time is in the future")


def guard_numbers(counts: Mapping[str, int], facts: Mapping[str, int], rejected: Counter[str], *, force: bool) -> None:
    """Raises ImportRefused: nobody is left, or too many are gone. `facts`: how many there were."""
    for what in ("people", "mailboxes"):
        now, was = counts[what], facts.get(what, 0)
        if not now:
            raise ImportRefused(f"{what}.none", f"the files hold no usable {what}: {dict(rejected)}")
        if not force and now < was * (1 - MAX_FALL):
            fall = 100 * (was - now) / was
            raise ImportRefused(f"{what}.fall", f"{now} {what} instead of {was}: a fall of {fall:.1f} %")
