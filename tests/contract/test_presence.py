"""Asking mailboxes whether they have the mails of threads that are to end: on the sandbox operator and on Dovecot."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config_mssante import BudgetConfig
from colloque.files import free_port, write_private
from colloque.identity import MssanteAddress, UserId
from colloque.mail.revocation_check import Revocation
from colloque_mssante.access.credentials import Credentials
from colloque_mssante.mailboxes.budget import Budget
from colloque_mssante.mailboxes.presence import Presence
from colloque_mssante.store.choices import OFF, Choices
from colloque_mssante.store.leases import Leases
from colloque_mssante.store.mailboxes import Mailboxes
from colloque_mssante.store.presence import Seeking
from tests.contract.test_imap_finding import named
from tests.servers.imap_suites import deliver
from tests.servers.operator import Operator

ANNE = UserId("@anne:h.test")
HERE, LOST = f"<{secrets.token_hex(8)}@x.test>", f"<{secrets.token_hex(8)}@x.test>"


@pytest.fixture
async def db(bridge_db: Database) -> Database:
    return bridge_db


@dataclass
class Boxed:
    """One mailbox, one mail of which is there, and the bridge's questions."""

    operator: Operator
    address: str
    db: Database
    clock: FrozenClock
    folder: Path

    def __post_init__(self) -> None:
        self.choices, self.leases = Choices(self.db, self.clock), Leases(self.db, "test")
        self.seeking = Seeking(self.db)
        self.file = self.folder / "mailboxes.yaml"
        self.gives(self.operator.password(self.address).secret)
        self.presence = self.asker()

    def gives(self, password: str) -> None:
        write_private(self.file, json.dumps({self.address: {"password": password}}))

    def asker(self, port: int = 0) -> Presence:
        self.credentials = Credentials(self.file, Revocation(self.folder / "revocation", self.clock))
        self.credentials.refresh()
        imap = self.operator.imap
        return Presence(
            server=type(imap)(imap.host, port or imap.port, imap.ca),
            seeking=self.seeking,
            budget=Budget(BudgetConfig()),
            leases=self.leases,
            credentials=self.credentials,
            choices=self.choices,
        )

    async def asks(self) -> None:
        for message_id in (HERE, LOST):
            await self.db.execute(
                "INSERT INTO thread_original (thread, mail, mailbox, owner, message_id, uidvalidity, uid) "
                "VALUES ('t', $1, $2, $3, $1, 0, 0)",
                message_id,
                self.address,
                ANNE,
            )

    async def held(self) -> None:
        await self.leases.beat()
        self.leases.keep(await self.leases.take({MssanteAddress(self.address)}))

    async def found(self) -> dict[str, bool | None]:
        rows = await self.db.fetch("SELECT mail, found FROM thread_original")
        return {row["mail"]: None if row["found"] is None else bool(row["found"]) for row in rows}


UNKNOWN = {HERE: None, LOST: None}
KNOWN = {HERE: True, LOST: False}


@pytest.fixture
async def boxed(operator: Operator, box: str, db: Database, clock: FrozenClock, tmp_path: Path) -> Boxed:
    made = Boxed(operator, box, db, clock, tmp_path)
    await deliver(operator, box, named(HERE))
    await made.asks()
    await made.held()
    return made


async def test_each_mail_is_looked_for(boxed: Boxed) -> None:
    assert await boxed.seeking.waiting() == [(MssanteAddress(boxed.address), ANNE)]
    await boxed.presence.once()
    assert await boxed.found() == KNOWN
    assert await boxed.seeking.waiting() == []


async def test_a_mailbox_that_another_process_holds_is_left_to_it(boxed: Boxed) -> None:
    await boxed.leases.end()
    await boxed.presence.once()
    assert await boxed.found() == UNKNOWN


async def test_a_mailbox_that_its_owner_disconnected_is_not_opened(boxed: Boxed) -> None:
    await Mailboxes(boxed.db, boxed.clock).start(MssanteAddress(boxed.address), ANNE, boxed.clock.now())
    await boxed.choices.close(ANNE, OFF)
    await boxed.presence.once()
    assert await boxed.found() == UNKNOWN
    await boxed.choices.open(ANNE, None)
    await boxed.presence.once()
    assert await boxed.found() == KNOWN


async def test_a_refused_login_is_not_tried_again_before_the_credentials_change(boxed: Boxed) -> None:
    boxed.gives("wrong")
    presence = boxed.asker()
    for _ in range(2):
        await presence.once()
    assert await boxed.found() == UNKNOWN
    assert presence._refused
    boxed.gives(boxed.operator.password(boxed.address).secret)
    boxed.credentials.refresh()
    await presence.once()
    assert await boxed.found() == KNOWN


async def test_a_server_that_is_away_proves_nothing(boxed: Boxed) -> None:
    presence = boxed.asker(free_port())
    await presence.once()
    assert await boxed.found() == UNKNOWN
    assert not presence.busy(MssanteAddress(boxed.address))
    await boxed.presence.once()
    assert await boxed.found() == KNOWN
