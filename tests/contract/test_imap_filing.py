"""What a guest leaves in a mailbox: on the sandbox operator and on Dovecot."""

from __future__ import annotations

import imaplib
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.errors import BadInput
from colloque.mail.imap import ANSWERED, SEEN
from colloque.mail.imap_filing import TOLD, FilingClient
from tests.servers.imap_suites import deliver, mail
from tests.servers.mail_suites import TIMEOUT_S
from tests.servers.operator import Operator

AT = datetime(2026, 3, 2, 13, 32, 5, tzinfo=UTC)


@asynccontextmanager
async def visiting(operator: Operator, box: str) -> AsyncIterator[FilingClient]:
    client = await FilingClient.connect(operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    try:
        yield client
    finally:
        await client.close()


@contextmanager
def owner(operator: Operator, box: str) -> Iterator[imaplib.IMAP4]:
    """The same mailbox in another program."""
    imap = imaplib.IMAP4(operator.imap.host, operator.imap.port, timeout=TIMEOUT_S)
    imap.starttls(ssl.create_default_context(cafile=str(operator.imap.ca)))
    imap.login(box, operator.password(box).secret)
    try:
        yield imap
    finally:
        imap.logout()


def contents(imap: imaplib.IMAP4, folder: str) -> list[bytes]:
    imap.select(folder, readonly=True)
    _, found = imap.uid("SEARCH", "ALL")
    uids = found[0].split() if found and found[0] else []
    fetched = [imap.uid("FETCH", uid.decode(), "(FLAGS BODY.PEEK[])")[1] for uid in uids]
    return [b"".join(b"".join(p) if isinstance(p, tuple) else p for p in parts) for parts in fetched]


async def test_a_mail_is_fetched_once_more(operator: Operator, box: str, tmp_path: Path) -> None:
    await deliver(operator, box, mail("Avis"))
    async with visiting(operator, box) as client:
        here = await client.examine()
        [uid] = await client.uids(0)
    async with visiting(operator, box) as client:
        raw = await client.again(here.uidvalidity, uid, tmp_path)
        assert raw is not None
        assert raw.endswith(b"Avis\r\n")
        assert await client.again(here.uidvalidity, uid + 1, tmp_path) is None
        assert await client.again(here.uidvalidity + 1, uid, tmp_path) is None
        flags = await client.flags([uid])
    assert SEEN.lower() not in flags.get(uid, ())


async def test_a_sent_mail_is_filed_once(operator: Operator, box: str) -> None:
    raw = mail("Filed") + "é\r\n".encode() * 50_000
    message_id = raw.split(b"\r\n")[0].removeprefix(b"Message-ID: ").decode()
    with owner(operator, box) as imap:
        imap.create("Sent")
    async with visiting(operator, box) as client:
        folder = await client.sent_folder()
        assert folder == b"Sent"
        assert await client.file(folder, raw, message_id, AT)
        assert not await client.file(folder, raw, message_id, AT)
    with owner(operator, box) as imap:
        [filed] = contents(imap, "Sent")
        # Maildirs keep line ends of their own.
        assert raw.replace(b"\r\n", b"\n") in filed.replace(b"\r\n", b"\n")
        assert b"\\Seen" in filed
        assert contents(imap, "INBOX") == []


async def test_a_mailbox_without_such_a_folder(operator: Operator, box: str) -> None:
    async with visiting(operator, box) as client:
        assert await client.sent_folder() is None


async def test_an_answered_mail_is_flagged_and_stays_as_it_was(operator: Operator, box: str) -> None:
    raw = mail("Question")
    await deliver(operator, box, raw)
    async with visiting(operator, box) as client:
        found = await client.examine()
        [uid] = await client.uids(0)
        flags = await client.flag(found.uidvalidity, [uid], ANSWERED)
        assert flags.keys() == {uid}
        assert "\\answered" in flags[uid]
        assert await client.flag(found.uidvalidity + 1, [uid], ANSWERED) == {}
        assert await client.flag(found.uidvalidity, [uid + 7], ANSWERED) == {}
    with owner(operator, box) as imap:
        [kept] = contents(imap, "INBOX")
        assert raw.strip() in kept
        assert b"\\Answered" in kept
        assert b"\\Seen" not in kept


async def test_several_are_marked_at_once_and_keywords_are_kept(operator: Operator, box: str) -> None:
    for _ in range(3):
        await deliver(operator, box, mail("Question"))
    async with visiting(operator, box) as client:
        found = await client.examine()
        uids = await client.uids(0)
        await client.flag(found.uidvalidity, uids[:1], TOLD)
        flags = await client.flag(found.uidvalidity, [*uids, uids[-1] + 7], SEEN)
    assert flags.keys() == set(uids)
    assert all("\\seen" in of for of in flags.values())
    keeps = operator.keywords  # else the server forgot it, and said so
    assert [TOLD.lower() in flags[uid] for uid in uids] == [keeps, False, False]


async def test_a_message_id_that_could_end_the_command_is_refused(operator: Operator, box: str) -> None:
    async with visiting(operator, box) as client:
        for bad in ('<a"@x>', "<a@x>\r\nC9 LOGOUT", "a@x", f"<{secrets.token_hex(600)}@x>"):
            with pytest.raises(BadInput):
                await client.file(b"Sent", b"x", bad, AT)
