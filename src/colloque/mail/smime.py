"""What an S/MIME envelope is (CMS, RFC 5652; S/MIME, RFC 8551), and what a signed one holds. No key, no signature is
ever looked at: a signature proves nothing here. Takes any bytes.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

Kind = Literal["signed", "encrypted", "other", "unreadable"]

CMS_MIMES = {"application/pkcs7-mime", "application/x-pkcs7-mime"}

_KINDS: dict[bytes, Kind] = {
    bytes.fromhex("2a864886f70d010702"): "signed",
    bytes.fromhex("2a864886f70d010703"): "encrypted",
    bytes.fromhex("2a864886f70d0109100117"): "encrypted",  # authenticated as well
}
_OID, _OCTETS, _SEQUENCE, _SET, _INTEGER, _FIRST = 0x06, 0x04, 0x30, 0x31, 0x02, 0xA0
_CONSTRUCTED = 0x20
_PIECES_DEPTH = 8
"""Octet strings within octet strings."""


class _Bad(Exception):
    pass


def opened(data: bytes) -> tuple[Kind, bytes]:
    """`(kind, content)`: what a signed one holds; empty for all others, or when that stands elsewhere."""
    try:
        return _opened(_binary(data))
    except _Bad:
        return "unreadable", b""


def _binary(data: bytes) -> bytes:
    """Some senders forget to say that it is base64."""
    if data[:1] == b"M":
        try:
            return base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error:
            raise _Bad from None
    return data


def _opened(data: bytes) -> tuple[Kind, bytes]:
    outer = _Reader(data, 0, len(data)).enter(_SEQUENCE)
    kind = _KINDS.get(outer.value(_OID), "other")
    if kind != "signed":
        return kind, b""
    signed = outer.enter(_FIRST).enter(_SEQUENCE)
    signed.value(_INTEGER)
    signed.skip(_SET)
    inner = signed.enter(_SEQUENCE)
    inner.value(_OID)
    if inner.tag() != _FIRST:
        return "signed", b""  # the content stands elsewhere
    return "signed", inner.enter(_FIRST).octets(_PIECES_DEPTH)


class _Reader:
    """BER elements within `start` and `stop`, one after the other. `stop` is None where an end mark ends them."""

    def __init__(self, data: bytes, start: int, stop: int | None) -> None:
        self._data = data
        self._at = start
        self._stop = stop

    def tag(self) -> int | None:
        """The next element's tag; None at the end."""
        ended = self._data[self._at : self._at + 2] == b"\0\0" if self._stop is None else self._at >= self._stop
        return None if ended or self._at >= len(self._data) else self._data[self._at]

    def _head(self) -> tuple[int, int, int | None]:
        """`(tag, where its content begins, where it ends)`; no end for indefinite length."""
        found = self.tag()
        if found is None or found & 0x1F == 0x1F or self._at + 1 >= len(self._data):
            raise _Bad
        length = self._data[self._at + 1]
        start = self._at + 2
        if length == 0x80 and found & _CONSTRUCTED:
            return found, start, None
        if length >= 0x80:
            count = length & 0x7F
            if not 0 < count <= 5:
                raise _Bad
            length = int.from_bytes(self._data[start : start + count], "big")
            start += count
        if start + length > (len(self._data) if self._stop is None else self._stop):
            raise _Bad
        return found, start, start + length

    def enter(self, tag: int) -> _Reader:
        """A reader of the next element's content; what comes after it is not read any more."""
        found, start, stop = self._head()
        if found != tag:
            raise _Bad
        return _Reader(self._data, start, stop)

    def value(self, tag: int) -> bytes:
        """The next element's content; it is primitive."""
        found, start, stop = self._head()
        if found != tag or stop is None:
            raise _Bad
        self._at = stop
        return self._data[start:stop]

    def skip(self, tag: int) -> None:
        """Past the next element."""
        if self.tag() != tag:
            raise _Bad
        open_ends = 0
        while True:
            if open_ends and self._data[self._at : self._at + 2] == b"\0\0":
                self._at += 2
                open_ends -= 1
            else:
                _, start, stop = self._head()
                open_ends += stop is None
                self._at = start if stop is None else stop
            if not open_ends:
                return

    def octets(self, depth: int) -> bytes:
        """The next element: an octet string, or one in pieces."""
        found, start, stop = self._head()
        if found == _OCTETS and stop is not None:
            self._at = stop
            return self._data[start:stop]
        if found != _OCTETS | _CONSTRUCTED or depth <= 0:
            raise _Bad
        pieces = []
        inner = _Reader(self._data, start, stop)
        while inner.tag() is not None:
            pieces.append(inner.octets(depth - 1))
        self._at = inner.end()
        return b"".join(pieces)

    def end(self) -> int:
        """Where the last element ended, past the end mark."""
        if self._stop is not None:
            return self._at
        if self._data[self._at : self._at + 2] != b"\0\0":
            raise _Bad
        return self._at + 2
