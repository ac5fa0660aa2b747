"""Finds the extractions in what an operator points at: text files, the web service's zips, folders of both."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from colloque.clock import PARIS
from colloque.directory.columns import ImportRefused, Kind
from colloque.directory.folding import fold

MAX_UNZIPPED = 8 << 30
"""Bytes. The biggest real zip unpacks to less than 2 GiB."""

_NAMES = (
    ("personneactivite", Kind.PEOPLE),
    ("savoirfaire", Kind.SKILLS),
    ("diplautexerc", Kind.DIPLOMAS),
    ("porteurscps", Kind.CARDS),
    ("correspondancemssante", Kind.MAILBOXES),
    ("correspondanceadelirpps", Kind.MOVES),
    ("listeblanche", Kind.WHITELIST),
)
_STAMP = re.compile(r"(?<!\d)(20\d{10})(?!\d)")


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read, or one member of a zip (read in place, never unpacked: its path goes nowhere)."""

    path: Path
    member: str
    """Name inside the zip; empty for a plain file."""
    name: str
    """Base name, for reports."""
    size: int
    """Bytes, unpacked."""
    touched_at: datetime
    """When the file (or the zip's member) was last written: counts where the name holds no time."""
    explicit: bool
    """Named by the operator, so that not recognising it is an error."""

    @property
    def named(self) -> Kind | None:
        """The kind that the name announces."""
        flat = fold(self.name).replace(" ", "")
        return next((kind for sign, kind in _NAMES if sign in flat), None)

    @property
    def made_at(self) -> datetime:
        """When ANS made it: `_AAAAMMJJhhmm` of its name, Paris time. Raises ImportRefused when that is no date."""
        found = _STAMP.search(self.name)
        if found is None:
            return self.touched_at
        try:
            return datetime.strptime(found[1], "%Y%m%d%H%M").replace(tzinfo=PARIS).astimezone(UTC)
        except ValueError:
            raise ImportRefused("file.date", f"{self.name}: the time in the file's name is none") from None

    @property
    def is_stamped(self) -> bool:
        """Whether the name holds a time."""
        return _STAMP.search(self.name) is not None

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Its bytes."""
        return open_bytes(self.path, self.member)


@contextmanager
def open_bytes(path: Path, member: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of a zip's member. A damaged zip shows while it is read, and is an ImportRefused."""
    if not member:
        with path.open("rb") as stream:
            yield stream
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            yield stream  # type: ignore[misc]  # ZipExtFile reads like one
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise _damaged(path) from None


def collect(paths: Iterable[Path]) -> list[Source]:
    """Every candidate, in a stable order. Raises ImportRefused: a missing path, a damaged or boundless zip."""
    out: list[Source] = []
    for path in paths:
        if path.is_dir():
            for child in sorted(path.iterdir()):
                if (
                    child.is_file()
                    and child.suffix.lower() in {".txt", ".csv", ".zip", ".xml"}
                    and child.name[0] != "."
                ):
                    out += _of_file(child, explicit=False)
        elif path.is_file():
            out += _of_file(path, explicit=True)
        else:
            raise ImportRefused("path.missing", f"{path}: no such file or folder")
    return out


def _of_file(path: Path, *, explicit: bool) -> list[Source]:
    if path.suffix.lower() == ".zip":
        return _of_zip(path)
    info = path.stat()
    touched = datetime.fromtimestamp(info.st_mtime, UTC)
    return [Source(path, "", path.name, info.st_size, touched, explicit)]


def _of_zip(path: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except zipfile.BadZipFile:
        raise _damaged(path) from None
    if any(m.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for m in members):
        raise ImportRefused("zip.method", f"{path.name}: packed in a way that ANS's zips never are")
    if sum(m.file_size for m in members) > MAX_UNZIPPED:
        raise ImportRefused("zip.size", f"{path.name}: unpacks to more than {MAX_UNZIPPED >> 30} GiB")
    if any(m.filename.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", m.filename) for m in members):
        # Nothing is ever unpacked to disk, so it could do no harm; but nobody honest makes such a zip.
        raise ImportRefused("zip.path", f"{path.name}: a name in the zip leads out of it")
    out = []
    for member in members:
        name = re.split(r"[/\\]", member.filename)[-1]
        touched = datetime(*member.date_time, tzinfo=PARIS).astimezone(UTC)
        out.append(Source(path, member.filename, name, member.file_size, touched, explicit=False))
    return out


def _damaged(path: Path) -> ImportRefused:
    return ImportRefused("zip.damaged", f"{path.name}: the zip is damaged or cut")
