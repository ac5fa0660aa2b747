"""What a server may do, by the RFC or against it, that neither pymap nor Dovecot does: a scripted one, behind TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.config import MailServerConfig
from colloque.errors import LoginRefused, MailDeferred, NotFound
from colloque.mail.access import Password
from colloque.mail.imap import ImapClient
from colloque.mail.imap_wire import LITERAL_LIMIT
from colloque_demo.pki import make_pki
from tests.servers.mail_suites import TIMEOUT_S

USUAL = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN\r\n{tag} OK\r\n",
    "AUTHENTICATE": "+ \r\n",
    "secret": "C2 OK\r\n",
    "EXAMINE": "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n{tag} OK [READ-ONLY] x\r\n",
    "IDLE": "+ idling\r\n",
    "DONE": "C5 OK\r\n",
    "NOOP": "{tag} OK\r\n",
}
FETCH = '* 1 FETCH (UID 8 INTERNALDATE " 1-Feb-2026 08:00:00 +0100" {body})\r\n{tag} OK\r\n'


@asynccontextmanager
async def scripted(folder: Path, greeting: str = "* OK\r\n", **answers: str) -> AsyncIterator[Callable[..., object]]:
    """A server that answers each command by its first word. Gives `connect(timeout_s=…)`."""
    pki = make_pki(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.cert, pki.key)
    says = {**USUAL, **answers}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting.encode())
        while line := (await reader.readline()).decode().split():
            tag, verb = (line[0], line[1]) if len(line) > 1 else ("", line[0] if line[0] == "DONE" else "secret")
            verb = "FETCH" if "FETCH" in line else "SEARCH" if "SEARCH" in line else verb
            verb = "CONDSTORE" if line[-1] == "(CONDSTORE)" else verb
            answer = says.get(verb, "{tag} BAD\r\n").replace("{tag}", tag)
            writer.write(answer.encode("latin-1"))
            if "* BYE" in answer or verb == "LOGOUT":
                break
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    config = MailServerConfig("localhost", server.sockets[0].getsockname()[1], pki.ca, "implicit")
    clients: list[ImapClient] = []

    async def connect(timeout_s: float = TIMEOUT_S) -> ImapClient:
        client = await ImapClient.connect(config, "a@b.example", Password("x"), timeout_s=timeout_s)
        clients.append(client)
        await client.examine()
        return client

    try:
        yield connect
    finally:
        for client in clients:
            await client.close()
        server.close()


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        ("BODY[]<0> {3}\r\nabc", b"abc"),
        ('BODY[] "a\\"b\\\\c"', b'a"b\\c'),
        ("BODY[]<0> NIL", b""),
        ("FLAGS (\\Seen) BODY[]<0> {0}\r\n", b""),
        ("BODY[]<0> {12}\r\nx (UID 3) {5", b"x (UID 3) {5"),
    ],
)
async def test_bodies_in_every_form(tmp_path: Path, body: str, raw: bytes):
    fetch = "* 4 FETCH (UID 3 FLAGS ())\r\n* 2 EXISTS\r\n" + FETCH.replace("{body}", body)
    async with scripted(tmp_path, FETCH=fetch) as connect:
        fetched = await (await connect()).fetch(8)
    assert (fetched.take(), fetched.internal_date) == (raw, datetime(2026, 2, 1, 7, 0, tzinfo=UTC))


async def test_another_message_s_fetch_is_not_ours(tmp_path: Path):
    fetch = FETCH.replace("UID 8", "UID 80").replace("{body}", "BODY[]<0> {3}\r\nabc")
    async with scripted(tmp_path, FETCH=fetch) as connect:
        with pytest.raises(NotFound):
            await (await connect()).fetch(8)


async def test_the_last_message_is_not_taken_for_a_new_one(tmp_path: Path):
    async with scripted(tmp_path, SEARCH="* SEARCH 8\r\n* SEARCH\r\n{tag} OK\r\n") as connect:
        client = await connect()
        assert await client.uids(8) == []
        assert await client.uids(7) == [8]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("C2 NO [UNAVAILABLE] later a@b.example\r\n", MailDeferred),
        ("C2 NO [AUTHENTICATIONFAILED] a@b.example\r\n", LoginRefused),
        ("C2 BAD what\r\n", LoginRefused),
        ("* BYE too many\r\n", MailDeferred),
        ("+ eyJzdGF0dXMiOiI0MDAifQ==\r\nC2 NO x\r\n", LoginRefused),
    ],
)
async def test_what_a_refused_login_means(tmp_path: Path, answer: str, error: type[Exception]):
    async with scripted(tmp_path, secret=answer) as connect:
        with pytest.raises(error) as caught:
            await connect()
    assert "@" not in str(caught.value)


async def test_a_mechanism_that_is_not_offered_may_be_later(tmp_path: Path):
    """Dovecot offers none between its start and its authentication's: nobody's secret was refused."""
    async with scripted(tmp_path, CAPABILITY="* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n") as connect:
        with pytest.raises(MailDeferred):
            await connect()


@pytest.mark.parametrize("greeting", ["* BYE busy\r\n", "220 smtp\r\n", "\0" * 2_000_000, "* OK"])
async def test_greetings_that_are_none(tmp_path: Path, greeting: str):
    async with scripted(tmp_path, greeting) as connect:
        with pytest.raises(MailDeferred):
            await connect(timeout_s=0.5)


@pytest.mark.parametrize(
    "answers",
    [
        {"IDLE": "+ idling\r\n* BYE shutting down\r\n"},
        {"IDLE": "{tag} NO\r\n"},
        {"DONE": "C5 NO\r\n"},
        {"DONE": ""},
        {"IDLE": f"+ idling\r\n* OK {{{LITERAL_LIMIT + 1}}}\r\n"},
    ],
)
async def test_waiting_that_fails(tmp_path: Path, answers: dict[str, str]):
    async with scripted(tmp_path, **answers) as connect:
        client = await connect()
        client._wire._timeout_s = 0.5  # from here on: a login may take longer
        with pytest.raises(MailDeferred):
            await client.wait(0.2)


@pytest.mark.parametrize(
    ("push", "new"), [("* 2 EXISTS\r\n", True), ("* 1 EXPUNGE\r\n* 1 EXISTS\r\n", True), ("", False)]
)
async def test_what_counts_as_new(tmp_path: Path, push: str, new: bool):
    async with scripted(tmp_path, IDLE="+ idling\r\n* 1 EXISTS\r\n* OK still here\r\n" + push) as connect:
        assert await (await connect()).wait(0.3) is new


async def test_no_uidvalidity_is_no_mailbox(tmp_path: Path):
    async with scripted(tmp_path, EXAMINE="* 1 EXISTS\r\n{tag} OK\r\n") as connect:
        with pytest.raises(MailDeferred):
            await connect()


SYNCS = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE ENABLE CONDSTORE QRESYNC AUTH=PLAIN\r\n{tag} OK\r\n",
    "ENABLE": "* ENABLED QRESYNC\r\n{tag} OK\r\n",
    "EXAMINE": "* 5 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [HIGHESTMODSEQ 90] x\r\n{tag} OK [READ-ONLY] x\r\n",
    "DONE": "C6 OK\r\n",
}


@pytest.mark.parametrize(
    ("push", "new"),
    [
        ("* VANISHED 3,7:8\r\n* 2 EXISTS\r\n", False),
        ("* VANISHED 3,7:8\r\n* 3 EXISTS\r\n", True),
        ("* VANISHED (EARLIER) 1:4000000000\r\n* 5 EXISTS\r\n", False),
        ("* VANISHED 8:\r\n* VANISHED x\r\n* 6 EXISTS\r\n", True),
    ],
)
async def test_what_vanished_is_not_counted(tmp_path: Path, push: str, new: bool):
    async with scripted(tmp_path, **{**SYNCS, "IDLE": "+ idling\r\n" + push}) as connect:
        assert await (await connect()).wait(0.3) is new


async def test_the_newest_change_heard_of(tmp_path: Path):
    push = (
        "* 1 FETCH (UID 3 MODSEQ (95) FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS () MODSEQ (93))\r\n"
        # What a sender wrote says nothing of the mailbox.
        '* 3 FETCH (UID 9 BODY[TEXT] "MODSEQ (4000)")\r\n* 3 FETCH (UID 9 BODY[] {13}\r\nMODSEQ (4000))\r\n'
    )
    async with scripted(tmp_path, **{**SYNCS, "IDLE": "+ idling\r\n" + push}) as connect:
        client = await connect()
        assert client.modseq == 90
        await client.wait(0.3)
        assert client.modseq == 95


async def test_changes_that_nobody_asked_for_are_left_out(tmp_path: Path):
    fetch = (
        "* VANISHED (EARLIER) 1:5,40\r\n* 1 FETCH (UID 8 FLAGS (\\Seen) MODSEQ (91))\r\n"
        "* 2 FETCH (UID 80 FLAGS (\\Seen) MODSEQ (92))\r\n{tag} OK\r\n"
    )
    async with scripted(tmp_path, **{**SYNCS, "FETCH": fetch}) as connect:
        client = await connect()
        found = await client.changes([4, 7, 8, 40, 41], 90)
    assert (found.flags, found.gone) == ({8: frozenset({"\\seen"})}, {4, 40})


@pytest.mark.parametrize(
    ("offers", "modseq"), [("IDLE", 0), ("CONDSTORE", 5), ("CONDSTORE QRESYNC", 5), ("CONDSTORE QRESYNC ENABLE", 5)]
)
async def test_a_server_is_asked_to_count_changes_as_it_can(tmp_path: Path, offers: str, modseq: int):
    says = {
        "CAPABILITY": f"* CAPABILITY IMAP4rev1 {offers} AUTH=PLAIN\r\n{{tag}} OK\r\n",
        "CONDSTORE": USUAL["EXAMINE"].replace("* OK [UIDN", "* OK [HIGHESTMODSEQ 5] x\r\n* OK [UIDN"),
        "ENABLE": "{tag} NO\r\n",
    }
    async with scripted(tmp_path, **says) as connect:
        assert (await connect()).modseq == modseq
