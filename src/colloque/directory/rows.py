"""Rows out of an extraction's bytes, as a stream: constant memory whatever the file's size.

Encoding: UTF-8 (with or without BOM), else Windows-1252, for the whole file; the first line with a non-ASCII byte
decides (headers have accents) and a line that disagrees later makes the file refused. Sources disagree on what ANS
writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO

from colloque.directory.columns import Columns, ImportRefused, Kind, cut, recognise

BLOCK = 1 << 20
MAX_LINE = 1 << 16
"""Bytes; the longest real lines are under 2,000."""
_BOM = b"\xef\xbb\xbf"
_FRENCH = re.compile("[\x00-\x7f\xa0-\u017f\u02c6\u02dc\u2010-\u203a\u20ac\u2122]*")
"""What French text in UTF-8 decodes to; Windows-1252 bytes that happen to be UTF-8 decode to something else."""


class Rows:
    """Iterate once. `columns` and `encoding` are known from the header on, `count` and `rejected` at the end."""

    def __init__(self, stream: BinaryIO, named: Kind | None, progress: Callable[[int], None]) -> None:
        """`named`: the kind its name announces. `progress` gets the bytes read at each step. Raises ImportRefused."""
        self._stream = stream
        self._progress = progress
        self._encoding: str | None = None
        self.rejected: Counter[str] = Counter()
        self.count = 0
        self._lines = self._decoded()
        header = next(self._lines, "").split("|")
        if not header[-1]:
            header.pop()
        self.columns: Columns = recognise(header, named)

    @property
    def encoding(self) -> str:
        """`utf-8`, `utf-8-sig`, `cp1252`; `ascii` when nothing in the file told."""
        return self._encoding or "ascii"

    def __iter__(self) -> Iterator[list[str]]:
        """The sound rows. Others are counted in `rejected`; a file that ends in half a row is refused."""
        width = self.columns.width
        whole = True
        for line in self._lines:
            self.count += 1
            fields = cut(line, width)
            whole = fields is not None
            if fields is None:
                self.rejected["row.width"] += 1
            elif "\0" in line:
                self.rejected["row.nul"] += 1
            else:
                yield fields
        if not whole:
            raise ImportRefused("file.truncated", "the file's last row is not whole: the file was cut")

    def _decoded(self) -> Iterator[str]:
        for block in self._blocks():
            for line in self._decode(block).split("\n")[:-1]:
                yield line.rstrip("\r")

    def _blocks(self) -> Iterator[bytes]:
        """Pieces that end at a line's end. A line longer than MAX_LINE is left out and counted."""
        rest = b""
        skipping = False
        first = True
        while block := self._stream.read(BLOCK):
            self._progress(len(block))
            if first:
                first = False
                if block.startswith(_BOM):
                    self._encoding = "utf-8-sig"
                    block = block[len(_BOM) :]
            if skipping:
                _, newline, block = block.partition(b"\n")
                if not newline:
                    continue
                skipping = False
            whole, newline, tail = (rest + block).rpartition(b"\n")
            if newline:
                yield self._without_monsters(whole + newline)
            rest = tail
            if len(rest) > MAX_LINE:
                self._monster()
                rest, skipping = b"", True
        if rest or skipping:
            raise ImportRefused("file.truncated", "the file's last line does not end: the file was cut")

    def _without_monsters(self, block: bytes) -> bytes:
        lines = block.split(b"\n")
        if max(map(len, lines)) <= MAX_LINE:
            return block
        kept = [line for line in lines if len(line) <= MAX_LINE]
        for _ in range(len(lines) - len(kept)):
            self._monster()
        return b"\n".join(kept)

    def _monster(self) -> None:
        self.count += 1
        self.rejected["row.too_long"] += 1

    def _decode(self, block: bytes) -> str:
        if block.isascii():
            return block.decode("ascii")
        if self._encoding != "cp1252":
            try:
                text = block.decode("utf-8")
            except UnicodeDecodeError:
                if self._encoding is not None:
                    raise _mixed() from None
            else:
                self._encoding = self._encoding or "utf-8"
                return text
        if any(_is_utf8(line) for line in block.split(b"\n") if not line.isascii()):
            raise _mixed()
        self._encoding = "cp1252"
        try:
            return block.decode("cp1252")
        except UnicodeDecodeError:
            raise ImportRefused("encoding.unknown", "the file is neither UTF-8 nor Windows-1252") from None


def _is_utf8(line: bytes) -> bool:
    try:
        return _FRENCH.fullmatch(line.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False


def _mixed() -> ImportRefused:
    return ImportRefused("encoding.mixed", "the file mixes UTF-8 and Windows-1252")
