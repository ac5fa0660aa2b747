"""Rooms that several servers hold: who is invited beside people, and when a copy may be erased."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.clock import to_millis
from colloque.identity import UserId
from colloque.rooms.elsewhere import (
    HELD,
    NOT_MARKED,
    NOT_YOURS,
    Copy,
    companions,
    may_follow,
    read_copy,
    refusal,
)
from colloque.rooms.mark import HOLD, ROOM_MARK

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
THEIRS, BOT = UserId("@salles:a.test"), UserId("@salles:b.test")
BOTS = {"a.test": THEIRS, "b.test": BOT}


def event(type_: str, sender: str = THEIRS, state_key: str = "", **content: Any) -> dict[str, Any]:
    return {"type": type_, "state_key": state_key, "sender": sender, "content": content}


CREATE, MARK = event("m.room.create"), event(ROOM_MARK, kind="patient")


def users(*names: str) -> list[UserId]:
    return [UserId(f"@{name}") for name in names]


def test_each_other_server_of_these_people_sends_its_own_bot() -> None:
    people = users("x:b.test", "y:b.test", "z:a.test", "w:c.test", "v:unknown.test")
    bots = BOTS | {"c.test": UserId("@salles:c.test")}
    assert companions(people, "a.test", bots.get) == (BOT, "@salles:c.test")
    assert companions(users("x:a.test"), "a.test", bots.get) == ()
    assert companions((), "a.test", bots.get) == ()


@given(st.lists(st.sampled_from(["a.test", "b.test", "c.test"])), st.sampled_from(["a.test", "b.test", "c.test"]))
def test_nobody_is_invited_twice_or_from_here(servers: list[str], here: str) -> None:
    found = companions(users(*(f"u{n}:{server}" for n, server in enumerate(servers))), here, BOTS.get)
    assert list(found) == sorted({BOTS[s] for s in servers if s != here and s in BOTS})


def test_what_a_copy_says_is_read_from_its_state() -> None:
    copy = read_copy(
        [
            CREATE,
            MARK,
            event(HOLD, until=5),
            event("m.room.name", name="Équipe · Pin Merle"),
            event("m.room.avatar", url="mxc://a.test/x"),
            event("m.room.member", state_key="@p:b.test", membership="join"),
        ]
    )
    assert copy == Copy(THEIRS, True, 5, "Équipe · Pin Merle", ("mxc://a.test/x",), {UserId("@p:b.test"): "join"})  # type: ignore[arg-type]
    assert copy.origin == "a.test"


@pytest.mark.parametrize(
    "mark",
    [
        event(ROOM_MARK, sender="@salles:b.test", kind="patient"),
        event(ROOM_MARK, kind="direct"),
        event(ROOM_MARK, state_key="other", kind="patient"),
        event(ROOM_MARK),
    ],
)
def test_only_the_creators_own_mark_counts(mark: dict[str, Any]) -> None:
    copy = read_copy([CREATE, mark])
    assert refusal(copy, "a.test", NOW) == NOT_MARKED
    assert not may_follow(copy, THEIRS, THEIRS)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["type", "state_key", "sender", "content"]),
            st.one_of(
                st.none(), st.integers(), st.text(max_size=5), st.just(ROOM_MARK), st.just("m.room.create"), st.just({})
            ),
        )
    )
)
def test_whatever_another_server_wrote_is_read(events: list[dict[str, Any]]) -> None:
    copy = read_copy(events)
    assert refusal(copy, "a.test", NOW) != ""


def test_a_copy_is_erased_for_the_server_that_made_the_room_alone() -> None:
    copy = read_copy([CREATE, MARK])
    assert refusal(copy, "a.test", NOW) == ""
    assert refusal(copy, "b.test", NOW) == NOT_YOURS
    assert refusal(Copy(), "a.test", NOW) == NOT_YOURS
    assert refusal(read_copy([MARK]), "a.test", NOW) == NOT_YOURS


def test_a_hold_that_stands_here_still_refuses() -> None:
    later = to_millis(NOW) + 1
    assert refusal(read_copy([CREATE, MARK, event(HOLD, until=later)]), "a.test", NOW) == HELD
    assert refusal(read_copy([CREATE, MARK, event(HOLD, until=later - 1)]), "a.test", NOW) == ""
    assert refusal(read_copy([CREATE, MARK, event(HOLD, sender=BOT, until=later)]), "a.test", NOW) == ""
    assert refusal(read_copy([CREATE, MARK, event(HOLD, until="x")]), "a.test", NOW) == ""


def test_our_bot_follows_a_listed_servers_bot_into_what_it_made() -> None:
    copy = read_copy([CREATE, MARK])
    assert may_follow(copy, THEIRS, THEIRS)
    assert not may_follow(copy, THEIRS, None), "not listed"
    assert not may_follow(copy, UserId("@p:a.test"), THEIRS)
    assert not may_follow(read_copy([event("m.room.create", sender="@p:a.test"), MARK]), THEIRS, THEIRS)
