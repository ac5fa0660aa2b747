"""The `send` verb: what our services may mail, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock
from colloque.config import MssanteConfig
from colloque.errors import BadInput, NotFound, Refused, Temporary
from colloque.identity import MssanteAddress
from colloque.mail.message import Attachment
from colloque.mail.parse import parse_mail
from colloque_mssante.leaving.service_mail import ServiceMail
from colloque_mssante.store.outbox import Outbox
from tests.clinical import PDF, archive, signed
from tests.unit.mssante.test_ghosts import OWN, Book
from tests.unit.mssante.test_store import db

__all__ = ["db"]

CONFIG = cast(
    "MssanteConfig", SimpleNamespace(sender=MssanteAddress("app@h.mssante.test"), nil="NIL1", size_limit=5_000)
)


class Files:
    """What is stored in Matrix."""

    def __init__(self) -> None:
        self.stored = {"mxc://h.test/1": b"%PDF-1.4 un", "mxc://h.test/bad": b"EICAR"}

    async def fetch(self, content: dict[str, Any]) -> bytes:
        try:
            return self.stored[content["file"]["url"]]
        except (KeyError, TypeError):
            raise BadInput("not an encrypted attachment") from None

    async def scan(self, files: Sequence[Attachment]) -> None:
        if any(file.data == b"EICAR" for file in files):
            raise Refused("infected")


@dataclass
class Post:
    mail: ServiceMail
    outbox: Outbox
    shelf: Files
    woken: list[int] = field(default_factory=list)

    async def send(self, **changes: Any) -> dict[str, Any]:
        ask = {"key": "code-1", "to": OWN.value, "subject": "Votre code", "text": "123456"} | changes
        return await self.mail.send("annuaire", **ask)


class NoBook(Book):
    def by_mssante(self, address: MssanteAddress) -> None:
        raise NotFound


@pytest.fixture
async def post(db: Database, clock: FrozenClock) -> Post:
    outbox, woken, shelf = Outbox(db, clock), list[int](), Files()
    mail = ServiceMail(
        config=CONFIG,
        directory=Book(),
        whitelisted=lambda domain: domain == "medecin.mssante.test",
        outbox=outbox,
        clock=clock,
        secret=b"s" * 32,
        wake=lambda: woken.append(1),
        fetch=shelf.fetch,
        scan=shelf.scan,
    )
    return Post(mail, outbox, shelf, woken)


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


def attached(url: str, name: str = "Salon Pin Merle.pdf") -> dict[str, Any]:
    return {"name": name, "mime": "application/pdf", "file": {"url": url}}


async def test_files_go_along(post: Post) -> None:
    await post.send(files=[attached("mxc://h.test/1")])
    [send] = await post.outbox.due(CONFIG.sender)
    assert send.raw is not None
    [file] = parse_mail(send.raw).attachments
    assert (file.name, file.mime, file.data) == ("Salon Pin Merle.pdf", "application/pdf", b"%PDF-1.4 un")
    post.shelf.stored.clear()
    assert await post.send(files=[attached("mxc://h.test/1")]) == {"state": "queued"}, "it is queued already"


@pytest.mark.parametrize(
    ("url", "reason"), [("mxc://h.test/gone", "file_gone"), ("mxc://h.test/bad", "infected"), ("big", "too_big")]
)
async def test_what_cannot_go_along_is_refused_by_its_reason(post: Post, url: str, reason: str) -> None:
    post.shelf.stored["big"] = b"x" * 5_000
    with pytest.raises(Refused) as refused:
        await post.send(files=[attached(url)])
    assert refused.value.reason == reason
    assert await post.outbox.due(CONFIG.sender) == []


@pytest.mark.parametrize("files", [["file"], [{"name": "a"}], [{"name": 1, "mime": "a/b", "file": {}}]])
async def test_bad_files_are_refused(post: Post, files: list[Any]) -> None:
    with pytest.raises(BadInput):
        await post.send(files=files)


async def test_a_service_asks_how_far_its_own_mails_got_and_withdraws_them(post: Post) -> None:
    await post.send()
    assert await post.mail.states("annuaire", keys=["code-1", "other"]) == {"states": {"code-1": "queued"}}
    assert await post.mail.states("salles", keys=["code-1"]) == {"states": {}}
    await post.mail.withdraw("salles", keys=["code-1"])
    assert len(await post.outbox.due(CONFIG.sender)) == 1, "it is not theirs"
    await post.mail.withdraw("annuaire", keys=["code-1"])
    assert await post.outbox.due(CONFIG.sender) == []
    kept = await post.outbox.get("annuaire:code-1")
    assert kept is not None
    assert (kept.raw, kept.state, kept.status) == (None, "refused", "withdrawn")
    with pytest.raises(BadInput):
        await post.mail.states("annuaire", keys=[1])


async def test_what_is_withdrawn_before_it_is_queued_is_never_queued(post: Post) -> None:
    for _ in range(2):
        await post.mail.withdraw("annuaire", keys=["code-1", "code-2", "not a key"])
    kept = await post.outbox.get("annuaire:code-1")
    assert kept is not None
    assert (kept.raw, kept.recipients, kept.state, kept.status) == (None, (), "refused", "withdrawn")
    assert await post.send() == {"state": "refused"}
    assert await post.outbox.senders() == []
    assert await post.mail.states("annuaire", keys=["code-1"]) == {"states": {"code-1": "refused"}}
    assert await post.outbox.counts() == {"refused": 2}
    assert await post.mail.send("salles", key="code-1", to=OWN.value, subject="s", text="t") == {"state": "queued"}


async def test_what_is_withdrawn_while_it_is_scanned_is_not_queued(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(files: Sequence[Attachment]) -> None:
        await post.mail.withdraw("annuaire", keys=["code-1"])

    monkeypatch.setattr(post.mail, "_scan", slow)
    assert await post.send(files=[attached("mxc://h.test/1")]) == {"state": "refused"}
    kept = await post.outbox.get("annuaire:code-1")
    assert kept is not None
    assert (kept.raw, kept.recipients) == (None, ())
    assert await post.outbox.senders() == []


@pytest.mark.parametrize("state", ["sent", "doubtful"])
async def test_of_what_left_only_the_text_is_dropped(post: Post, state: str) -> None:
    await post.send()
    [send] = await post.outbox.due(CONFIG.sender)
    await post.outbox.move(await post.outbox.leaving(send), state)
    await post.mail.withdraw("annuaire", keys=["code-1"])
    kept = await post.outbox.get("annuaire:code-1")
    assert kept is not None
    assert (kept.raw, kept.state) == (None, state)


async def test_an_archive_of_documents_names_and_marks_its_mail(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONFIG, "size_limit", 50_000)
    post.shelf.stored["mxc://h.test/xdm"] = archive(signed("34133-9"))
    zipped = {"name": "IHE_XDM.ZIP", "mime": "application/zip", "file": {"url": "mxc://h.test/xdm"}}
    await post.send(subject="Salon Pin Merle", files=[zipped], documents=True)
    [send] = await post.outbox.due(CONFIG.sender)
    assert send.raw is not None
    mail = parse_mail(send.raw)
    assert mail.subject == "XDM/1.0/DDM+CR d'examens biologiques ESSAI-DUPONT Zelie 28/03/1979"
    assert b"X-MSS-CODECDA: 34133-9\r\n" in send.raw
    assert b"X-MSS-INS: O\r\n" in send.raw
    assert b"X-MSS-NIL: NIL1" in send.raw
    assert mail.automatic
    printed, sent = mail.attachments
    assert (printed.mime, printed.data, sent.name) == ("application/pdf", PDF, "IHE_XDM.ZIP")
    assert printed.name.endswith("_ESSAI-DUPONT_Zelie.pdf")


async def test_peoples_own_archives_are_not_looked_into(post: Post) -> None:
    post.shelf.stored["mxc://h.test/xdm"] = b"PK\x03\x04 broken"
    zipped = {"name": "IHE_XDM.ZIP", "mime": "application/zip", "file": {"url": "mxc://h.test/xdm"}}
    await post.send(files=[zipped])
    [send] = await post.outbox.due(CONFIG.sender)
    assert send.raw is not None
    assert parse_mail(send.raw).subject == "Votre code"
    assert b"X-MSS-INS" not in send.raw


@pytest.mark.parametrize("data", [b"PK\x03\x04 broken", b"%PDF-1.4 un"])
async def test_documents_that_cannot_be_read_do_not_leave(post: Post, data: bytes) -> None:
    post.shelf.stored["mxc://h.test/xdm"] = data
    zipped = {"name": "IHE_XDM.ZIP", "mime": "application/zip", "file": {"url": "mxc://h.test/xdm"}}
    with pytest.raises(Refused) as refused:
        await post.send(files=[zipped], documents=True)
    assert refused.value.reason == "archive_bad"
    assert await post.outbox.due(CONFIG.sender) == []


async def test_documents_are_said_by_yes_or_no(post: Post) -> None:
    with pytest.raises(BadInput):
        await post.send(documents="yes")
