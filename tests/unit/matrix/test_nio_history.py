"""A room's past, page by page, whatever the server or a sender's server says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from colloque.clock import PARIS
from colloque.identity import EventId, RoomId, UserId
from colloque.matrix.nio_history import everything, history
from colloque.matrix.sync_events import incoming, sent_at

ROOM, ME, BOB = RoomId("!room"), UserId("@bot:h.test"), UserId("@bob:h.test")


def message(number: int, at: Any = 1_772_000_000_000) -> dict[str, Any]:
    content = {"msgtype": "m.text", "body": str(number)}
    return {
        "event_id": f"${number}",
        "sender": BOB,
        "origin_server_ts": at,
        "type": "m.room.message",
        "content": content,
    }


class Pages:
    """A server's answers, by the token that they are asked with."""

    def __init__(self, **pages: tuple[list[dict[str, Any]], str | None]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def call(self, _method: str, _path: str, *, query: Mapping[str, str]) -> dict[str, Any]:
        token = query.get("from", "first")
        self.asked.append(token)
        chunk, end = self.pages[token]
        return {"chunk": chunk} | ({} if end is None else {"end": end})


async def read(pages: Pages) -> list[Any]:
    nothing = cast("Any", None)
    async with asyncio.timeout(5):
        return [past async for past in history(cast("Any", pages), nothing, nothing, ROOM, ME)]


async def test_an_empty_page_is_not_the_end() -> None:
    pages = Pages(first=([message(1)], "a"), a=([], "b"), b=([message(2)], None))
    assert [past.event for past in await read(pages)] == ["$1", "$2"]


@pytest.mark.parametrize("again", ["a", "b"])
async def test_a_page_that_was_read_is_the_end(again: str) -> None:
    pages = Pages(first=([message(1)], "a"), a=([], "b"), b=([message(2)], again))
    assert [past.event for past in await read(pages)] == ["$1", "$2"]
    assert pages.asked == ["first", "a", "b"]


@pytest.mark.parametrize("at", [2**53 - 1, -(2**53), 10**400, "soon", None, [], True, 1e300, float("nan")])
async def test_a_time_that_is_none_stops_nothing(at: Any) -> None:
    (past,) = await read(Pages(first=([message(1, at)], None)))
    assert datetime(1970, 1, 1, tzinfo=UTC) <= past.sent_at.astimezone(PARIS)
    assert incoming(ROOM, message(1, at), "m.room.message", {}).sent_at == past.sent_at


def related(number: int, relation: Any, **more: Any) -> dict[str, Any]:
    made = message(number) | more
    return made | {"content": made["content"] | {"m.relates_to": relation}}


async def test_everything_is_read_with_what_it_names_and_shares() -> None:
    answered = {"m.in_reply_to": {"event_id": "$1"}}
    shares = message(1) | {"content": {"file": {"url": "mxc://h.test/one"}}}
    because = {"unsigned": {"redacted_because": {}}}
    state = message(9) | {"state_key": ""}
    pages = Pages(
        first=(
            [
                shares,
                related(2, answered, sender=ME),
                related(3, {"rel_type": "m.thread", "event_id": "$2", **answered}),
                related(4, {"rel_type": "m.replace", "event_id": "$3"}),
                state,
            ],
            "a",
        ),
        a=(
            [
                message(5) | {"content": {}},
                message(6) | because | {"content": {"history_visibility": "invited"}},
                message(7) | {"type": "m.room.redaction", "content": {"redacts": "$1"}},
                *(related(number, odd) for number, odd in enumerate(("x", None, {"event_id": 7}, []), 20)),
                message(30) | {"type": "m.room.encrypted"},
                message(31) | {"type": "m.room.encrypted", "sender": ME},
            ],
            None,
        ),
    )

    class Closed:
        def decrypt_room_event(self, room: RoomId, event: Any) -> None:
            return None

    found = {s.said.event: s async for s in everything(cast("Any", pages), cast("Any", Closed()), ROOM, ME)}
    assert "$9" not in found
    assert found[EventId("$1")].files == ("mxc://h.test/one",)
    names = {event: (s.said.root, s.said.answers) for event, s in found.items()}
    assert names[EventId("$2")] == (None, "$1")
    assert names[EventId("$3")] == ("$2", "$1")
    assert names[EventId("$4")] == (None, "$3")
    assert all(names[EventId(f"${number}")] == (None, None) for number in range(20, 24))
    assert [event for event, s in found.items() if s.withdrawn] == ["$5", "$6", "$7"]
    assert [event for event, s in found.items() if not s.readable] == ["$30"], "our own share nothing"


def test_a_good_time_is_kept() -> None:
    assert sent_at(1_772_000_000_000) == datetime(2026, 2, 25, 6, 13, 20, tzinfo=UTC)
