"""Reads address lists (RFC 5322 section 3.4): structure first, encoded words after. Nothing raises."""

from __future__ import annotations

import re
from collections.abc import Iterator

from colloque.mail.message import NAME_LIMIT, Party, one_line
from colloque.mail.words import decode, decode_header

_PLAIN = (
    r"<[^<>]*>"
    r"|=\?[^?\s]{1,60}\?[bBqQ]\?[^?\s]*\?="  # an encoded word: some senders leave commas in it
    r'|[(),;:<>"]'
    r'|(?:(?!=\?)[^(),;:<>"])+|='
)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*+"|' + _PLAIN, re.DOTALL)  # a quoted name comes first
_UNQUOTED = re.compile(_PLAIN)
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s<>@,;:\"()\[\]\\\x00-\x1f\x7f]+\Z")


def is_address(text: str) -> bool:
    """True for `local@domain` in its plain form: no quotes, no comments, no route, no spaces."""
    return len(text) <= 254 and _ADDRESS.match(text) is not None


def parties(raw: bytes) -> tuple[Party, ...]:
    """Every party of an address header. One whose address is not plain has `address == ""`."""
    out: list[Party] = []
    words: list[str] = []
    bracket: str | None = None
    depth = 0
    for piece in _tokens(decode(raw, None)[0]):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif piece in {",", ";"}:
            _finish(out, words, bracket)
            words, bracket = [], None
        elif piece == ":":  # a group's name came before
            words, bracket = [], None
        elif piece[0] == "<" and len(piece) > 1:
            bracket = piece[1:-1] if bracket is None else ""  # two addresses for one name: neither is believed
        else:
            words.append(piece)
    _finish(out, words, bracket)
    return tuple(out)


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match[0] == '"':  # nothing closes it, so nothing closes a later one: to look for that would take the square
            yield from _UNQUOTED.findall(text, match.start())
            return
        yield match[0]


def _finish(out: list[Party], words: list[str], bracket: str | None) -> None:
    text = " ".join(_unquote(w) for w in words).strip()
    if bracket is None and not text:
        return
    address = (bracket if bracket is not None else text).strip().lower()
    name = decode_header(text.encode("utf-8", "replace")) if bracket is not None else ""
    out.append(Party(one_line(name, NAME_LIMIT), address if is_address(address) else ""))


def _unquote(word: str) -> str:
    if len(word) >= 2 and word[0] == word[-1] == '"':
        return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
    return word.strip()
