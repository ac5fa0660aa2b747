"""The queue of reports: bounded, fair, in order, each once, nothing lost while nobody listens."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from colloque.calls import JsonDict
from colloque.errors import BadInput, Refused, ServiceUnavailable, Temporary
from colloque.sockets import Server
from colloque.synapse import line, reports
from colloque.synapse.reports import Act, Queue

ACT: Act = ("@a:x", "@b:x", "invite", "other_unverified")


class Annuaire:
    """Takes reports; answers `wrong` once when the test sets it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "annuaire.sock"
        self.taken: list[Any] = []
        self.wrong: Exception | None = None
        verbs = {"synapse": {"refused": self.refused, "account": self.account}}
        self.server = Server(self.path, {"synapse": os.geteuid()}, verbs)

    async def refused(self, acts: list[dict[str, str]]) -> JsonDict:
        return self._take(acts)

    async def account(self, user: str) -> JsonDict:
        return self._take(user)

    def _take(self, what: Any) -> JsonDict:
        wrong, self.wrong = self.wrong, None
        if wrong is not None:
            raise wrong
        self.taken.append(what)
        return {}


async def test_what_is_delivered_leaves_the_queue(tmp: Path) -> None:
    annuaire = Annuaire(tmp)
    await annuaire.server.start()
    queue = Queue(annuaire.path)
    queue.add_act(ACT)
    queue.add_act(ACT)
    queue.add_account("@c:x")
    await asyncio.to_thread(queue.deliver)
    shape = {"actor": "@a:x", "other": "@b:x", "act": "invite", "reason": "other_unverified"}
    assert annuaire.taken == ["@c:x", [shape]]
    assert len(queue) == 0
    queue.add_act(ACT)
    await asyncio.to_thread(queue.deliver)
    assert annuaire.taken[-1] == [shape], "the same thing, done again later, is told again"
    await annuaire.server.stop()


@pytest.mark.parametrize("wrong", [Temporary("later"), Refused("verb_unknown")])
async def test_what_is_not_taken_stays(tmp: Path, wrong: Exception) -> None:
    annuaire = Annuaire(tmp)
    queue = Queue(annuaire.path)
    queue.add_act(ACT)
    with pytest.raises(ServiceUnavailable):
        await asyncio.to_thread(queue.deliver)
    await annuaire.server.start()
    annuaire.wrong = wrong
    with pytest.raises(type(wrong)):
        await asyncio.to_thread(queue.deliver)
    assert len(queue) == 1
    await asyncio.to_thread(queue.deliver)
    assert len(queue) == 0
    assert len(annuaire.taken) == 1
    await annuaire.server.stop()


async def test_what_is_not_understood_does_not_block_the_rest(tmp: Path) -> None:
    annuaire = Annuaire(tmp)
    await annuaire.server.start()
    annuaire.wrong = BadInput("what?")
    queue = Queue(annuaire.path)
    queue.add_account("@c:x")
    queue.add_act(ACT)
    await asyncio.to_thread(queue.deliver)
    assert len(queue) == 0
    assert len(annuaire.taken) == 1
    await annuaire.server.stop()


def test_a_service_that_says_nothing_is_tried_again(tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "TIMEOUT_S", 0.2)
    queue = Queue(tmp / "annuaire.sock")
    queue.add_act(ACT)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp / "annuaire.sock"))
        deaf.listen()
        with pytest.raises(ServiceUnavailable):
            queue.deliver()
    assert len(queue) == 1


async def test_many_are_sent_in_several_calls_in_order(tmp: Path) -> None:
    annuaire = Annuaire(tmp)
    await annuaire.server.start()
    queue = Queue(annuaire.path)
    for number in range(reports.BATCH * 2 + 1):
        queue.add_act((f"@{number}:x", "", "create_room", "actor_unverified"))
    await asyncio.to_thread(queue.deliver)
    assert [len(batch) for batch in annuaire.taken] == [reports.BATCH, reports.BATCH, 1]
    actors = [act["actor"] for batch in annuaire.taken for act in batch]
    assert actors == [f"@{n}:x" for n in range(reports.BATCH * 2 + 1)]
    await annuaire.server.stop()


def test_one_account_can_not_fill_the_queue(tmp: Path) -> None:
    queue = Queue(tmp / "none")
    for number in range(reports.QUEUE_MAX * 2):
        queue.add_act(("@a:x", f"@{number}:x", "invite", "other_unverified"))
    assert len(queue) == reports.PER_ACTOR_MAX
    queue.add_act(("@b:x", "", "join", "actor_unverified"))
    assert len(queue) == reports.PER_ACTOR_MAX + 1
    for number in range(reports.QUEUE_MAX * 2):
        queue.add_act((f"@{number}:y", "", "join", "actor_unverified"))
        queue.add_account(f"@{number}:y")
    assert len(queue) == reports.QUEUE_MAX * 2
