"""Whether mails are still in a mailbox: on the sandbox operator and on Dovecot."""

from __future__ import annotations

import secrets

from colloque.mail.imap_finding import FindingClient, Sought
from tests.contract.test_imap_filing import owner
from tests.servers.imap_suites import deliver, mail
from tests.servers.mail_suites import TIMEOUT_S
from tests.servers.operator import Operator


def named(message_id: str | None) -> bytes:
    head = f"Message-ID: {message_id}\r\n".encode() if message_id else b""
    return head + mail("Avis")


async def standing(operator: Operator, box: str, *sought: Sought) -> list[bool]:
    client = await FindingClient.connect(operator.imap, box, operator.password(box), timeout_s=TIMEOUT_S)
    try:
        return await client.standing(sought)
    finally:
        await client.close()


def new_id() -> str:
    return f"<{secrets.token_hex(8)}@x.test>"


async def test_mails_are_found_in_whatever_folder(operator: Operator, box: str) -> None:
    there, elsewhere, deleted, never = new_id(), new_id(), new_id(), new_id()
    await deliver(operator, box, named(there))
    with owner(operator, box) as imap:
        for folder, message_id in (("Patients 2026", elsewhere), ("Trash", deleted)):
            imap.create(f'"{folder}"')
            imap.append(f'"{folder}"', "", "", named(message_id))
    sought = [Sought(each) for each in (there, elsewhere, deleted, never)]
    assert await standing(operator, box, *sought) == [True, True, False, False]


async def test_a_mail_without_an_id_is_known_by_its_place(operator: Operator, box: str) -> None:
    await deliver(operator, box, named(None))
    with owner(operator, box) as imap:
        imap.select("INBOX", readonly=True)
        validity = int(imap.response("UIDVALIDITY")[1][0])
        uid = int(imap.uid("SEARCH", "ALL")[1][0].split()[-1])
    here = Sought(None, validity, uid)
    wrong = (Sought(None, validity, uid + 1), Sought(None, validity + 1, uid), Sought(None))
    odd = Sought('<"quoted"@x.test>', validity, uid)  # no search can name it
    assert await standing(operator, box, here, *wrong, odd) == [True, False, False, False, True]


async def test_what_was_deleted_is_missing_and_nothing_is_touched(operator: Operator, box: str) -> None:
    message_id = new_id()
    await deliver(operator, box, named(message_id))
    assert await standing(operator, box, Sought(message_id)) == [True]
    with owner(operator, box) as imap:
        imap.select("INBOX")
        [uid] = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')[1][0].split()
        flags = imap.uid("FETCH", uid.decode(), "(FLAGS)")[1][0]
        assert b"\\Seen" not in flags
        imap.uid("STORE", uid.decode(), "+FLAGS", "(\\Deleted)")
        assert await standing(operator, box, Sought(message_id)) == [False]
        imap.expunge()
    assert await standing(operator, box, Sought(message_id)) == [False]


async def test_nothing_sought_is_nothing_asked(operator: Operator, box: str) -> None:
    assert await standing(operator, box) == []
