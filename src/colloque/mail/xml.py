"""XML that strangers wrote: no DTD, hence no entity, no network, and no surprise in size.

The bytes become characters here, not in the parser: what was looked at is what gets parsed, whatever charset they
claimed. (A search for `<!DOCTYPE` in the bytes misses it in UTF-16.)
"""

from __future__ import annotations

import codecs
import re

from lxml import etree

from colloque.mail.refusal import DocumentRefused
from colloque.mail.words import decode

SIZE_LIMIT = 48_000_000
"""Bytes of one document: a CDA with a PDF of 35 MB in base64. An operator takes 10 to 40 MB a mail."""
TAGS_LIMIT = 200_000
"""Tags (two an element, or one). Real documents have some thousands; as many as this take two seconds to read."""
EQUALS_LIMIT = 1_000_000
"""Attributes, likewise."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"<\?xml\s[^>]{0,300}?\?>")
_PROLOG = re.compile(r"(?:\s|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)


def parse_xml(data: bytes) -> etree._Element:
    """The root element, without comments and processing instructions.

    Raises DocumentRefused: `xml-size`, `xml-encoding` (bytes that are not in the charset they declare: text is never
    guessed), `xml-dtd`, `xml-nodes`, `xml-malformed`.
    """
    if len(data) > SIZE_LIMIT:
        raise DocumentRefused("xml-size")
    text, exact = decode(data, _charset(data))
    if not exact:
        raise DocumentRefused("xml-encoding")
    text = text.removeprefix("\ufeff")
    declaration = _DECLARATION.match(text)
    text = text[declaration.end() :] if declaration else text
    before_root = _PROLOG.match(text)
    assert before_root is not None  # it matches the empty string too
    if text.startswith("<!", before_root.end()):  # a DTD can only stand before the root element
        raise DocumentRefused("xml-dtd" if text.startswith("<!DOCTYPE", before_root.end()) else "xml-malformed")
    if text.count("<") > TAGS_LIMIT or text.count("=") > EQUALS_LIMIT:
        raise DocumentRefused("xml-nodes")
    try:
        return etree.fromstring(text.encode(), _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise DocumentRefused("xml-malformed") from None


def _charset(data: bytes) -> str:
    bom = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    declared = _DECLARED.match(data)
    return bom or (declared[1].decode() if declared else "utf-8")


def _parser() -> etree.XMLParser:
    # huge_tree lifts the limit of 10 MB on one text node, which a PDF of 7.5 MB in base64 passes. What it would let
    # through besides (entities that grow) can't be there without a DTD; depth stays limited (2,048).
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
