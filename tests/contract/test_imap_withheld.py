"""However a server fails to give one mail, the mailbox goes on after three sessions."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import MailDeferred
from colloque.identity import MssanteAddress, UserId
from colloque_mssante.mailboxes.fetching import Fetching
from colloque_mssante.rules.weights import Weights
from colloque_mssante.store.inbox import Taken
from colloque_mssante.store.mailboxes import Cursor
from tests.contract.test_imap_odd import scripted


@pytest.mark.parametrize(
    "answer",
    ["{tag} NO [SERVERBUG] x\r\n", "* BYE x\r\n", "* 1 FETCH (UID 8 BODY[]<0> {3}\r\nabc)\r\n{tag} OK\r\n"],
    ids=["refused", "goodbye", "without a date"],
)
async def test_one_mail_that_is_never_given(tmp_path: Path, clock: FrozenClock, answer: str) -> None:
    fetching, given = Fetching(tmp_path, Weights()), list[tuple[int, list[Taken]]]()
    cursor = Cursor(MssanteAddress("a@b.example"), UserId("@anne:h.test"), clock.now(), 7, 7, "")
    async with scripted(tmp_path, FETCH=answer, SEARCH="* SEARCH 8\r\n{tag} OK\r\n") as connect:
        for _ in range(3):
            assert given == []
            client = await connect()  # type: ignore[misc]
            with pytest.raises(MailDeferred):
                async with fetching.batch(client, cursor, deque(await client.uids(7))) as found:
                    given.append(found)
    assert given == [(8, [Taken(8, None)])]
