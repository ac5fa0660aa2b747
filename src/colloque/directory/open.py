"""The directory by its place: a SQLite file's path, or a PostgreSQL URL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from colloque.clock import Clock
from colloque.directory.file import DirectoryFile

if TYPE_CHECKING:
    from colloque.directory.extract import ImportReport, Progress
    from colloque.directory.questions import TableDirectory

_SCHEMES = ("postgres://", "postgresql://")


def is_postgres(where: str | Path) -> bool:
    """True for a URL of PostgreSQL, False for a path."""
    return str(where).startswith(_SCHEMES)


def holds_secret(where: str) -> bool:
    """Whether a URL bears a password: it has no place on a command line, which every user of the machine sees."""
    if not is_postgres(where):
        return False
    parts = urlsplit(where)
    return parts.password is not None or "password=" in parts.query.lower()


def open_directory(where: str | Path, clock: Clock | None = None) -> TableDirectory:
    """The directory there, which need not be imported yet; `close()` it at the end. Raises ConfigError: a bad URL."""
    if not is_postgres(where):
        return DirectoryFile(Path(where), clock)
    from colloque.directory.postgres import DirectoryPostgres  # noqa: PLC0415 - apps extra

    return DirectoryPostgres(str(where), clock)


def import_directory(
    paths: Sequence[Path],
    where: str | Path,
    clock: Clock,
    *,
    cache: Path | None = None,
    force: bool = False,
    test: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """`extract.import_files` into the directory there, of either kind; see it for what is refused and raised.

    `cache` (PostgreSQL only): where the SQLite file of the last import is kept (`AnnuaireConfig.directory_cache`). It
    saves time, nothing else: without it, or where it is not what PostgreSQL holds, it is made again from there.
    """
    from colloque.directory.extract import import_files  # noqa: PLC0415 - readers need no importer

    if not is_postgres(where):
        return import_files(paths, Path(where), clock, force=force, test=test, progress=progress)
    from colloque.directory.publish import publishing  # noqa: PLC0415 - apps extra

    with TemporaryDirectory(prefix="colloque-") as folder:
        file = cache or Path(folder) / "directory.sqlite"
        with publishing(str(where), file, force=force) as publish:
            report = import_files(paths, file, clock, force=force, test=test, progress=progress)
            publish()
    return report
