"""Files out of an archive that a stranger made: names, sizes and counts are bounded before and while it is opened."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib

from colloque.mail.refusal import DocumentRefused

ARCHIVE_LIMIT = 48_000_000
"""Bytes of the archive itself."""
ENTRIES_LIMIT = 512
TOTAL_LIMIT = 96_000_000
"""Bytes that all files read from one archive may take together."""
RATIO_LIMIT = 100
"""How much bigger a file may be than what stands for it in the archive. Clinical XML shrinks 5 to 20 times, base64
1.3 times; deflate's most is 1,032."""
RATIO_FREE = 1_000_000
"""Bytes that may come out whatever the ratio."""

_CHUNK = 65_536
_DIRECTORY_ENTRY = b"PK\x01\x02"
_DRIVE = re.compile(r"[A-Za-z]:")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


class Archive:
    """The files of one archive by their names, in capitals (ISO 9660 names have no case)."""

    def __init__(self, data: bytes) -> None:
        """Raises DocumentRefused: `zip-size`, `zip-damaged`, `zip-entries`, `zip-name`, `zip-link`, `zip-encrypted`,
        `zip-method`, `zip-duplicate`, `zip-bomb`."""
        if len(data) > ARCHIVE_LIMIT:
            raise DocumentRefused("zip-size")
        if data.count(_DIRECTORY_ENTRY) > ENTRIES_LIMIT:  # before a directory of a million entries is taken in
            raise DocumentRefused("zip-entries")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, OSError, NotImplementedError):
            raise DocumentRefused("zip-damaged") from None
        self._budget = TOTAL_LIMIT
        self._files: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            name = _checked(info)
            if name in self._files:
                raise DocumentRefused("zip-duplicate")
            if not info.is_dir():
                self._files[name] = info
        if sum(info.file_size for info in self._files.values()) > TOTAL_LIMIT:
            raise DocumentRefused("zip-bomb")

    @property
    def names(self) -> list[str]:
        """Every file's full name, in capitals, with `/` between folders."""
        return list(self._files)

    def read(self, name: str) -> bytes:
        """One file. What comes out is counted, whatever the directory says. Raises DocumentRefused: `zip-bomb`,
        `zip-damaged`."""
        info = self._files[name]
        out = bytearray()
        try:
            with self._zip.open(info) as source:
                while chunk := source.read(_CHUNK):
                    out += chunk
                    self._budget -= len(chunk)
                    grown = len(out) > RATIO_FREE and len(out) > RATIO_LIMIT * max(1, info.compress_size)
                    if grown or self._budget < 0:
                        raise DocumentRefused("zip-bomb")
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError, RuntimeError):
            raise DocumentRefused("zip-damaged") from None
        return bytes(out)


def _checked(info: zipfile.ZipInfo) -> str:
    """The entry's name in capitals, when nothing about it is suspicious."""
    name = info.filename.replace("\\", "/")
    steps = name.rstrip("/").split("/")
    if (
        "\0" in info.orig_filename
        or name.startswith("/")
        or _DRIVE.match(name)
        or not all(steps)
        or {".", ".."} & set(steps)
    ):
        raise DocumentRefused("zip-name")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise DocumentRefused("zip-link")
    if info.flag_bits & 0x41:  # encrypted, or strongly so
        raise DocumentRefused("zip-encrypted")
    if info.compress_type not in _METHODS:
        raise DocumentRefused("zip-method")
    return "/".join(steps).upper()
