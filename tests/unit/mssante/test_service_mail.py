"""The `send` verb: what our services may mail, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from colloque.clock import FrozenClock
from colloque.config import MssanteConfig
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.parse import parse_mail
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.outbox import Outbox
from colloque_mssante.service_mail import ServiceMail
from colloque_mssante.tables import register_upgrades
from tests.unit.mssante.test_ghosts import OWN, Book

CONFIG = cast("MssanteConfig", SimpleNamespace(sender=MssanteAddress("app@h.mssante.test"), nil="NIL1"))


@dataclass
class Post:
    mail: ServiceMail
    outbox: Outbox
    woken: list[int] = field(default_factory=list)

    async def send(self, **changes: Any) -> dict[str, Any]:
        ask = {"key": "code-1", "to": OWN.value, "subject": "Votre code", "text": "123456"} | changes
        return await self.mail.send("annuaire", **ask)


class NoBook(Book):
    def by_mssante(self, address: MssanteAddress) -> None:
        raise NotFound


@pytest.fixture
async def post(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Post]:
    upgrades = new_upgrades()
    register_upgrades(upgrades)
    db = await open_database(f"sqlite:{tmp_path}/b.db", upgrades, "colloque_mssante")
    outbox, woken = Outbox(db, clock), list[int]()
    mail = ServiceMail(
        config=CONFIG,
        directory=Book(),
        whitelisted=lambda domain: domain == "medecin.mssante.test",
        outbox=outbox,
        clock=clock,
        secret=b"s" * 32,
        wake=lambda: woken.append(1),
    )
    yield Post(mail, outbox, woken)
    await db.stop()


async def test_a_code_is_queued_once_as_a_machines_mail(post: Post) -> None:
    assert await post.send() == {"state": "queued"}
    assert await post.send(text="another") == {"state": "queued"}
    [send] = await post.outbox.due(CONFIG.sender)
    assert send.raw is not None
    mail = parse_mail(send.raw)
    assert (mail.text.strip(), mail.subject, mail.automatic) == ("123456", "Votre code", True)
    assert mail.sender.address == "app@h.mssante.test"
    assert b"X-MSS-NIL: NIL1" in send.raw
    assert post.woken


async def test_two_services_do_not_share_keys(post: Post) -> None:
    await post.send()
    await post.mail.send("salles", key="code-1", to=OWN.value, subject="s", text="t")
    assert len(await post.outbox.due(CONFIG.sender)) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": "inconnu@medecin.mssante.test"}, "recipient_unknown"),
        ({"to": "a.martin@chu.mssante.test"}, "recipient_not_listed"),
    ],
)
async def test_strangers_are_not_written_to(post: Post, changes: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        await post.send(**changes)
    assert refused.value.reason == reason
    assert await post.outbox.due(CONFIG.sender) == []


@pytest.mark.parametrize(
    "changes", [{"to": "rien"}, {"key": ""}, {"key": "a b"}, {"key": "x" * 101}, {"text": 7}, {"subject": None}]
)
async def test_bad_input_is_refused(post: Post, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        await post.send(**changes)


async def test_without_directory_it_is_for_later(post: Post) -> None:
    post.mail._directory = NoBook()
    with pytest.raises(Temporary):
        await post.send()
