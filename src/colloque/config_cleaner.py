"""The configuration `salles.cleaner`: what the helper on Synapse's host needs, and what must be true of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from colloque.errors import Problem

_POSTGRES = ("postgres://", "postgresql://")


@dataclass(frozen=True, slots=True)
class CleanerConfig:
    """Where the helper reaches Synapse's database and files."""

    database: str
    """Synapse's database as a role that may delete from the reviewed tables: `sqlite:/path`, `postgres://user@host/db`."""
    reader: str
    """The same database as a role that may read all of it and write nothing."""
    media: Path
    """Synapse's `media_store_path`."""
    state_dir: Path
    """The helper's own notes: what the rooms under erasure are known by."""


def cleaner_checks(own: CleanerConfig) -> Iterator[Problem]:
    """Every problem of the section."""
    for name in ("database", "reader"):
        url: str = getattr(own, name)
        if not url.startswith(("sqlite:/", *_POSTGRES)):
            yield Problem(f"salles.cleaner.{name}", "must be sqlite:/path or postgres://user@host/db")
        elif url.startswith(_POSTGRES) and urlsplit(url).password:
            yield Problem(f"salles.cleaner.{name}", "must hold no password: it stands in libpq's password file")
    if own.database.startswith("sqlite:") != own.reader.startswith("sqlite:"):
        yield Problem("salles.cleaner.reader", "must be the same database")
    elif own.database.startswith(_POSTGRES) and own.database == own.reader:
        yield Problem("salles.cleaner.reader", "must be another role: one that may write nothing")
