"""Which of a mail's bodies is shown, and what has to stay beside it as a file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace

from colloque.mail.html import HTML_LIMIT, adds_words, is_marked, readable, to_text, words
from colloque.mail.message import TEXT_LIMIT, Attachment
from colloque.mail.rich import to_rich
from colloque.mail.rtf import to_html
from colloque.mail.tnef import Unpacked
from colloque.mail.words import printable

_STUB = 0.5
"""A plain text with fewer than this share of the HTML's words only says that the mail is in HTML."""


@dataclass(frozen=True, slots=True)
class Body:
    """One part that is meant to be read in place."""

    text: str
    is_html: bool
    within: tuple[tuple[str, int], ...]
    """See `mime.Part`."""
    beside: bool = False
    """Its original is a file already."""
    unread: bool = False
    """It is HTML that stays a file only."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is read of a mail. `html` has the same words as `text`, or is empty."""

    text: str
    html: str
    kept: tuple[Attachment, ...]
    """What would be lost in showing."""
    too_long: bool


def show(bodies: Sequence[Body]) -> Shown:
    """The bodies of one mail, in their order, as one text."""
    shown: list[tuple[str, str]] = []
    kept: list[Attachment] = []
    for group in _alternatives(_bounded(bodies)):
        text, rich, beside = _best(group)
        if text.strip():
            shown.append((text.strip("\n"), rich))
        kept += beside
    whole = "\n\n".join(text for text, _ in shown)
    if len(whole) > TEXT_LIMIT:
        return Shown(whole[:TEXT_LIMIT], "", (*kept, _file("message.txt", "text/plain", whole)), too_long=True)
    rich = ""
    if any(each for _, each in shown):
        rich = "<br><br>".join(each or escaped(text) for text, each in shown)
    return Shown(whole, rich, tuple(kept), too_long=False)


def _bounded(bodies: Sequence[Body]) -> list[Body]:
    """No more HTML is read of one mail than of one part: it takes its time."""
    out = []
    size = 0
    for each in bodies:
        size += len(each.text) if each.is_html else 0
        out.append(replace(each, unread=True) if each.is_html and size > HTML_LIMIT else each)
    return out


def escaped(text: str) -> str:
    """Plain text as HTML."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def with_packed(bodies: Sequence[Body], packed: Sequence[Unpacked]) -> tuple[list[Body], list[Attachment]]:
    """The bodies, and files beside them. A package's words are the mail's own where it has no others.

    Else they are a file, where they say more. RTF stays a file: what is shown of it is a reading.
    """
    own = "\n".join(_own(each) for each in bodies) if packed else ""
    out, files = list(bodies), []
    for rank, each in enumerate(packed):
        rich = printable(each.html or (to_html(each.rtf) if each.rtf else ""))
        said = to_text(rich)[0] if rich else each.text
        if not own.strip():
            around = (("multipart/alternative", -rank - 1),)
            out += [Body(printable(each.text), False, around), Body(rich, True, around, beside=not each.html)]
        if each.rtf and not each.html and (not own.strip() or adds_words(said, own)):
            files.append(Attachment("message.rtf", "application/rtf", each.rtf))
        elif own.strip() and adds_words(said, own):
            files.append(_html(rich) if rich else _file("message.txt", "text/plain", each.text))
    return out, files


def _own(body: Body) -> str:
    return readable(body.text) if body.is_html and len(body.text) <= HTML_LIMIT else body.text


@dataclass(frozen=True, slots=True)
class _Read:
    """What one HTML says."""

    text: str
    rich: str
    whole: bool
    """The text alone says all."""


def _read(body: Body) -> _Read:
    if body.unread:
        return _Read("", "", False)
    source = body.text
    text, whole = to_text(source)
    rich = to_rich(source)
    if not rich:
        return _Read(text, "", whole)
    again = to_text(rich)[0]
    if not words(text) & words(readable(source)) <= words(again):  # a list's own numbers may differ
        return _Read(text, "", whole)
    return _Read(again, rich, whole)


def _best(group: Sequence[Body]) -> tuple[str, str, list[Attachment]]:
    """`(text, rich, files)` of parts that say the same in several ways."""
    plain = "\n\n".join(each.text for each in group if not each.is_html and each.text.strip())
    sources = [each for each in group if each.is_html and each.text.strip()]
    if not sources:
        return plain, "", []
    read = [_read(each) for each in sources]
    text = "\n\n".join(each.text for each in read)
    rich = ""
    if any(each.rich for each in read):
        rich = "<br><br>".join(each.rich or escaped(each.text) for each in read)
    stub = not plain.strip() or len(words(plain)) < _STUB * len(words(text))
    if stub or (text and any(is_marked(each.text) for each in sources)):
        files = [_file("message.txt", "text/plain", plain)] if adds_words(plain, text) else []
        return text, rich, [*files, *_originals(sources, [not each.whole for each in read])]
    files = _originals(sources, [not each.text or adds_words(each.text, plain) for each in read])
    return plain, rich if words(plain) == words(text) and _letters(plain) == _letters(text) else "", files


def _originals(sources: Sequence[Body], wanted: Sequence[bool]) -> list[Attachment]:
    return [_html(each.text) for each, keep in zip(sources, wanted, strict=True) if keep and not each.beside]


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _file(name: str, mime: str, text: str) -> Attachment:
    return Attachment(name, mime, text.encode("utf-8", "replace"))


def _html(source: str) -> Attachment:
    return _file("message.html", "text/html", source)


def _alternatives(bodies: Sequence[Body]) -> list[list[Body]]:
    """Parts of one `multipart/alternative` (at any depth) stand together; every other part stands alone."""
    groups: dict[tuple[str, int], list[Body]] = {}
    for rank, item in enumerate(bodies):
        around = next((c for c in item.within if c[0] == "multipart/alternative"), ("", -rank - 1))
        groups.setdefault(around, []).append(item)
    return list(groups.values())
