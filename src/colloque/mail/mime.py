"""Cuts raw mail into parts (RFC 2045, 2046), on the bytes as they came. Nothing raises, nothing is lost."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from colloque.mail.smime import CMS_MIMES, opened
from colloque.mail.words import parameters

DEPTH_LIMIT = 20
"""Containers within containers; what lies deeper is kept whole, uncut."""
PARTS_LIMIT = 300
"""Leaves of one mail. A container for which there is no room is kept whole, uncut; of one with more, these are read."""
BOUNDARY_LIMIT = 1_000
"""Characters; RFC 2046 allows 70. A longer one may take as many comparisons at each byte, and separates nothing."""
HEADER_LIMIT = 64_000
"""Bytes kept of one header's value."""
FIELDS_LIMIT, FIELDS_BYTES = 2_000, 1_000_000
"""Fields kept of one header, and bytes of their values: three bytes of a mail may become a hundred in memory."""

_Entity = tuple["Headers", bytes]
_SEALS = {
    ("multipart/signed", "application/pkcs7-signature"): ("smime-signed",),
    ("multipart/signed", "application/x-pkcs7-signature"): ("smime-signed",),
    ("multipart/signed", "application/pgp-signature"): ("pgp-signed",),
    ("multipart/encrypted", "application/pgp-encrypted"): ("pgp-encrypted",),
}
"""No signature is verified, nothing is decrypted: that is said by these problems."""
_HEADER = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)\Z", re.DOTALL)
_AFTER_MARK = re.compile(rb"(--)?[ \t]*(?=\r?\n|\Z)")
_BLANKS_AFTER_EQUALS = re.compile(rb"=[ \t]+(?=\r?\n)")
_END_OF_LINE = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in order; names lower-case, values unfolded and raw."""

    fields: tuple[tuple[str, bytes], ...] = ()
    cut: bool = False
    """They were too long, or too many: the rest is not here."""

    def all(self, name: str) -> list[bytes]:
        """Every value of `name` (given in lower case)."""
        return [value for key, value in self.fields if key == name]

    def first(self, name: str) -> bytes:
        """The first value, empty when there is none."""
        return next((value for key, value in self.fields if key == name), b"")


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf (or a container that could not be cut). `raw` is still encoded as it travelled."""

    headers: Headers
    raw: bytes = field(repr=False)
    mime: str
    params: dict[str, str]
    disposition: str
    file_name: str
    """As the sender wrote it; empty when absent."""
    within: tuple[tuple[str, int], ...]
    """The containers around it, outermost first: `(mime, number)`; the number tells containers apart."""
    problems: tuple[str, ...] = ()

    @property
    def in_place(self) -> bool:
        """True for words that are meant to be read where the mail is."""
        return self.mime in {"text/plain", "text/html"} and self.disposition != "attachment" and not self.file_name


def split_headers(raw: bytes) -> tuple[Headers, bytes]:
    """`(headers, body)`. A line that is no header ends them and begins the body."""
    if raw.startswith((b"From ", b">From ")):  # an mbox line before the headers
        raw = raw.partition(b"\n")[2]
    fields: list[tuple[str, bytearray]] = []
    value: bytearray | None = None
    room, cut = FIELDS_BYTES, False
    at = 0
    while at < len(raw):
        stop = raw.find(b"\n", at)
        after = len(raw) if stop < 0 else stop + 1
        line = raw[at:after].rstrip(b"\r\n")
        if not line:
            at = after
            break
        if line[:1] in b" \t" and value is not None:
            more = line
        elif match := _HEADER.match(line):
            value, more = bytearray(), match[2]
            if room and len(fields) < FIELDS_LIMIT:
                fields.append((match[1].decode("ascii").lower(), value))
            else:
                cut = True
        else:
            break
        more = more if value else more.lstrip()
        kept = more[: min(room, HEADER_LIMIT - len(value))]
        value += kept
        room -= len(kept)
        cut |= len(kept) < len(more)
        at = after
    return Headers(tuple((name, bytes(value).rstrip()) for name, value in fields), cut), raw[at:]


