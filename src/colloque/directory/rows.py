"""Rows out of an extraction's bytes, as a stream: constant memory whatever the file's size.

Encoding: UTF-8 (with or without BOM), else Windows-1252, for the whole file; the first line with a non-ASCII byte
decides (headers have accents) and a line that disagrees later makes the file refused. Sources disagree on what ANS
writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

from colloque.directory.columns import Columns, ImportRefused, Kind, recognise

BLOCK = 1 << 15
"""Bytes read at once: the fields of so many lines stay in the processor's cache, which halves the time."""
_TOLD = 1 << 20
"""Bytes from one call of `progress` to the next."""
MAX_LINE = 1 << 16
"""Bytes; the longest real lines are under 2,000."""
_BOM = b"\xef\xbb\xbf"
_FRENCH = re.compile("[\x00-\x7f\xa0-\u017f\u02c6\u02dc\u2010-\u203a\u20ac\u2122]*")
"""What French text in UTF-8 decodes to; Windows-1252 bytes that happen to be UTF-8 decode to something else."""


class Rows:
    """Iterate `blocks` once. `columns` and `encoding` are known from the header on, the counts at the end."""

    def __init__(
        self, stream: BinaryIO, named: Kind | None, progress: Callable[[int], None], encoding: str = "ascii"
    ) -> None:
        """`named`: the kind its name announces. `progress` gets the bytes read at each step. `encoding`: as an earlier
        reading of the same file found it. Raises ImportRefused.
        """
        self._stream = stream
        self._progress = progress
        self._encoding = None if encoding == "ascii" else encoding
        self.too_long = 0
        """Lines longer than MAX_LINE, which are in no block."""
        self._marks: list[tuple[int, int]] = []
        self._pieces = self._blocks()
        self._first = next(self._pieces, [b""])
        header = self._first.pop(0)
        self.check([header])
        self.header = self.texts([header])[0]
        self.columns: Columns = recognise(self.header, named)

    @property
    def encoding(self) -> str:
        """`utf-8`, `utf-8-sig`, `cp1252`; `ascii` when nothing in the file told."""
        return self._encoding or "ascii"

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines after the header, some thousands at a time, in an encoding that suits all of the file."""
        for lines in self.unchecked():
            self.check(lines)
            yield lines

    def unchecked(self) -> Iterator[list[bytes]]:
        """The same, whatever their encoding: whoever knows lines already need not `check` those."""
        return chain((self._first,), self._pieces)

    def again(self, number: int) -> list[bytes]:
        """The lines of a block, once more, by its rank; the stream must be one that seeks. Raises ImportRefused."""
        start, size = self._marks[number]
        self._stream.seek(start)
        lines = [line for line in self._stream.read(size).split(b"\n")[:-1] if len(line) <= MAX_LINE]
        return lines if number else lines[1:]

    @property
    def decided(self) -> bool:
        """Whether the encoding is known, which no line may then contradict."""
        return self._encoding is not None

    def texts(self, lines: list[bytes]) -> list[str]:
        """Lines of a block, decoded, without the `\\r` that may stand before a line's end."""
        if not lines:
            return []
        text = b"\n".join(lines).decode("cp1252" if self._encoding == "cp1252" else "utf-8")
        if "\r" in text:
            return [line.rstrip("\r") for line in text.split("\n")]
        return text.split("\n")

    def _blocks(self) -> Iterator[list[bytes]]:
        """Whole lines, without their ends. One longer than MAX_LINE is left out and counted."""
        rest = b""
        skipping = False
        start, first = 0, True
        untold = 0
        while block := self._stream.read(BLOCK):
            untold += len(block)
            if untold >= _TOLD:
                self._progress(untold)
                untold = 0
            if first:
                first = False
                if block.startswith(_BOM):
                    self._encoding = "utf-8-sig"
                    block = block[len(_BOM) :]
                    start = len(_BOM)
            if skipping:
                skipped, newline, block = block.partition(b"\n")
                start += len(skipped) + len(newline)
                if not newline:
                    continue
                skipping = False
            size = len(rest) + len(block)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if lines:
                self._marks.append((start, size - len(rest)))
                start += size - len(rest)
                yield self._without_monsters(lines)
            if len(rest) > MAX_LINE:
                self.too_long += 1
                start += len(rest)
                rest, skipping = b"", True
        self._progress(untold)
        if rest or skipping:
            raise ImportRefused("file.truncated", "the file's last line does not end: the file was cut")

    def _without_monsters(self, lines: list[bytes]) -> list[bytes]:
        if max(map(len, lines)) <= MAX_LINE:
            return lines
        kept = [line for line in lines if len(line) <= MAX_LINE]
        self.too_long += len(lines) - len(kept)
        return kept

    def check(self, lines: list[bytes]) -> None:
        """Decides on the encoding, or holds lines against what was decided. Raises ImportRefused."""
        block = b"\n".join(lines)
        if block.isascii():
            return
        if self._encoding != "cp1252":
            try:
                block.decode("utf-8")
            except UnicodeDecodeError:
                if self._encoding is not None:
                    raise _mixed() from None
            else:
                self._encoding = self._encoding or "utf-8"
                return
        if any(_is_utf8(line) for line in lines if not line.isascii()):
            raise _mixed()
        self._encoding = "cp1252"
        try:
            block.decode("cp1252")
        except UnicodeDecodeError:
            raise ImportRefused("encoding.unknown", "the file is neither UTF-8 nor Windows-1252") from None


def one_encoding(first: str, second: str) -> str:
    """Of two pieces of one file. Raises ImportRefused when they disagree."""
    if "ascii" in (first, second):
        return second if first == "ascii" else first
    if (first == "cp1252") != (second == "cp1252"):
        raise _mixed()
    return first


def _is_utf8(line: bytes) -> bool:
    try:
        return _FRENCH.fullmatch(line.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return False


def _mixed() -> ImportRefused:
    return ImportRefused("encoding.mixed", "the file mixes UTF-8 and Windows-1252")
