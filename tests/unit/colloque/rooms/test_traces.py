"""A room's identifiers are found wherever they stand in a text, and nothing that only looks like one."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.rooms.traces import Traces

ROOM = "!hYqVSXkCkQmKzWlAbc:h.test"
NEW_ROOM = "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"
EVENT = "$acR1l0raoZnm60CBwAVgqbZqoU-mYU81xysh1u7XcJ_"
OLD_EVENT = "$acR1l0raoZnm60CBwAVgqbZqoU/mYU81xysh1u7XcJk"
FILE = "mxc://h.test/UwBnWhnYkCpRsXyZabcdefgh"
ALIAS = "#salon:h.test"
ALL = (ROOM, NEW_ROOM, EVENT, OLD_EVENT, FILE, ALIAS)


@pytest.mark.parametrize("identifier", ALL)
def test_found_wherever_it_stands(identifier: str) -> None:
    traces = Traces({"!r:h.test": [identifier], "!other:h.test": []})
    part = identifier.rpartition("/")[2] if identifier == FILE else identifier
    for text in (
        part,
        json.dumps({"body": {"room_id": part, "x": [f"a\n{part}"]}}),
        f"{{{part},x}}",
        f"https://matrix.to/#/{part}?via=h.test",
        f"seen {part} and {part}",
        f"\x00{part}\x00",
    ):
        assert traces.rooms_in(text) == {"!r:h.test"}, text


@pytest.mark.parametrize("identifier", [ROOM, NEW_ROOM, EVENT, FILE])
def test_found_in_addresses(identifier: str) -> None:
    assert Traces({"!r": [identifier]}).rooms_in(f"https://h.test/x/{quote(identifier, safe='')}") == {"!r"}


def test_the_room_itself_is_looked_for() -> None:
    assert Traces({ROOM: []}).rooms_in(f'["{ROOM}"]') == {ROOM}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ROOM[1:-8],
        ROOM.replace("hYq", "hYQ"),
        EVENT + "x",
        "x" + EVENT[1:],
        "#salon:h.test.example",
        "#salon:h.testing",
        "#autre-salon",
        FILE[:-1],
    ],
)
def test_what_looks_like_one_is_not(text: str) -> None:
    assert Traces({"!r:h.test": ALL}).rooms_in(text) == set()


def test_several_rooms_in_one_text() -> None:
    traces = Traces({"!a": [EVENT], "!b": [FILE], "!c": [ALIAS]})
    assert traces.rooms_in(f"{EVENT} {FILE} {ALIAS}") == {"!a", "!b", "!c"}


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from([ROOM, OLD_EVENT, ALIAS]))
def test_any_text_around_it(before: str, after: str, identifier: str) -> None:
    ends = after[:1].isascii() and (after[:1].isalnum() or after[:1] in {"_", "-", ".", ":", "%"})
    begins = before[-1:].isascii() and (before[-1:].isalnum() or before[-1:] in {"_", "-", "%"})
    if not ends and not begins:
        assert Traces({"!r": [identifier]}).rooms_in(before + identifier + after) == {"!r"}
