"""Archives made to do harm: refused by name, within seconds, whatever they claim."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile
import zlib

import pytest

from colloque.mail import xdm_zip
from colloque.mail.refusal import DocumentRefused
from colloque.mail.xdm_read import read_xdm
from tests.clinical import archive, cda, extrinsic, n3_body, request, zipped

METADATA = "IHE_XDM/SUBSET01/METADATA.XML"
DOCUMENT = "IHE_XDM/SUBSET01/DOC00001.XML"
XXE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
LAUGHS = b'<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'


def reason(data: bytes) -> str:
    start = time.perf_counter()
    with pytest.raises(DocumentRefused) as caught:
        read_xdm(data)
    assert time.perf_counter() - start < 20
    return caught.value.reason


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x",
        "IHE_XDM/../../x",
        "IHE_XDM\\..\\..\\x",
        "/etc/x",
        "\\x",
        "C:\\x",
        "c:x",
        "a//b",
        "./a",
        "a/./b",
        "..",
    ],
)
def test_names_that_lead_elsewhere(name: str):
    assert reason(zipped({METADATA: request(), name: b"x"})) == "zip-name"


def test_a_name_cut_by_a_nul():
    data = zipped({METADATA: request(), "README.TXTX": b"x"}).replace(b"README.TXTX", b"README.TXT\0")
    assert reason(data) == "zip-name"


def special(mode: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(METADATA, request())
        info = zipfile.ZipInfo(DOCUMENT)
        info.external_attr = mode << 16
        made.writestr(info, "/etc/hostname")
    return out.getvalue()


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices(mode: int):
    assert reason(special(mode)) == "zip-link"


def test_two_files_under_one_name():
    twice = zipped({METADATA: request(), METADATA.replace("META", "BETA"): request()})
    assert reason(twice.replace(b"BETADATA", b"METADATA")) == "zip-duplicate"
    assert reason(zipped({METADATA: request(), METADATA.lower(): request()})) == "zip-duplicate"


def marked(data: bytes, at: int, value: int) -> bytes:
    """The archive with a 16-bit field of each entry changed: at `at` in the directory, two bytes less in its head."""
    out = bytearray(data)
    for signature, offset in ((b"PK\x01\x02", at), (b"PK\x03\x04", at - 2)):
        start = out.find(signature)
        while start >= 0:
            struct.pack_into("<H", out, start + offset, value)
            start = out.find(signature, start + 4)
    return bytes(out)


def test_encrypted_entries():
    assert reason(marked(archive(), 8, 1)) == "zip-encrypted"


@pytest.mark.parametrize("method", [9, 12, 14, 93, 99])
def test_other_methods(method: int):
    assert reason(marked(archive(), 10, method)) == "zip-method"


@pytest.mark.parametrize("name", [METADATA, DOCUMENT])
def test_bombs(name: str):
    bomb = b" " * 90_000_000
    files = {METADATA: request(extrinsic("DOC00001.XML", bomb)), DOCUMENT: b"<a/>", name: bomb}
    assert reason(zipped(files)) == "zip-bomb"


def test_a_bomb_that_lies_about_its_size():
    data = zipped({METADATA: b" " * 90_000_000})
    small = struct.pack("<I", 100)
    assert reason(data.replace(struct.pack("<I", 90_000_000), small)) in {"zip-damaged", "zip-bomb"}


def test_too_much_in_all():
    block = cda() + b"\n" * 900_000  # below what may grow freely, each
    files = {f"IHE_XDM/SUBSET01/D{n}.XML": block for n in range(200)}
    described = request(*(extrinsic(f"D{n}.XML", block) for n in range(200)))
    assert reason(zipped(files | {METADATA: described})) == "zip-bomb"


def test_many_documents_just_below_the_limit():
    block = cda(n3_body(f"<component><section><text>{'<br/>' * 150_000}</text></section></component>"))
    names = [f"D{n}.XML" for n in range(20)]
    described = request(*(extrinsic(name, block) for name in names))
    files = {f"IHE_XDM/SUBSET01/{name}": block for name in names}
    assert reason(zipped(files | {METADATA: described})) == "xml-nodes"


def test_overlapping_entries():
    """One block of compressed bytes that hundreds of directory entries name (the "better zip bomb")."""
    text = b"<a>" + b"A" * 950_000
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = kernel.compress(text) + kernel.flush()
    sizes = (zlib.crc32(text), len(body), len(text))
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, *sizes, len(METADATA), 0)
    local = head + METADATA.encode() + body
    entries = b""
    for n in range(300):
        name = METADATA.replace("01", f"{n:02}").encode()
        entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, *sizes, len(name), 0, 0, 0, 0, 0, 0)
        entries += entry + name
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 300, 300, len(entries), len(local), 0)
    assert reason(local + entries + end) == "zip-bomb"


def test_thousands_of_entries():
    assert reason(zipped({f"a{n}": b"" for n in range(2000)})) == "zip-entries"
    assert reason(b"PK\x01\x02" * 5_000_000) == "zip-entries"


def test_a_huge_archive():
    assert reason(b"PK\x03\x04" + bytes(xdm_zip.ARCHIVE_LIMIT)) == "zip-size"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + bytes(18), archive()[:-30], archive()[:200]]
)
def test_what_is_no_archive(data: bytes):
    assert reason(data) in {"zip-damaged", "xdm-no-metadata"}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"README.TXT": b"a"}, "xdm-no-metadata"),
        ({"IHE_XDM/METADATA.XML": request()}, "xdm-no-metadata"),
        ({DOCUMENT: cda()}, "xdm-no-metadata"),
        ({METADATA: XXE}, "xml-dtd"),
        ({METADATA: XXE.decode().encode("utf-16")}, "xml-dtd"),
        ({METADATA: LAUGHS}, "xml-dtd"),
        ({METADATA: b""}, "xml-malformed"),
        ({METADATA: b"<a/>"}, "xdm-metadata"),
    ],
)
def test_metadata_that_cannot_be_believed(files: dict[str, bytes], found: str):
    assert reason(zipped(files)) == found


@pytest.mark.parametrize(("data", "found"), [(XXE, "xml-dtd"), (LAUGHS, "xml-dtd"), (b"\xff<a/>", "xml-encoding")])
def test_a_hostile_document_is_named_and_not_given(data: bytes, found: str):
    [entry] = read_xdm(archive(data)).entries
    assert (entry.problems, entry.data, entry.document) == ((found,), None, None)


@pytest.mark.parametrize(
    "uri", ["../../README.TXT", "..\\README.TXT", "/etc/hostname", "file:///etc/hostname", "http://127.0.0.1:9/", ""]
)
def test_a_uri_that_leaves_its_subset_names_nothing(uri: str):
    files = {"README.TXT": b"x", METADATA: request(extrinsic(uri, b"x"))}
    [entry] = read_xdm(zipped(files)).entries
    assert entry.problems == ("file-missing",)
    assert entry.data is None


def test_an_archive_in_an_archive_is_not_opened():
    inner = zipped({"x": b" " * 30_000_000})
    [entry] = read_xdm(archive(inner)).entries
    assert (entry.problems, entry.data) == (("nested-archive",), None)
