"""What Outlook packs into `winmail.dat` (MS-OXTNEF): files, and the mail's own words. Takes any bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from colloque.mail.message import Attachment
from colloque.mail.rtf import decompress
from colloque.mail.words import decode

FILES_LIMIT = 150
"""Files taken out of one mail's TNEF; with more, it stays a file itself. Fewer than are shown of a mail."""
DEPTH_LIMIT = 3
"""Messages within messages."""
SIGNATURE = b"\x78\x9f\x3e\x22"
"""A package begins with it."""

_SMALLEST = 11
"""Bytes of an attribute without a value."""

_NEW_FILE = 0x9002
_FILE_TITLE, _FILE_DATA, _FILE_PROPERTIES = 0x8010, 0x800F, 0x9005
_BODY, _PROPERTIES, _CODEPAGE, _CLASS = 0x800C, 0x9003, 0x9007, 0x8008

_LONG_NAME, _SHORT_NAME, _DISPLAY_NAME, _MIME, _CONTENT_ID, _DATA = 0x3707, 0x3704, 0x3001, 0x370E, 0x3712, 0x3701
_PLAIN, _RTF, _HTML, _HTML_CODEPAGE, _OWN_CLASS = 0x1000, 0x1009, 0x1013, 0x3FDE, 0x001A
_LETTERS = ("ipm.note", "ipm.microsoft mail.note")

_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
"""IID_IMessage: the object is a mail."""
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of a property's value by its type, padding included."""
_STRING8, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0x0D
_SEVERAL = 0x1000
_CODEPAGES = {"cp65001": "utf-8", "cp20127": "ascii", "cp28591": "iso8859-1", "cp28605": "iso8859-15"}
"""Windows's numbers that Python has under other names."""


@dataclass(slots=True)
class Unpacked:
    """What one TNEF holds."""

    text: str = ""
    html: str = ""
    rtf: bytes = b""
    """The same words in three forms; empty where there is none."""
    files: list[Attachment] = field(default_factory=list)
    """Names as the sender wrote them, perhaps empty."""
    room: int = FILES_LIMIT
    more: bool = False
    """It is no letter but a meeting, a task, a card: the whole has to stay a file for who can read it."""
    damaged: bool = False
    """Something could not be read, or was too much: the whole has to stay a file."""


class _Damaged(Exception):
    pass


def unpack(data: bytes, room: int = FILES_LIMIT) -> Unpacked:
    """Read one TNEF; at most `room` files. What stands before any damage is given; linear in its size."""
    out = Unpacked(room=room)
    _read(data, out, DEPTH_LIMIT)
    return out


def _read(data: bytes, out: Unpacked, depth: int) -> None:
    message: dict[int, bytes] = {}
    files: list[dict[int, bytes]] = []
    try:
        for kind, value in _attributes(data, out):
            if kind == _NEW_FILE:
                if len(files) + len(out.files) >= out.room:
                    raise _Damaged
                files.append({})
            elif kind in {_FILE_TITLE, _FILE_DATA, _FILE_PROPERTIES} and files:
                files[-1][kind] = value
            else:
                message[kind] = value
    except _Damaged:
        out.damaged = True
    charset = f"cp{int.from_bytes(message.get(_CODEPAGE, b'')[:4], 'little') or 1252}"
    _read_body(message, charset, out)
    for file in files:
        _take(file, charset, out, depth)


def _attributes(data: bytes, out: Unpacked) -> Iterator[tuple[int, bytes]]:
    """`(kind, value)` of each attribute."""
    if data[:4] != SIGNATURE:
        raise _Damaged
    at = 6
    while at < len(data) and (len(data) - at >= _SMALLEST or data[at:].strip(b"\0 \r\n")):
        size = int.from_bytes(data[at + 5 : at + 9], "little")
        value = data[at + 9 : at + 9 + size]
        check = data[at + 9 + size : at + 11 + size]
        if len(check) < 2:
            raise _Damaged
        out.damaged |= sum(value) & 0xFFFF != int.from_bytes(check, "little")
        yield int.from_bytes(data[at + 1 : at + 3], "little"), value
        at += 11 + size


def _properties(data: bytes | None, out: Unpacked) -> dict[int, tuple[int, bytes]]:
    """`{id: (type, first value)}`, as far as they can be read."""
    found: dict[int, tuple[int, bytes]] = {}
    try:
        if data is not None:
            _read_properties(_Reader(data), found)
    except _Damaged:
        out.damaged = True
    return found


