"""HTML to text (nh3, then inscriptis), and whether the text says all that the HTML shows."""

from __future__ import annotations

import html
import re

import nh3
from inscriptis import get_text  # type: ignore[import-untyped]

from colloque.mail.html_work import AREA_LIMIT, drawn, too_heavy
from colloque.mail.words import printable

HTML_LIMIT = 500_000
"""Characters. Nothing longer is converted (0.7 s at this size): the original is a file beside the message."""

DEPTH_LIMIT = 200
"""Elements within elements. The conversion takes the square of it: at 20,000, seven seconds; nobody writes 200."""
_TAG = re.compile(r"</?([a-z][a-z0-9]*)[^>]*>")
_VOID = {"br", "hr", "img"}

_HARMLESS = {
    "html", "head", "body", "title", "p", "br", "div", "span", "b", "strong", "i", "em", "u", "font", "center", "tt",
    "pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr",
}  # fmt: skip
"""Tags whose meaning survives as text. A table, a struck-out word, an exponent, an image, a link do not."""
_TABLES = {"table", "tr", "td", "th", "tbody", "thead", "tfoot", "caption"}
_MEANINGFUL = _HARMLESS | _TABLES | nh3.ALLOWED_TAGS | {
    "img", "a", "s", "strike", "del", "ins", "sub", "sup", "input", "textarea", "select",
    "option", "button", "form", "iframe", "object", "embed", "video", "audio", "canvas", "svg", "math", "marquee",
    "big", "small", "mark", "map", "area",
}  # fmt: skip
_MARKS = {"sup": ("^", ""), "s": ("~~", "~~"), "strike": ("~~", "~~"), "del": ("~~", "~~")}
"""Written out, for a dose is misread without them: 10^9 is not 109, and what was struck out does not stand."""
_MARK = re.compile(r"<(?:sup|s|strike|del)\b", re.IGNORECASE)
_STYLED = re.compile(r"line-through|vertical-align\s{0,9}:\s{0,9}su|<ol\b[^>]{0,200}\bstart\b", re.IGNORECASE)
"""The same, written as a style, and lists that do not begin with 1: a text does not show it."""
_BREAKS = _TABLES | {
    "p", "br", "div", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "center", "sup",
}  # fmt: skip
"""Tags between which a word ends."""
_WORD = re.compile(r"[^\W_]+")


def to_text(source: str) -> tuple[str, bool]:
    """`(text, whole)`. `whole` is False when something that could be read or seen in the HTML is not in the text."""
    if len(source) > HTML_LIMIT or too_heavy(source):
        return "", False
    clean = _clean(source, _HARMLESS | _TABLES | {"a"} | set(_MARKS))
    for tag, (before, after) in _MARKS.items():
        clean = clean.replace(f"<{tag}>", before).replace(f"</{tag}>", after)
    if depth(clean) > DEPTH_LIMIT or drawn(clean, _BREAKS) > AREA_LIMIT:
        return "", False
    text = _tidy(get_text(clean)) if clean.strip() else ""
    same = _clean(source, _HARMLESS) == _clean(source, _MEANINGFUL)
    return text, same and _STYLED.search(source) is None and not adds_words(readable(source), text)


def readable(source: str) -> str:
    """All that can be read in it, in no layout: what a text must hold. Nothing where reading it is too much work."""
    if too_heavy(source):
        return ""
    return html.unescape(_TAG.sub(" ", _clean(source, _BREAKS)))


def is_marked(source: str) -> bool:
    """True for HTML that strikes words out or raises them: read without that, it says something else."""
    return _MARK.search(source) is not None or _STYLED.search(source) is not None


def depth(clean: str) -> int:
    """How deep the elements of well-formed HTML stand in each other."""
    deepest = depth = 0
    for tag in _TAG.finditer(clean):
        depth += -1 if tag[0][1] == "/" else tag[1] not in _VOID
        deepest = max(deepest, depth)
    return deepest


def _clean(source: str, tags: set[str]) -> str:
    """Only these tags, without attributes; other tags leave their text, scripts and styles nothing."""
    return nh3.clean(source, tags=tags, attributes={}, clean_content_tags={"script", "style"}, link_rel=None)


def adds_words(more: str, than: str) -> bool:
    """True when `more` holds words that `than` does not."""
    return not words(more) <= words(than)


def words(text: str) -> set[str]:
    """The words of a text, case folded."""
    return set(_WORD.findall(text.casefold()))


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in printable(text).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
