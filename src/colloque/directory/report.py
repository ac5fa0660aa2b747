"""What an import tells: every row and every oddity under a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from colloque.directory.columns import Kind


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file that was read: `rows` in it are the `kept` ones and the `rejected` ones, none else."""

    kind: Kind
    name: str
    made_at: datetime
    encoding: str
    rows: int
    kept: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Rows kept out, by reason."""
    dated_by: str = "name"
    """Where `made_at` comes from: the file's `name`, its `content`, or, when neither tells, the `file`'s own time."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. Counts are of the whole directory, parts kept from before included."""

    imported_at: datetime
    people: int
    activities: int
    mailboxes: int
    domains: int
    """On the white-list."""
    files: tuple[FileReport, ...]
    carried: tuple[Kind, ...]
    """Parts kept from the directory that was in use."""
    rejected: dict[str, int]
    """Rows kept out of all files, by reason."""
    noticed: dict[str, int]
    """Things kept that somebody may want to look at, by name."""
    ignored: tuple[str, ...]
    """Files that were not recognised in a folder or zip, and not read."""
    forced: bool
    changes: dict[str, int] | None = None
    """Against the directory before, e.g. `person.gone`; None when there was none to compare with."""
    previous: datetime | None = None
    """When the directory before was imported."""
    likely_moves: tuple[tuple[str, str], ...] = ()
    """National numbers: an ADELI gone, an RPPS come, of the same name, profession and place. Never merged on that."""
