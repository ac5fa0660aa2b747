"""Nothing personal reaches a log, by whatever way it comes."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from colloque import logs
from colloque.errors import NotFound, Refused

CANARIES = {
    "room v12": "!uPxnEqrZCNZcTGNzDHvzHRIhK0Es9pBz1fTvrWfCvNE",
    "room v10": "!QtykxKocfZaZOUrTwp:colloque.example",
    "room in a path": "%21QtykxKocfZaZOUrTwp%3Acolloque.example",
    "event": "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg",
    "event in a path": "%24Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg",
    "alias": "#patient-martin:colloque.example",
    "mxc": "mxc://colloque.example/aBcDeFgHiJkLmNoPqRsTuVwX",
    "mxid": "@camille.martin:colloque.example",
    "mxid in a path": "%40camille.martin%3Acolloque.example",
    "mail": "camille.martin@medecin.mssante.fr",
    "patient's mail": "284017512345689@patient.mssante.fr",
    "message id": "<20260302.abc@medecin.mssante.fr>",
    "INS": "284017512345689",
    "INS, spaced": "2 84 01 75 123 456 89",
    "INS, Corsica": "2 84 01 2A 123 456 89",
    "RPPS": "80000000012",
    "synapse token": "syt_YW5udWFpcmU_hGkqwPzTnLbXcVfRdSsA_2kQ3Jw",
    "bearer": "Bearer abcdefghij",
    "query": "access_token=abcdefghij",
    "password": "password: 'hunter2'",
    "one-time code": "code=123456",
    "hex": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "jwt": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln",
}
TEXT = "Bonjour docteur, je vous adresse ce patient pour avis. " * 20


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Redacting("annuaire"))
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers[:], root.level = before


def core(canary: str) -> str:
    """The part that must not appear."""
    return canary.rpartition("=")[2].removeprefix("Bearer ").removeprefix("password: ").strip("'<>")


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
@pytest.mark.parametrize("way", ["message", "argument", "id", "exception", "cause", "library"])
def test_canaries_do_not_sing(out: io.StringIO, canary: str, way: str) -> None:
    log = logging.getLogger("colloque.test")
    match way:
        case "message":
            log.warning("seen " + canary + " there")  # noqa: G003  that is the point
        case "argument":
            log.warning("seen %s there", canary)
        case "id":
            logs.event(log, "thing.seen", code=canary, what=canary)
        case "exception":
            try:
                raise NotFound(f"no {canary} here")
            except NotFound:
                log.exception("thing.failed")
        case "cause":
            try:
                try:
                    raise KeyError(canary)
                except KeyError as error:
                    raise Refused("no", f"no {canary}") from error
            except Refused:
                log.exception("thing.failed")
        case "library":
            logging.getLogger("nio.client").warning("got %s", {"body": canary})
            logging.getLogger("mautrix").warning(f"got {canary}")  # noqa: G004
    line = out.getvalue()
    assert line.strip(), "a line was written"
    assert core(canary) not in line
    assert core(canary)[-12:] not in line


def test_texts_are_left_out(out: io.StringIO) -> None:
    log = logging.getLogger("colloque_mssante.test")
    log.warning(TEXT)
    logging.getLogger("aiosmtplib").error("%s", TEXT)
    logging.getLogger("nio").error(TEXT)
    try:
        raise ValueError(TEXT)
    except ValueError:
        log.exception("thing.failed")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert all(len(line) < logs.MESSAGE_MAX + 200 for line in lines)
    assert not any("patient" in line for line in lines[1:]), "foreign words are left out whole"


def test_a_line_says_what_happened_where(out: io.StringIO) -> None:
    logs.event(logging.getLogger("colloque.test"), "thing.done", key="a b", n=3)
    assert out.getvalue().partition("Z ")[2] == "INFO annuaire colloque.test thing.done key=a_b n=3\n"
    try:
        raise NotFound("no such thing")
    except NotFound:
        logging.getLogger("colloque.test").exception("thing.failed")
    last = out.getvalue().splitlines()[-1]
    assert "NotFound not_found: no such thing at colloque/test_logs.py:" in last
    assert "test_a_line_says_what_happened_where" in last


def test_a_library_s_place_is_shown(out: io.StringIO) -> None:
    logging.getLogger("nio").warning("got %s", "x")
    assert "got %s at colloque/test_logs.py:" in out.getvalue()


@pytest.mark.parametrize("message", ["%d", "%s %s"])
def test_a_record_that_can_not_be_formatted_leaves_a_line_and_no_words(message: str) -> None:
    log = logging.getLogger("colloque.test")
    record = log.makeRecord(log.name, logging.WARNING, __file__, 1, message, ("secret words",), None)
    line = logs.Redacting("annuaire").format(record)
    assert "can't be formatted" in line
    assert "secret" not in line


def test_known_ids_pass() -> None:
    for harmless in ["code=home.unavailable", "task=sweep", "serial=12", "room kind=home", "uid=991", "key=9f2c11ab"]:
        assert logs.redact(harmless) == harmless


def test_uncaught_errors_take_the_same_way() -> None:
    code = textwrap.dedent(
        """
        import asyncio, threading, warnings
        from colloque import logs
        logs.setup("annuaire")
        def boom(): raise ValueError("Bonjour Madame")
        thread = threading.Thread(target=boom); thread.start(); thread.join()
        async def lost():
            task = asyncio.create_task(asyncio.to_thread(boom)); await asyncio.wait([task]); del task
        asyncio.run(lost())
        warnings.warn("Bonjour Madame")
        class Bad:
            def __del__(self): raise ValueError("Bonjour Madame")
        Bad()
        boom()
        """
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60, text=True)
    assert done.returncode == 1
    assert "Bonjour" not in done.stderr
    for name in ("error.uncaught ", "error.uncaught_in_thread", "error.unraisable", "asyncio", "py.warnings"):
        assert name in done.stderr, name


def test_setup_lets_ours_speak_and_libraries_only_warn() -> None:
    code = textwrap.dedent(
        """
        import logging
        from colloque import logs
        logs.setup("salles", "DEBUG")
        for name in ("colloque.x", "colloque_salles.x", "aiohttp.access", "nio"):
            logging.getLogger(name).info("hello")
        """
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60, text=True)
    names = [line.split()[3] for line in done.stderr.splitlines()]
    assert names == ["colloque.x", "colloque_salles.x"]
