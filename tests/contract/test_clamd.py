"""The antivirus's wire: Debian's clamd by both its sockets, and peers that break the protocol."""

from __future__ import annotations

import asyncio
import io
import secrets
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from colloque.config import AntivirusConfig
from colloque.errors import AntivirusUnavailable
from colloque.mail.clamd import ANSWER_LIMIT, SIGNATURE_LIMIT, Clamd, Clean, Infected, Unscanned, Version
from tests.servers.clamd import MALWARE, SIGNATURE, STREAM_MAX, ClamdServer, clamd  # noqa: F401 - a fixture


@pytest.fixture(params=["socket", "port"])
def config(request: pytest.FixtureRequest, clamd: ClamdServer) -> AntivirusConfig:  # noqa: F811
    own = clamd.config
    return own if request.param == "socket" else replace(own, clamd=f"127.0.0.1:{clamd.port}")


def zipped(data: bytes, *, times: int = 1) -> bytes:
    for _ in range(times):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("IHE_XDM/SUBSET01/DOC.XML", data)
        data = out.getvalue()
    return data


def locked(archive: bytes) -> bytes:
    """Its one member marked as encrypted."""
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = archive.index(header) + at
        archive = archive[:where] + bytes([archive[where] | 1]) + archive[where + 1 :]
    return archive


# --- Debian's ---


@pytest.mark.clamav
async def test_what_is_clean_and_what_is_not(config: AntivirusConfig) -> None:
    scanner = Clamd(config)
    for harmless in (b"", b"Bonjour", b"\0" * 1000, secrets.token_bytes(STREAM_MAX - 1), zipped(b"Bonjour")):
        assert await scanner.scan(harmless) == Clean()
    for harmful in (MALWARE, b"x" * 500_000 + MALWARE, zipped(b"Avant " + MALWARE), zipped(MALWARE, times=2)):
        assert await scanner.scan(harmful) == Infected(SIGNATURE)


@pytest.mark.clamav
async def test_many_at_once(config: AntivirusConfig) -> None:
    scanner = Clamd(config)
    files = [MALWARE if number % 3 == 0 else secrets.token_bytes(10_000) for number in range(30)]
    found = await asyncio.gather(*map(scanner.scan, files))
    assert [isinstance(each, Infected) for each in found] == [number % 3 == 0 for number in range(30)]


@pytest.mark.clamav
async def test_what_is_too_big_for_clamd_is_not_clean(clamd: ClamdServer) -> None:  # noqa: F811
    scanner = Clamd(clamd.config)
    for size in (STREAM_MAX + 1, 3 * STREAM_MAX, 20_000_000):
        assert await scanner.scan(bytes(size)) == Unscanned("too-big")
    assert await scanner.scan(bytes(STREAM_MAX - 10) + MALWARE) == Unscanned("too-big")


@pytest.mark.clamav
async def test_what_is_too_big_for_us_is_never_sent(config: AntivirusConfig) -> None:
    assert await Clamd(replace(config, size_limit=100)).scan(MALWARE * 2) == Unscanned("too-big")


@pytest.mark.clamav
async def test_a_mail_in_a_file_is_opened(clamd: ClamdServer) -> None:  # noqa: F811
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "b@cabinet.mssante.test", "a@medecin.mssante.test", "Transfert"
    mail.set_content("Voici")
    mail.add_attachment(zipped(MALWARE), maintype="application", subtype="zip", filename="a.zip")
    assert await Clamd(clamd.config).scan(mail.as_bytes()) == Infected(SIGNATURE)


@pytest.mark.clamav
async def test_what_clamd_does_not_look_into_is_not_scanned(clamd: ClamdServer) -> None:  # noqa: F811
    assert await Clamd(clamd.config).scan(zipped(b"Bonjour", times=8)) == Unscanned("limits")
    assert await Clamd(clamd.config).scan(locked(zipped(secrets.token_bytes(500)))) == Unscanned("encrypted")


@pytest.mark.clamav
async def test_it_says_what_it_is(config: AntivirusConfig) -> None:
    version = await Clamd(config).version()
    assert version.engine.startswith(("1.", "0."))
    assert version.signatures_at is None  # it has none of ClamAV's own


@pytest.mark.clamav
async def test_killed_in_the_middle_and_back(clamd: ClamdServer) -> None:  # noqa: F811
    scanner = Clamd(clamd.config)
    scans = [asyncio.create_task(scanner.scan(zipped(secrets.token_bytes(900_000)))) for _ in range(12)]
    await asyncio.wait(scans, return_when=asyncio.FIRST_COMPLETED)
    clamd.kill()
    found = await asyncio.gather(*scans, return_exceptions=True)
    assert {type(each) for each in found} == {Clean, AntivirusUnavailable}
    with pytest.raises(AntivirusUnavailable) as caught:
        await scanner.scan(b"x")
    assert not caught.value.received
    clamd.start()
    assert await scanner.scan(MALWARE) == Infected(SIGNATURE)