def _read_properties(reader: _Reader, found: dict[int, tuple[int, bytes]]) -> None:
    for _ in range(reader.number()):
        head = reader.number()
        kind, name = head & 0xFFFF, head >> 16
        if name >= 0x8000:
            reader.take(16)
            if reader.number() == 0:
                reader.take(4)
            else:
                reader.padded()
        several = bool(kind & _SEVERAL)
        kind &= ~_SEVERAL
        counted = several or kind in {_STRING8, _UNICODE, _BINARY, _OBJECT}
        count = reader.number() if counted else 1
        first = b""
        if kind in _FIXED:
            first = reader.take(count * (2 if kind == 0x02 and several else _FIXED[kind]))
            reader.pad()
        elif counted:
            for rank in range(count):
                value = reader.padded()
                first = value if rank == 0 else first
        else:
            raise _Damaged
        found.setdefault(name, (kind, first))


class _Reader:
    """Little-endian fields; every one moves on or raises _Damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        value = self._data[self._at : self._at + size]
        if len(value) < size or size < 0:
            raise _Damaged
        self._at += size
        return value

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def pad(self) -> None:
        self._at += -self._at % 4

    def padded(self) -> bytes:
        value = self.take(self.number())
        self.pad()
        return value


def _read_body(message: dict[int, bytes], charset: str, out: Unpacked) -> None:
    properties = _properties(message.get(_PROPERTIES), out)
    said = _string(properties.get(_OWN_CLASS), charset) or _decoded(message.get(_CLASS, b""), charset)
    out.more |= bool(said) and not said.casefold().startswith(_LETTERS)
    out.text = _string(properties.get(_PLAIN), charset) or _decoded(message.get(_BODY, b""), charset)
    kind, value = properties.get(_HTML, (0, b""))
    if kind == _BINARY:
        own = int.from_bytes(properties.get(_HTML_CODEPAGE, (0, b""))[1][:4], "little")
        out.html = _decoded(value, f"cp{own}" if own else charset)
    elif kind:
        out.html = _string((kind, value), charset)
    packed = properties.get(_RTF, (0, b""))[1]
    if packed:
        rtf = decompress(packed)
        out.damaged |= rtf is None
        out.rtf = rtf or b""


def _take(file: dict[int, bytes], charset: str, out: Unpacked, depth: int) -> None:
    if len(out.files) >= out.room:
        out.damaged = True
        return
    found = _properties(file.get(_FILE_PROPERTIES), out)
    name = next((n for key in (_LONG_NAME, _SHORT_NAME) if (n := _string(found.get(key), charset))), "")
    name = name or _decoded(file.get(_FILE_TITLE, b""), charset) or _string(found.get(_DISPLAY_NAME), charset)
    mime = _string(found.get(_MIME), charset).strip().lower()
    kind, value = found.get(_DATA, (0, b""))
    if kind == _OBJECT and value.startswith(_MESSAGE):
        _take_message(value[len(_MESSAGE) :], name, out, depth)
        return
    data = value[16:] if kind == _OBJECT else file.get(_FILE_DATA) or value
    out.files.append(Attachment(name, mime or "application/octet-stream", data, _CONTENT_ID in found))


def _take_message(data: bytes, name: str, out: Unpacked, depth: int) -> None:
    """A mail within: its words become a file, beside its own files."""
    if depth <= 0:
        out.damaged = True
        return
    inner = Unpacked(files=out.files, room=out.room)
    place = len(out.files)
    _read(data, inner, depth - 1)
    out.damaged |= inner.damaged
    out.more |= inner.more
    if inner.html:
        out.files.insert(place, Attachment(f"{name}.html", "text/html", inner.html.encode("utf-8", "replace")))
    elif inner.rtf:
        out.files.insert(place, Attachment(f"{name}.rtf", "application/rtf", inner.rtf))
    elif inner.text:
        out.files.insert(place, Attachment(f"{name}.txt", "text/plain", inner.text.encode("utf-8", "replace")))


def _string(found: tuple[int, bytes] | None, charset: str) -> str:
    kind, value = found or (0, b"")
    if kind == _UNICODE:
        return value.decode("utf-16-le", "replace").rstrip("\0")
    return _decoded(value, charset) if kind in {_STRING8, _BINARY} else ""


def _decoded(value: bytes, charset: str) -> str:
    return decode(value.rstrip(b"\0"), _CODEPAGES.get(charset, charset))[0]
