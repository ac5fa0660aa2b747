"""Asking other servers to erase, and being asked: rows, receipts and crashes, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.async_db import Database

from colloque.clock import FrozenClock, to_millis
from colloque.errors import Refused, ServiceUnavailable
from colloque.federation.ed25519 import PrivateKey
from colloque.files import write_private
from colloque.identity import RoomId
from colloque.rooms.erasure import GENESIS, AskedBy, Counts, Receipt
from colloque.rooms.supplement import read_supplement
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_salles.elsewhere.peers import Elsewhere
from colloque_salles.erasing.receipts import Signer
from colloque_salles.store.elsewhere import Peers, pause
from colloque_salles.store.jobs import Jobs, ReceiptRow
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener

ROOM, REF = RoomId("!room"), "ab" * 10
B, C = "chu-b.test", "chu-c.test"
WEEK = timedelta(days=7)


@dataclass
class Desk:
    """What asks other servers, and what they answer by name: an outcome, a receipt's serial, or an error."""

    tmp: Path
    db: Database
    clock: FrozenClock
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, RoomId, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        key = self.tmp / "key.pem"
        if not key.exists():
            write_private(key, PrivateKey.generate().pem())
        self.jobs, self.peers = Jobs(self.db), Peers(self.db)
        self.incidents = Incidents(self.db, self.clock)
        self.journal = Journal.open(self.tmp / "journal.jsonl", self.clock)
        self.signer = Signer(key, self.tmp / "receipts")
        self.elsewhere = Elsewhere(
            peers=self.peers,
            jobs=self.jobs,
            signer=self.signer,
            ask=self.ask,
            incidents=self.incidents,
            journal=self.journal,
            clock=self.clock,
            lasts=WEEK,
        )

    async def ask(self, server: str, room: RoomId, ref: str) -> dict[str, Any]:
        self.asked.append((server, room, ref))
        answer = self.answers.get(server, "under_way")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return {"outcome": "erased", "receipt": self.receipt(answer, asked_by=AskedBy("chu-a.test", ref))}
        return {"outcome": answer}

    def receipt(self, serial: int, **change: Any) -> dict[str, Any]:
        now, none = self.clock.now(), Counts(0, 0, 0)
        values: dict[str, Any] = {"serial": serial, "room": REF, "before": none, "after": none, "files_deleted": 0}
        values |= {"opened_at": now, "closed_at": now, "erased_at": now, "undecryptable": 0, "previous": GENESIS}
        found: dict[str, Any] = json.loads(self.signer.sign(Receipt(**(values | change)).to_dict()))
        return found

    async def begun(self, *servers: str) -> None:
        """Our own erasure is under way."""
        await self.jobs.start(ROOM, {"token": REF, "servers": servers, "begun_at": to_millis(self.clock.now())})

    async def done(self) -> int:
        """Our own receipt is there, and nothing of the room but what asks the others."""
        serial, _ = await self.jobs.last()
        body = json.dumps(self.receipt(serial + 1, servers=tuple(p.server for p in await self.rows())))
        await self.jobs.add(ReceiptRow(serial + 1, body, "Pin Merle", ()), ROOM)
        await self.jobs.forget(ROOM)
        return serial + 1

    async def rows(self) -> list[Any]:
        return [*map(_Row, await self.db.fetch("SELECT * FROM peer_erasure ORDER BY server"))]

    async def written(self) -> list[dict[str, Any]]:
        await self.elsewhere.write()
        return [json.loads(path.read_text()) for path in sorted((self.tmp / "receipts").glob("receipt-*.json"))]

    async def told(self) -> list[str]:
        return [incident.text for incident in await self.incidents.unposted()]

    def again(self) -> None:
        """As after a crash: nothing but files and rows is left."""
        self.journal.close()
        self.__post_init__()


class _Row:
    def __init__(self, row: Any) -> None:
        self.server, self.outcome, self.tries, self.settled = (
            row[n] for n in ("server", "outcome", "tries", "settled")
        )


