"""`colloque receipt verify` of what other servers answered: their own receipts are checked from the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from colloque.federation.ed25519 import PrivateKey
from colloque.policy.federation import FederationList, Key, Use
from colloque.policy.jws import b64
from colloque.rooms.erasure import AskedBy
from colloque.rooms.supplement import ERASED, Answer, Supplement
from tests.federation import KID, Authority, Member
from tests.receipts import DAY, NOW, RECEIPT, Clerk, Verify

AUTHORITY = Authority()
PIN = f"{KID}={b64(AUTHORITY.key.public)}"
A, B = Member("chu-a.test", receipts=None), Member("chu-b.test", receipts=None)


@dataclass
class Case:
    """A's receipt and supplement, B's copy."""

    clerk: Clerk
    other: Clerk
    folder: Path

    def written(self, answer: Answer, **change: Any) -> list[Path]:
        own = self.clerk.signed(replace(RECEIPT, servers=(answer.server,)).to_dict())
        supplement = Supplement(
            serial=2,
            room=RECEIPT.room,
            of=1,
            asked_at=NOW - DAY,
            written_at=NOW,
            answers=(answer,),
            previous=own["hash"],
        )
        body = self.clerk.signed(replace(supplement, **change).to_dict())
        return [self.clerk.write("receipt-000001.json", own), self.clerk.write("receipt-000002.json", body)]

    def erased(self, key: PrivateKey | None = None, **asked: str) -> Answer:
        by = AskedBy(**({"server": "chu-a.test", "ref": RECEIPT.room} | asked))
        copy = replace(RECEIPT, serial=5, room="ef" * 10, asked_by=by, archived="by_the_server_that_made_it")
        clerk = Clerk(self.folder, key) if key is not None else self.other
        return Answer("chu-b.test", ERASED, 2, clerk.signed(copy.to_dict()))

    @property
    def options(self) -> list[object]:
        entries = {}
        for member, clerk in ((A, self.clerk), (B, self.other)):
            key = Key("e-1", Use.ERASURE, clerk.key.public, NOW - 30 * DAY, NOW + 30 * DAY)
            entry = member.entry(NOW)
            entries[member.server] = replace(entry, keys=(*entry.keys, key))
        path = self.folder / "list.jws"
        path.write_bytes(AUTHORITY.sign(FederationList(3, NOW - 2 * DAY, NOW + 30 * DAY, entries)))
        return ["--list", path, "--authority", PIN, "--server", "chu-a.test"]


@pytest.fixture
def case(clerk: Clerk, tmp_path: Path) -> Case:
    return Case(clerk, Clerk(tmp_path), tmp_path)


def test_other_servers_receipts_are_checked_from_the_list(case: Case, verify: Verify) -> None:
    paths = case.written(case.erased())
    code, out, _ = verify(*paths, *case.options, "--anchor", f"2:{_hash(paths[1])}")
    assert code == 0
    assert "chu-b.test had members: asked to erase its copy" in out
    assert "receipt 2 holds: what other servers answered to the erasure of receipt 1" in out
    assert "chu-b.test: its own receipt 5 holds" in out
    assert "signed with the key e-1 of chu-b.test" in out
    assert "Receipts 1 to 2 follow each other" in out


def test_without_a_list_it_is_said_that_they_are_not_checked(case: Case, verify: Verify) -> None:
    paths = case.written(case.erased(PrivateKey.generate()))
    code, out, _ = verify(*paths, "--key", case.clerk.pem)
    assert code == 0
    assert "its signature NOT CHECKED: give --list" in out


def test_who_never_answered_is_named(case: Case, verify: Verify) -> None:
    paths = case.written(Answer("chu-b.test", "unanswered", 300))
    code, out, _ = verify(*paths, *case.options)
    assert code == 0
    assert "chu-b.test: NO RECEIPT, its copy may be there still: it never gave a signed answer (unanswered)" in out
    code, out, _ = verify(*case.written(Answer("chu-b.test", "refused.erasure.held", 3)), *case.options)
    assert "it refused (refused.erasure.held)" in out


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda case: case.erased(PrivateKey.generate()), "the signature is not the key's"),
        (lambda case: case.erased(ref="cd" * 10), "of another room"),
        (lambda case: case.erased(server="chu-c.test"), "of another room"),
        (lambda case: replace(case.erased(), server="chu-c.test"), "the list does not name chu-c.test"),
        (lambda _: Answer("chu-b.test", ERASED, 1, {"hash": "x"}), "not an erasure receipt"),
    ],
)
def test_what_does_not_hold(case: Case, verify: Verify, answer: Callable[[Case], Answer], why: str) -> None:
    code, out, _ = verify(*case.written(answer(case)), *case.options)
    assert code == 1
    assert "DOES NOT HOLD: receipt-000002.json" in out
    assert why in out


def test_a_supplement_is_a_link_of_the_chain(case: Case, verify: Verify) -> None:
    paths = case.written(case.erased(), previous="ab" * 32)
    assert "does not follow" in verify(*paths, *case.options)[1]
    paths = case.written(case.erased())
    assert verify(paths[1], paths[0], *case.options)[0] == 1
    text = paths[1].read_text(encoding="utf-8")
    paths[1].write_text(text.replace('"tries": 2', '"tries": 3'), encoding="utf-8")
    assert "was changed after it was made" in verify(*paths, *case.options)[1]


def _hash(path: Path) -> str:

    return str(json.loads(path.read_text(encoding="utf-8"))["hash"])
