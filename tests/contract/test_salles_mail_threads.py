"""What @salles does for a mail thread that ends: on SQLite and on PostgreSQL, with a homeserver's answers by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from colloque.clock import FrozenClock
from colloque.errors import BadInput, Temporary
from colloque.files import write_private
from colloque.identity import EventId, MxcUri, UserId
from colloque.matrix.admin import StoredEvent
from colloque.rooms.anchors import check_run
from colloque.rooms.erasure import Kind, read_receipt
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.mail_threads import TABLES, MailThreadRows
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.talks.mail_threads import MailThreads
from tests.servers.databases import ROOM, Opener, count
from tests.servers.dispatch import CONFIG, SERVER

ANNE, GHOST, PAUL = (UserId(f"@{name}:{SERVER}") for name in ("anne", "mss_x", "paul"))
TOKEN, OTHER = "a1" * 16, "b2" * 16
ASKED = {"began_at": 1772442000000, "last_at": 1772442060000, "members": 1, "remote": 0, "undecryptable": 0}


def mxc(name: str, server: str = SERVER) -> MxcUri:
    return MxcUri(f"mxc://{server}/{name}")


class Server:
    """The homeserver's media and events."""

    def __init__(self) -> None:
        self.files = {mxc("mail"): GHOST, mxc("own"): ANNE, mxc("theirs"): PAUL, mxc("patient"): ANNE}
        self.events = {
            EventId(f"$e{n}"): StoredEvent(who, given=False, held=n > 0) for n, who in enumerate((GHOST, ANNE, ANNE))
        }
        self.deleted: list[MxcUri] = []
        self.dies = False
        self.sticks = False

    async def media_uploader(self, file: MxcUri) -> UserId | None:
        return self.files.get(file)

    async def delete_media(self, file: MxcUri) -> None:
        if self.dies:
            raise Temporary("away")
        if not self.sticks:
            self.files.pop(file, None)
        self.deleted.append(file)

    async def stored_event(self, event: EventId) -> StoredEvent | None:
        return self.events.get(event)

    async def served(self, file: MxcUri) -> bool:
        return file in self.files


