"""RTF to simple HTML, for mails whose only body it is. Reads any bytes; what it does not know it passes over."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

from colloque.mail.words import decode

RTF_LIMIT = 500_000
"""Bytes. Nothing longer is read (about 1.5 s at this size)."""

_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_TOKEN = re.compile(
    r"\\([a-z]{1,32})(-?\d{1,9})? ?|\\'([0-9a-f]{2})|\\(\r\n|[^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)|\\", re.IGNORECASE
)
_NOT_TEXT = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "headerl", "headerr", "headerf", "footer",
    "footerl", "footerr", "footerf", "themedata", "fldinst", "filetbl", "listtable", "revtbl", "rsidtbl", "generator",
}  # fmt: skip
_SIGNS = {
    "par": "<br>", "line": "<br>", "sect": "<br>", "page": "<br>", "row": "<br>", "tab": "&nbsp;&nbsp; ",
    "cell": "&nbsp;&nbsp; ", "emdash": "—", "endash": "–", "bullet": "•", "lquote": "‘", "rquote": "’",
    "ldblquote": "“", "rdblquote": "”", "~": "&nbsp;", "_": "-", "\\": "\\", "{": "{", "}": "}",
    "\n": "<br>", "\r": "<br>", "\r\n": "<br>",
}  # fmt: skip
_STYLES = {"b": "b", "i": "i", "ul": "u", "strike": "del", "striked": "del", "super": "sup", "sub": "sub"}


def decompress(data: bytes) -> bytes | None:
    """RTF out of its compressed form (MS-OXRTFCP); None when it is damaged or longer than `RTF_LIMIT`."""
    size, magic = int.from_bytes(data[4:8], "little"), data[8:12]
    if size > RTF_LIMIT or len(data) < 16:
        return None
    if magic == b"MELA":
        return data[16 : 16 + size]
    return _inflated(data, size) if magic == b"LZFu" else None


def _inflated(data: bytes, size: int) -> bytes | None:
    out = bytearray(_DICTIONARY)
    wanted = len(out) + size
    at = 16
    flags = 1
    while len(out) < wanted:
        if flags == 1:  # eight are used up
            flags = 0x100 | int.from_bytes(data[at : at + 1], "little")
            at += 1
        width = 1 + (flags & 1)
        piece = data[at : at + width]
        at += width
        if len(piece) < width:
            return None
        if width == 1:
            out += piece
        else:
            token = int.from_bytes(piece, "big")
            back = (len(out) - (token >> 4)) % 4096
            if back == 0:  # points at what will be written next: the end, too early
                return None
            for _ in range((token & 15) + 2):
                out.append(out[-back] if back <= len(out) else 0x20)
        flags >>= 1
    return bytes(out[len(_DICTIONARY) : wanted])


@dataclass(frozen=True, slots=True)
class _State:
    """What holds within a group."""

    skipped: bool = False
    tag: bool = False
    """Within HTML that the RTF carries (MS-OXRTFEX)."""
    for_rtf: bool = False
    """Within what stands only for readers of RTF."""
    after_unicode: int = 1
    styles: frozenset[str] = frozenset()


def to_html(data: bytes) -> str:
    """The words of an RTF text with their lines, strokes and exponents; its own HTML where it carries one."""
    return _Reader(data[:RTF_LIMIT].decode("latin-1")).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._from_html = re.search(r"\\fromhtml1?\b", source[:2000]) is not None
        codepage = re.search(r"\\ansicpg(\d{3,5})", source[:2000])
        self._charset = f"cp{codepage[1]}" if codepage else "cp1252"
        self._out: list[str] = []
        self._bytes = bytearray()
        self._units = bytearray()
        """UTF-16: a character may come in two halves."""
        self._state = _State()
        self._outer: list[_State] = []
        self._to_pass = 0
        """Characters that stand for an earlier one, for readers without Unicode."""

    def read(self) -> str:
        at = 0
        while (match := _TOKEN.match(self._source, at)) is not None:
            at = match.end()
            word, number, escaped, sign, brace, plain = match.groups()
            if word == "bin" and number:
                at += max(0, int(number))
            elif word:
                self._word(word, int(number) if number else None)
            elif escaped:
                self._byte(int(escaped, 16))
            elif brace:
                self._brace(brace)
            elif plain:
                self._plain(plain)
            elif sign == "*":
                self._state = replace(self._state, skipped=True)
            elif sign:
                self._sign(sign)
        self._flush()
        return "".join(self._out)

    def _brace(self, brace: str) -> None:
        self._flush()
        self._to_pass = 0
        if brace == "{":
            self._outer.append(self._state)
        elif self._outer:
            self._state = self._outer.pop()

    def _word(self, word: str, number: int | None) -> None:
        state = self._state
        if word == "u" and number is not None:
            self._flush_bytes()
            if self._shown():
                self._units += (number % 65536).to_bytes(2, "little")
            self._to_pass = state.after_unicode
            return
        self._flush()
        if word == "htmltag" and self._from_html and state.skipped:
            self._state = replace(state, skipped=False, tag=True)
        elif word in _NOT_TEXT:
            self._state = replace(state, skipped=True)
        elif word == "htmlrtf":
            self._state = replace(state, for_rtf=number != 0)
        elif word == "uc" and number is not None:
            self._state = replace(state, after_unicode=min(max(number, 0), 9))
        elif word in {"plain", "nosupersub"}:
            self._state = replace(state, styles=frozenset() if word == "plain" else state.styles - {"sup", "sub"})
        elif word in _STYLES:
            style = {_STYLES[word]}
            self._state = replace(state, styles=state.styles - style if number == 0 else state.styles | style)
        else:
            self._sign(word)

    def _sign(self, sign: str) -> None:
        self._flush()
        if sign in _SIGNS and self._shown():
            piece = _SIGNS[sign]
            self._out.append("\n" if self._from_html and piece == "<br>" else piece)

    def _shown(self) -> bool:
        return not self._state.skipped and not self._state.for_rtf

    def _byte(self, value: int) -> None:
        if self._to_pass:
            self._to_pass -= 1
        elif self._shown():
            self._flush_units()
            self._bytes.append(value)

    def _plain(self, plain: str) -> None:
        passed = min(self._to_pass, len(plain))
        self._to_pass -= passed
        if self._shown() and plain[passed:]:
            self._flush_units()
            self._bytes += plain[passed:].encode("latin-1")

    def _flush(self) -> None:
        self._flush_bytes()
        self._flush_units()

    def _flush_bytes(self) -> None:
        if self._bytes:
            self._write(decode(bytes(self._bytes), self._charset)[0])
            self._bytes.clear()

    def _flush_units(self) -> None:
        if self._units:
            self._write(self._units.decode("utf-16-le", "replace"))
            self._units.clear()

    def _write(self, text: str) -> None:
        if self._state.tag:
            self._out.append(text)
            return
        text = html.escape(text, quote=False)
        styles = [] if self._from_html else sorted(self._state.styles)
        self._out += [*(f"<{style}>" for style in styles), text, *(f"</{style}>" for style in reversed(styles))]
