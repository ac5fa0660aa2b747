"""What PDF/A-1b (ISO 19005-1) asks of a file, looked at with another library than the one that wrote it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pikepdf
from lxml import etree

_FORBIDDEN = {"/JavaScript", "/Launch", "/Sound", "/Movie", "/ResetForm", "/ImportData"}
_SPACES = {"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "pdfaid": "http://www.aiim.org/pdfa/ns/id/"}


def faults(data: bytes) -> list[str]:
    """Every rule that the file breaks."""
    if not data.startswith(b"%PDF-1."):
        return ["no header"]
    if not (data.split(b"\n")[1].startswith(b"%") and sum(byte > 127 for byte in data.split(b"\n")[1]) >= 4):
        return ["no binary mark"]
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return list(_faults(pdf))


def _faults(pdf: pikepdf.Pdf) -> Iterator[str]:
    if pdf.is_encrypted:
        yield "encrypted"
    if pdf.pdf_version not in {"1.0", "1.1", "1.2", "1.3", "1.4"}:
        yield f"version {pdf.pdf_version}"
    if "/ID" not in pdf.trailer:
        yield "no file id"
    yield from _metadata(pdf)
    yield from _intent(pdf)
    if {"/AA", "/Names"} & set(pdf.Root.keys()):
        yield "actions, or names (files, scripts)"
    for item in pdf.objects:
        if isinstance(item, (pikepdf.Dictionary, pikepdf.Stream)):
            yield from _object(item)
    for page in pdf.pages:
        for annotation in page.get("/Annots", []):
            if annotation.get("/Subtype") not in {"/Link", "/Text"}:
                yield "an annotation"


def _metadata(pdf: pikepdf.Pdf) -> Iterator[str]:
    stream = pdf.Root.get("/Metadata")
    if stream is None or "/Filter" in stream:
        yield "no plain metadata"
        return
    packet = etree.fromstring(stream.read_bytes())
    said: list[Any] = [
        packet.xpath(f"//pdfaid:{name}/text() | //@pdfaid:{name}", namespaces=_SPACES)
        for name in ("part", "conformance")
    ]
    if [str(each[0]) if each else "" for each in said] not in (["1", "B"], ["1", "A"]):
        yield f"declares {said}"


def _intent(pdf: pikepdf.Pdf) -> Iterator[str]:
    intents = [each for each in pdf.Root.get("/OutputIntents", []) if each.get("/S") == "/GTS_PDFA1"]
    if len(intents) != 1:
        yield "no output intent"
        return
    profile = intents[0].DestOutputProfile.read_bytes()
    if profile[36:40] != b"acsp" or profile[8] > 2 or int.from_bytes(profile[:4], "big") != len(profile):
        yield "no ICC profile of version 2"


def _object(item: pikepdf.Object) -> Iterator[str]:
    yield from _content(item)
    if item.get("/Type") == "/Font" and item.get("/Subtype") != "/Type0":
        descriptor = item.get("/FontDescriptor")
        if descriptor is None or not {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys()):
            yield "a font that is not embedded"
    group = item.get("/Group")
    if isinstance(group, pikepdf.Dictionary) and group.get("/S") == "/Transparency":
        yield "a transparency group"
    if any(item.get(name, 1) != 1 for name in ("/ca", "/CA")):
        yield "transparency"


def _content(item: pikepdf.Object) -> Iterator[str]:
    if item.get("/S") in _FORBIDDEN or "/JS" in item:
        yield "a forbidden action"
    if item.get("/Type") == "/Filespec" or "/EF" in item:
        yield "a file inside"
    if isinstance(item, pikepdf.Stream):
        if "/LZWDecode" in str(item.get("/Filter", "")):
            yield "LZW"
        if item.get("/Type") in {"/ObjStm", "/XRef"}:
            yield "compressed objects"
        if item.get("/Subtype") == "/Image" and ("/SMask" in item or "/Alternates" in item):
            yield "a transparent image"


def _instructions(page: pikepdf.Page) -> list[Any]:
    return list(pikepdf.parse_content_stream(page))


def missing_glyphs(data: bytes) -> int:
    """How many characters were set with the glyph that stands for none (.notdef)."""
    count = 0
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            for operands, operator in _instructions(page):
                pieces = operands[0] if str(operator) == "TJ" else operands if str(operator) == "Tj" else []
                for piece in pieces:
                    raw = bytes(piece) if isinstance(piece, pikepdf.String) else b""
                    count += sum(raw[i : i + 2] == b"\0\0" for i in range(0, len(raw), 2))
    return count


def text_of(data: bytes) -> str:
    """The words of a PDF, through the fonts' own ToUnicode maps; without blanks, in order of setting."""
    out: list[str] = []
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            maps = {name: _unicode(font) for name, font in page.Resources.Font.items()}
            current: dict[bytes, str] = {}
            for operands, operator in _instructions(page):
                if str(operator) == "Tf":
                    current = maps[str(operands[0])]
                pieces = operands[0] if str(operator) == "TJ" else operands if str(operator) == "Tj" else []
                for piece in pieces:
                    raw = bytes(piece) if isinstance(piece, pikepdf.String) else b""
                    out += [current.get(raw[i : i + 2], "") for i in range(0, len(raw), 2)]
    return "".join("".join(out).split())


def _unicode(font: pikepdf.Object) -> dict[bytes, str]:
    table = font.ToUnicode.read_bytes().decode("latin-1")
    chars = re.findall(r"<([0-9a-fA-F]{4})>\s*<([0-9a-fA-F]+)>\s*$", table, re.MULTILINE)
    return {bytes.fromhex(code): bytes.fromhex(text).decode("utf-16-be") for code, text in chars}
