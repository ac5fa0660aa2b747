"""A document that can't be read, or can't be read safely."""

from __future__ import annotations

from colloque.errors import Refused


class DocumentRefused(Refused):
    """Nothing of the document is believed. `reason` is a stable code, e.g. `xml-dtd`; it is never "no document"."""

    code = "document.refused"