def leaves(headers: Headers, body: bytes) -> Iterator[Part]:
    """Every leaf, in order of reading. Iterative: nesting can't exhaust the stack."""
    stack: list[tuple[_Entity | bytes, tuple[tuple[str, int], ...]]] = [((headers, body), ())]
    containers = yielded = 0
    while stack:
        entity, within = stack.pop()
        # Headers take far more memory than the bytes they are read from: one part's at a time.
        heads, data = split_headers(entity) if isinstance(entity, bytes) else entity
        mime, params = parameters(heads.first("content-type"))
        if "/" not in mime:
            mime = "message/rfc822" if within and within[-1][0] == "multipart/digest" else "text/plain"
        problems: tuple[str, ...] = ()
        if mime.startswith("multipart/"):
            room = PARTS_LIMIT - yielded - len(stack)
            pieces = _pieces(data, params.get("boundary", ""), max(room, 1))
            if pieces and len(within) < DEPTH_LIMIT and len(pieces) <= room:
                containers += 1
                inside = (*within, (mime, containers))
                stack += [(piece, inside) for piece in reversed(pieces)]
                continue
            mime, problems = ("application/octet-stream", ("too-deep",)) if pieces else ("text/plain", ("boundary",))
        elif mime in CMS_MIMES:
            problems, inner = _envelope(heads, data, params)
            if inner is not None and len(within) < DEPTH_LIMIT and yielded + len(stack) < PARTS_LIMIT:
                containers += 1
                stack.append((inner, (*within, (mime, containers))))
        elif within:
            problems = _SEALS.get((within[-1][0], mime), ())
        disposition, extra = parameters(heads.first("content-disposition"))
        name = extra.get("filename") or params.get("name") or ""
        yielded += 1
        yield Part(heads, data, mime, params, disposition, name, within, problems)


def _envelope(heads: Headers, data: bytes, params: dict[str, str]) -> tuple[tuple[str, ...], _Entity | None]:
    """`(problems, what was signed)` of an S/MIME envelope. A file that was signed is no part of the mail."""
    kind, inner = opened(_decoded(heads, data)[0])
    if kind == "signed":
        entity = split_headers(inner)
        return (("smime-signed",), entity) if entity[0].first("content-type") else ((), None)
    if kind == "encrypted" or (kind == "unreadable" and params.get("smime-type", "").lower() == "enveloped-data"):
        return ("smime-encrypted",), None
    return ("smime",) if kind == "unreadable" else (), None


def _pieces(body: bytes, boundary: str, most: int) -> list[bytes]:
    """What stands between the delimiters, `most` of it; empty when the boundary never shows."""
    if not 0 < len(boundary) <= BOUNDARY_LIMIT:
        return []
    mark = b"--" + boundary.encode("utf-8", "replace")
    pieces = []
    start: int | None = None
    for before, after, last in _delimiters(body, mark):
        if start is not None:
            pieces.append(body[start:before])
        if len(pieces) == most:
            return pieces
        if last:
            start = None  # what follows is no part, unless another delimiter comes: senders use a boundary twice
            continue
        line = _END_OF_LINE.match(body, after)
        start = line.end() if line else after
        # An empty part: the next delimiter's own line break was the one just passed.
        if body.startswith(mark, start):
            start = after
    if start is not None and body[start:].strip():
        pieces.append(body[start:])  # the closing delimiter is missing
    return pieces


def _delimiters(body: bytes, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """`(where its line break begins, where it ends, whether it closes)` of each delimiter: a line of its own.

    Searched as plain bytes: a pattern that may begin at any line end takes a second for 20 MB.
    """
    at = body.find(mark)
    while at != -1:
        rest = _AFTER_MARK.match(body, at + len(mark))
        if rest is not None and (at == 0 or body[at - 1] == 0x0A):
            line_break = 0 if at == 0 else 2 if body[at - 2 : at] == b"\r\n" else 1
            yield at - line_break, rest.end(), rest[1] is not None
        at = body.find(mark, at + 1)


def content(part: Part) -> tuple[bytes, str | None]:
    """`(decoded bytes, problem)`. What can't be decoded is given as it came."""
    return _decoded(part.headers, part.raw)


def _decoded(headers: Headers, raw: bytes) -> tuple[bytes, str | None]:
    encoding = headers.first("content-transfer-encoding").decode("ascii", "replace").strip().lower()
    if encoding == "base64":
        return _base64(raw)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(_BLANKS_AFTER_EQUALS.sub(b"=", raw)), None
    if encoding in {"x-uuencode", "uuencode", "uue", "x-uue"}:
        return _uu(raw)
    return raw, None if encoding in {"", "7bit", "8bit", "binary"} else "encoding"


def _base64(raw: bytes) -> tuple[bytes, str | None]:
    lines = raw.split()
    packed = b"".join(lines)
    try:
        return base64.b64decode(packed, validate=True), None
    except ValueError:
        pass
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", packed)
    if not clean or len(clean) * 10 < len(packed) * 9:
        return raw, "base64"  # mostly something else: not base64 at all
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return base64.b64decode(clean + b"=" * (-len(clean) % 4)), "base64"


def _uu(raw: bytes) -> tuple[bytes, str | None]:
    out = bytearray()
    begun = False
    for line in raw.splitlines():
        if not begun:
            begun = line.startswith(b"begin ")
            continue
        if line.strip() == b"end":
            return bytes(out), None
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            return raw, "uuencode"
    return raw, "uuencode"
