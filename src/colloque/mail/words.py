"""Text out of bytes, whatever was declared: charsets, RFC 2047 words, RFC 2231 parameters. Nothing raises."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from urllib.parse import unquote_to_bytes

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\r\n]*)\?=")
_PARAMETER = re.compile(r';\s*([^=;\s"]+)\s*=\s*("(?:\\.|[^"\\])*"|[^;]*)', re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?\Z")

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Unicode's Cc and Cs, line feeds and tabs apart."""
_NOT_CHARSETS = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined"}
"""Python codecs that are no mail charset; some are slow or warn."""
_WIDER = {"ascii": "utf-8", "iso8859-1": "cp1252"}
"""What senders mean when they declare these (WHATWG's table says the same of Latin-1)."""


def decode(data: bytes, charset: str | None) -> tuple[str, bool]:
    """`(text, exact)`. `exact` is False when the declared charset was unknown or wrong and the text is a guess."""
    name = "utf-8"
    known = True
    if charset:
        try:
            name = codecs.lookup(charset.strip().strip("'\"")).name
            known = name not in _NOT_CHARSETS
        except (LookupError, ValueError):
            known = False
    if known:
        try:
            return data.decode(_WIDER.get(name, name)), True
        except (LookupError, ValueError):
            pass  # declared wrongly, or a codec that is not for text: guess below
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), False


def decode_header(raw: bytes) -> str:
    """A header's value with its encoded words read; raw 8-bit bytes are taken as UTF-8, else as Windows-1252."""
    text, _ = decode(raw, None)
    out: list[str] = []
    run: list[bytes] = []  # of one charset: senders cut characters in two
    charset = ""
    end = 0
    for match in _WORD.finditer(text):
        gap = text[end : match.start()]
        here = match[1].partition("*")[0].lower()
        adjacent = end > 0 and not gap.strip()  # blanks between two encoded words are not meant (RFC 2047, 6.2)
        if not adjacent or here != charset:
            out.append(decode(b"".join(run), charset)[0] if run else "")
            run = []
        if not adjacent:
            out.append(gap)
        run.append(_q_bytes(match[3]) if match[2] in "qQ" else _b64_bytes(match[3]))
        charset, end = here, match.end()
    out.append(decode(b"".join(run), charset)[0] if run else "")
    return "".join(out) + text[end:]


def _q_bytes(body: str) -> bytes:
    return binascii.a2b_qp(body.encode("utf-8", "replace"), header=True)


def _b64_bytes(body: str) -> bytes:
    raw = re.sub(rb"[^A-Za-z0-9+/]", b"", body.encode("ascii", "ignore"))
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except ValueError:  # one character too many: no padding can save it
        return base64.b64decode(raw[:-1])


def parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """`(value, parameters)` of Content-Type or Content-Disposition; names lower-case (RFC 2045, 2231, 2047 misused)."""
    text, _ = decode(raw, None)
    value = text.partition(";")[0].strip().lower()
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for name, quoted in _PARAMETER.findall(text):
        content = re.sub(r"\\(.)", r"\1", quoted[1:-1]) if quoted[:1] == '"' and quoted[-1:] == '"' else quoted.strip()
        section = _SECTION.match(name.lower())
        if section is None or (section[2] is None and not section[3]):
            plain.setdefault(name.lower(), decode_header(content.encode("utf-8", "replace")))
        else:
            pieces.setdefault(section[1], []).append((int(section[2] or 0), bool(section[3]), content))
    return value, plain | {name: _joined(sorted(found)) for name, found in pieces.items()}


def _joined(found: list[tuple[int, bool, str]]) -> str:
    charset = None
    data = b""
    for rank, (_, escaped, content) in enumerate(found):
        if escaped and rank == 0 and content.count("'") >= 2:
            charset, _, content = content.split("'", 2)  # noqa: PLW2901 - the rest is this piece
        data += unquote_to_bytes(content) if escaped else content.encode("utf-8", "replace")
    return decode(data, charset)[0]


def printable(text: str) -> str:
    """`text` with line feeds for every line end, without control characters; tabs stay."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text)


def unflow(text: str, *, joined: bool) -> str:
    """`text/plain; format=flowed` with its soft line breaks undone (RFC 3676). `joined`: DelSp=yes."""
    out: list[list[str]] = []  # in pieces: to grow a text line by line takes the square of it
    soft = False  # the line before goes on
    quoted = 0
    for line in text.split("\n"):
        rest = line.lstrip(">")
        depth = len(line) - len(rest)
        rest = rest.removeprefix(" ")
        signature = rest == "-- "
        goes_on = rest.endswith(" ") and not signature
        kept = rest[:-1] if goes_on and joined else rest
        if soft and depth == quoted and not signature:
            out[-1].append(kept)
        else:
            out.append([">" * depth + (" " if depth else ""), kept])
        soft, quoted = goes_on, depth
    return "\n".join("".join(pieces) for pieces in out)