# --- nobody, and impostors ---


@asynccontextmanager
async def peer(
    folder: Path, serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[AntivirusConfig]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except OSError:
            pass  # the caller left
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, folder / "s")
    async with server:
        yield AntivirusConfig(str(folder / "s"), scan_s=5.0)


def saying(*answers: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Reads the whole file, then says that and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readuntil(b"\0") == b"zINSTREAM\0":
            while size := int.from_bytes(await reader.readexactly(4), "big"):
                await reader.readexactly(size)
        for answer in answers:
            writer.write(answer)
            await writer.drain()

    return serve


@pytest.mark.parametrize("place", ["missing", "file", "port"])
async def test_nobody_there(tmp: Path, place: str) -> None:
    (tmp / "file").touch()
    with pytest.raises(AntivirusUnavailable) as caught:
        await Clamd(AntivirusConfig("127.0.0.1:1" if place == "port" else str(tmp / place))).scan(b"x")
    assert not caught.value.received
    assert caught.value.code == "antivirus.unreachable"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"stream: OK",
        b"stream: ok\0",
        b" stream: OK\0",
        b"stream: OK\nstream: X FOUND\0",
        b"stream:  FOUND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\xff" * 20 + b"\0",
        b"x" * ANSWER_LIMIT,
        b"x" * 10_000_000,
    ],
)
async def test_what_makes_no_sense_is_no_verdict(tmp: Path, answer: bytes) -> None:
    async with peer(tmp, saying(answer)) as config:
        with pytest.raises(AntivirusUnavailable) as caught:
            await Clamd(config).scan(b"abc")
        assert caught.value.received
        assert "OK" not in str(caught.value)
        with pytest.raises(AntivirusUnavailable):
            await Clamd(config).version()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((b"stre", b"am: O", b"K\0"), Clean()),
        ((b"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND\0",), Unscanned("limits")),
        ((b"stream: Heuristics.Encrypted.PDF FOUND\0",), Unscanned("encrypted")),
        ((b"INSTREAM size limit exceeded. ERROR\0",), Unscanned("too-big")),
        ((b"stream: a b/\xc3\xa9\x1b[1m FOUND\0",), Infected("a_b/____1m")),
        ((b"stream: " + b"A" * 500 + b" FOUND\0",), Infected("A" * SIGNATURE_LIMIT)),
        ((b"stream: OK FOUND\0",), Infected("OK")),
    ],
)
async def test_verdicts(tmp: Path, answer: tuple[bytes, ...], verdict: object) -> None:
    async with peer(tmp, saying(*answer)) as config:
        assert await Clamd(config).scan(b"abc" * 100_000) == verdict


async def test_a_refusal_in_the_middle_of_the_file_is_heard(tmp: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.write(b"INSTREAM size limit exceeded. ERROR\0")
        await writer.drain()

    async with peer(tmp, serve) as config:
        assert await Clamd(config).scan(bytes(9_000_000)) == Unscanned("too-big")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_silent_peer_is_given_up(tmp: Path, reads: bool) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        if reads:
            await reader.read()
        await over.wait()

    async with peer(tmp, serve) as config:
        with pytest.raises(AntivirusUnavailable) as caught:
            await Clamd(replace(config, scan_s=0.3)).scan(bytes(9_000_000))
        assert caught.value.received
        over.set()


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        (
            b"ClamAV 1.4.6/27470/Thu Nov 26 08:26:33 2026\0",
            Version("1.4.6", datetime(2026, 11, 26, 8, 26, 33, tzinfo=UTC)),
        ),
        (
            b"ClamAV 1.4.6/27470/Sun Nov  1 08:26:33 2026\0",
            Version("1.4.6", datetime(2026, 11, 1, 8, 26, 33, tzinfo=UTC)),
        ),
        (b"ClamAV 1.4.6\0", Version("1.4.6", None)),
    ],
)
async def test_the_age_of_the_signatures(tmp: Path, answer: bytes, version: Version) -> None:
    async with peer(tmp, saying(answer)) as config:
        assert await Clamd(config).version() == version


@pytest.mark.parametrize("answer", [b"ClamAV 1.4.6/27470/Thu Nov 36 08:26:33 2026\0", b"ClamAV\0", b"Autre 1.0\0"])
async def test_an_odd_version_is_not_clamds(tmp: Path, answer: bytes) -> None:
    async with peer(tmp, saying(answer)) as config:
        with pytest.raises(AntivirusUnavailable):
            await Clamd(config).version()