class Desk:
    """The service's parts."""

    def __init__(self, db: Any, folder: Path, clock: FrozenClock) -> None:
        key = folder / "receipt.pem"
        write_private(
            key,
            Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
        self.db, self.server, self.folder = db, Server(), folder / "receipts"
        self.jobs, self.patients = Jobs(db), PatientRooms(db)
        self.threads = MailThreads(
            config=replace(CONFIG, salles=replace(CONFIG.salles, cleaner=None)),
            rows=MailThreadRows(db),
            jobs=self.jobs,
            admin=cast("Any", self.server),
            signer=Signer(key, self.folder),
            still_served=self.server.served,
            clock=clock,
        )

    async def noted(self, token: str = TOKEN, files: Any = None, shared: Any = ()) -> None:
        pairs = [[mxc("mail"), GHOST], [mxc("own"), ANNE]] if files is None else files
        await self.threads.note(token, list(self.server.events), pairs, list(shared))

    async def ended(self, token: str = TOKEN) -> dict[str, Any]:
        assert await self.threads.erase(token=token, **ASKED) == {"serial": 0}
        return await self.ended_now(token)

    async def ended_now(self, token: str = TOKEN) -> dict[str, Any]:
        await self.threads.once()
        serial = (await self.threads.erase(token=token, **ASKED))["serial"]
        assert serial > 0
        raw: dict[str, Any] = json.loads((self.folder / f"receipt-{serial:06d}.json").read_text())
        return raw


@pytest.fixture
async def desk(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Desk:
    return Desk(await opened(salles_upgrades(), "colloque_salles"), tmp_path, clock)


async def test_its_files_go_and_a_receipt_says_what_is_left(desk: Desk) -> None:
    await desk.noted()
    await desk.noted()
    raw = await desk.ended()
    receipt = read_receipt(raw)
    assert receipt.kind is Kind.MAIL
    assert (receipt.room, receipt.before.events, receipt.before.files, receipt.files_deleted) == (TOKEN, 3, 2, 2)
    assert [(r.name, r.count, r.why) for r in receipt.residue] == [("event_json", 2, "dropped_in_7_days")]
    assert "server_identifiers" in receipt.out_of_reach, "no helper looked"
    assert receipt.proven == ("texts_withdrawn", "known_files_gone")
    assert sorted(desk.server.deleted) == [mxc("mail"), mxc("own")]
    assert await count(desk.db, "mail_event") == await count(desk.db, "mail_file") == 0
    await desk.threads.forget(TOKEN)
    assert [await count(desk.db, table) for table in TABLES] == [0, 0, 0]
    await desk.threads.forget(TOKEN)


async def test_what_is_not_its_own_is_kept_and_counted(desk: Desk) -> None:
    """Somebody names another's file; one that a living patient room shares; one of another server."""
    await desk.patients.heard(ROOM, EventId("$x"), readable=True, files=(mxc("patient"),))
    far = mxc("far", "elsewhere.test")
    shared = [[file, ANNE] for file in (mxc("own"), mxc("theirs"), mxc("patient"), far)]
    await desk.noted(files=shared)
    receipt = read_receipt(await desk.ended())
    assert receipt.files_deleted == 1
    assert {(r.why, r.count) for r in receipt.residue if r.name == "kept_files"} == {
        ("known_in_another_room", 1),
        ("of_somebody_else", 1),
        ("on_another_server", 1),
    }
    assert set(desk.server.files) == {mxc("mail"), mxc("theirs"), mxc("patient")}


async def test_the_last_to_share_a_file_takes_it(desk: Desk) -> None:
    """It came by mail; its owner shares it in another thread, and in a patient room."""
    file = mxc("mail")
    await desk.patients.heard(ROOM, EventId("$x"), readable=True, files=(file,))
    await desk.noted(files=[], shared=[[file, GHOST]])
    first = read_receipt(await desk.ended())
    assert next((r.name, r.count, r.why) for r in first.residue) == ("kept_files", 1, "known_in_another_room")
    await desk.noted(OTHER, files=[[file, ANNE]])
    second = read_receipt(await desk.ended(OTHER))
    assert (second.files_deleted, file in desk.server.files) == (0, True)
    assert await MailThreadRows(desk.db).is_orphan(file), "the patient room takes it"
    await desk.db.execute("DELETE FROM ledger_file")
    third = "c3" * 16
    await desk.noted(third, files=[[file, ANNE]])
    assert read_receipt(await desk.ended(third)).files_deleted == 1
    assert file not in desk.server.files
    assert not await MailThreadRows(desk.db).is_orphan(file)


async def test_a_patient_room_that_ends_too_leaves_it_to_the_thread(desk: Desk) -> None:
    """It was counted there as a mail's: nobody else would ever take it. It goes once nobody can read the room."""
    await desk.patients.heard(ROOM, EventId("$x"), readable=True, files=(mxc("mail"),))
    await desk.jobs.start(ROOM, {"files": []})
    await desk.noted()
    assert await desk.threads.erase(token=TOKEN, **ASKED) == {"serial": 0}
    await desk.threads.once()
    assert mxc("mail") in desk.server.files, "the room can still be read"
    await desk.jobs.at_step(ROOM, "files")
    receipt = read_receipt(await desk.ended_now())
    assert (receipt.files_deleted, [r for r in receipt.residue if r.name == "kept_files"]) == (2, [])
    assert mxc("mail") not in desk.server.files


async def test_what_a_patient_room_is_about_to_delete_is_left_to_it(desk: Desk) -> None:
    await desk.patients.heard(ROOM, EventId("$x"), readable=True, files=(mxc("own"),))
    await desk.jobs.start(ROOM, {"files": [mxc("own")]})
    await desk.noted()
    receipt = read_receipt(await desk.ended())
    assert [(r.why, r.count) for r in receipt.residue if r.name == "kept_files"] == [("known_in_another_room", 1)]
    assert desk.server.deleted == [mxc("mail")]


async def test_a_file_that_another_thread_shares_stays(desk: Desk) -> None:
    await desk.noted(files=[], shared=[[mxc("own"), ANNE], [mxc("theirs"), ANNE]])
    receipt = read_receipt(await desk.ended())
    assert {(r.why, r.count) for r in receipt.residue if r.name == "kept_files"} == {
        ("known_in_another_thread", 1),
        ("of_somebody_else", 1),
    }
    assert await MailThreadRows(desk.db).is_orphan(mxc("own"))
    assert not await MailThreadRows(desk.db).is_orphan(mxc("theirs"))


async def test_whoever_sent_nothing_there_loses_no_file(desk: Desk) -> None:
    """The bridge's word on who shared a file is not enough."""
    await desk.noted(files=[[mxc("theirs"), PAUL]])
    receipt = read_receipt(await desk.ended())
    assert (receipt.files_deleted, desk.server.deleted) == (0, [])


async def test_nothing_is_deleted_before_every_event_is_withdrawn(desk: Desk) -> None:
    await desk.noted()
    event = EventId("$e2")
    desk.server.events[event] = replace(desk.server.events[event], given=True)
    await desk.threads.erase(token=TOKEN, **ASKED)
    await desk.threads.once()
    assert desk.server.deleted == []


async def test_who_reads_it_elsewhere_is_out_of_reach(desk: Desk) -> None:
    await desk.noted()
    assert await desk.threads.erase(token=TOKEN, **(ASKED | {"remote": 1, "members": 2})) == {"serial": 0}
    raw = await desk.ended_now()
    assert "other_servers" in read_receipt(raw).not_proven


async def test_receipts_of_all_kinds_are_one_chain(desk: Desk) -> None:
    await desk.noted()
    first = await desk.ended()
    await desk.noted(OTHER, files=[])
    second = await desk.ended(OTHER)
    check_run([first, second])


async def test_nothing_is_signed_while_a_file_is_there(desk: Desk) -> None:
    await desk.noted()
    desk.server.sticks = True
    await desk.threads.erase(token=TOKEN, **ASKED)
    for _ in range(3):
        await desk.threads.once()
    assert await desk.jobs.last() == (0, None)
    desk.server.sticks = False
    await desk.threads.once()
    assert (await desk.threads.erase(token=TOKEN, **ASKED))["serial"] == 1


async def test_a_deletion_that_was_cut_off_goes_on(desk: Desk) -> None:
    await desk.noted()
    desk.server.dies = True
    await desk.threads.erase(token=TOKEN, **ASKED)
    await desk.threads.once()
    desk.server.dies = False
    desk.server.files.pop(mxc("own"))  # deleted, and the answer was lost
    await desk.threads.once()
    raw = json.loads((desk.folder / "receipt-000001.json").read_text())
    assert raw["files_deleted"] == 2


async def test_asked_again_it_signs_once(desk: Desk) -> None:
    await desk.noted()
    await desk.ended()
    for _ in range(3):
        assert await desk.threads.erase(token=TOKEN, **ASKED) == {"serial": 1}
        await desk.threads.once()
    assert (await desk.jobs.last())[0] == 1


@pytest.mark.parametrize(
    ("files", "events", "token"),
    [
        ([["mxc://h.test/one"]], [], TOKEN),
        (["mxc://h.test/one"], [], TOKEN),
        ([["https://h.test/one", ANNE]], [], TOKEN),
        ([["mxc://h.test/../one", ANNE]], [], TOKEN),
        ([[1, ANNE]], [], TOKEN),
        ([], [1], TOKEN),
        ([], [], "!room:h.test"),
        ([], [], 7),
    ],
)
async def test_nonsense_is_refused(desk: Desk, files: Any, events: Any, token: Any) -> None:
    with pytest.raises(BadInput):
        await desk.threads.note(token, events, files, [])
    with pytest.raises(BadInput):
        await desk.threads.note(token, events, [], files or [7])
    assert [await count(desk.db, table) for table in TABLES] == [0, 0, 0]


@pytest.mark.parametrize(
    "said",
    [
        {"members": -1},
        {"began_at": "today"},
        {"undecryptable": True},
        {"token": "short"},
    ],
)
async def test_an_erasure_of_nonsense_is_refused(desk: Desk, said: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        await desk.threads.erase(**({"token": TOKEN} | ASKED | said))
    assert await count(desk.db, "mail_thread") == 0