@pytest.fixture
async def desk(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Desk:
    return Desk(tmp_path, await opened(salles_upgrades()), clock)


async def test_the_supplement_holds_the_receipts_of_others(desk: Desk) -> None:
    desk.answers = {B: 4, C: 9}
    await desk.begun(B, C)
    await desk.elsewhere.once()
    assert sorted(desk.asked) == [(B, ROOM, REF), (C, ROOM, REF)], "nobody waits for our own erasure"
    assert await desk.written() == []
    serial = await desk.done()
    own, raw = await desk.written()
    supplement = read_supplement(raw)
    assert (supplement.of, supplement.serial, supplement.previous) == (serial, serial + 1, own["hash"])
    assert [(a.server, a.outcome, a.receipt["serial"] if a.receipt else 0) for a in supplement.answers] == [
        (B, "erased", 4),
        (C, "erased", 9),
    ]
    assert await desk.rows() == []
    assert len(await desk.written()) == 2, "none comes twice"
    assert await desk.told() == []
    assert ROOM not in (desk.tmp / "journal.jsonl").read_text()


async def test_who_does_not_answer_is_asked_for_days_and_then_named(desk: Desk) -> None:
    desk.answers = {B: 4, C: ServiceUnavailable("away")}
    await desk.begun(B, C)
    await desk.done()
    begin = desk.clock.now()
    pauses = []
    while desk.clock.now() < begin + WEEK:
        desk.again()
        before = len(desk.asked)
        await desk.elsewhere.once()
        assert len(await desk.written()) == 1
        if len(desk.asked) > before:
            pauses.append(desk.clock.now())
        desk.clock.advance(seconds=1800)
    desk.clock.advance(hours=1)
    await desk.elsewhere.once()
    assert {server for server, _, _ in desk.asked[2:]} == {C}, "who has answered is left alone"
    assert len(pauses) > 100
    _, raw = await desk.written()
    assert [(a["server"], a["outcome"]) for a in raw["answers"]] == [(B, "erased"), (C, "unanswered")]
    assert raw["answers"][1]["tries"] == len(desk.asked) - 1
    (said,) = await desk.told()
    assert "chu-c.test n'a pas confirmé" in said
    assert await desk.rows() == []


async def test_after_ten_days_off_everybody_is_asked_once_more(desk: Desk) -> None:
    await desk.begun(B)
    await desk.done()
    desk.clock.advance(days=10)
    desk.answers = {B: 4}
    desk.again()
    await desk.elsewhere.once()
    assert (await desk.written())[1]["answers"][0]["outcome"] == "erased"


async def test_what_is_no_receipt_is_asked_for_again(desk: Desk) -> None:
    await desk.begun(B)
    await desk.done()
    for answer in ("refused.erasure.held", "receipt_invalid", "not_listed", Refused("verb_unknown"), "Bad code", 4):
        desk.answers = {B: answer}
        assert [row.settled for row in await desk.rows()] == [False]
        await desk.elsewhere.once()
        desk.clock.advance(hours=1)
    assert [(row.settled, row.tries) for row in await desk.rows()] == [(True, 6)]
    assert len(await desk.written()) == 2


async def test_our_own_receipt_comes_first(desk: Desk) -> None:
    desk.answers = {B: "unanswered"}
    await desk.begun(B)
    desk.clock.advance(days=8)
    await desk.elsewhere.once()
    assert await desk.written() == []
    await desk.done()
    assert [r.get("kind") for r in await desk.written()] == [None, "servers"]


async def test_one_server_that_is_away_holds_up_no_other(desk: Desk) -> None:
    desk.answers = {B: ServiceUnavailable("away"), C: 5}
    for n in range(3):
        room = RoomId(f"!room{n}")
        await desk.jobs.start(room, {"token": f"{n}" * 20, "servers": [B, C], "begun_at": to_millis(desk.clock.now())})
    await desk.elsewhere.once()
    assert [server for server, _, _ in desk.asked].count(C) == 3
    assert [server for server, _, _ in desk.asked].count(B) == 1, "asked about the others in the rounds to come"
    await desk.elsewhere.once()
    assert {room for server, room, _ in desk.asked if server == B} == {RoomId("!room0"), RoomId("!room1")}


async def test_a_crash_between_settling_and_writing_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.answers = {B: 4}
    await desk.begun(B)
    await desk.elsewhere.once()
    await desk.done()

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("add_supplement", "written"):
        monkeypatch.setattr(desk.jobs, name, killed)
        with pytest.raises(KeyboardInterrupt):
            await desk.elsewhere.write()
        desk.again()
    assert [r["serial"] for r in await desk.written()] == [1, 2]


def test_pauses_double_up_to_an_hour() -> None:
    def pauses() -> Iterator[float]:
        for tries in range(30):
            yield pause(tries, timedelta(seconds=5), timedelta(hours=1)).total_seconds()

    found = list(pauses())
    assert found[:4] == [5, 10, 20, 40]
    assert found == sorted(found)
    assert found[-1] == 3600
