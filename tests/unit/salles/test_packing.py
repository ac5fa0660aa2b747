"""What goes into which mail, by value and by property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from colloque.mail.compose import encoded_size
from colloque.rooms.archive import FileNote, Line, What
from colloque_salles.rules.packing import Item, files_of, item_of, pack
from tests.servers.salles_library import NOON, shared
from tests.servers.salles_server import BOB

LIMIT = 150_000


def item(size: int, number: int = 0, url: str = "") -> Item:
    return Item(f"f{number}", "image/png", size, {"url": url or f"mxc://h.test/{number}"})


def test_a_mail_is_filled_in_the_order_of_what_was_said() -> None:
    first, second, third = item(40_000, 1), item(30_000, 2), item(10, 3)
    assert pack([first, second, third], LIMIT) == ([[first], [second, third]], [])


def test_what_fits_in_none_is_left_and_holds_nothing_back() -> None:
    small, big = item(10, 1), item(70_000, 2)
    assert pack([big, small], LIMIT) == ([[small]], [big])


def test_a_file_that_is_described_at_endless_length_is_left() -> None:
    odd = item(10, 1, url="mxc://h.test/" + "x" * 5_000)
    assert pack([odd], LIMIT) == ([], [odd])


@given(st.lists(st.integers(0, 120_000), max_size=300))
def test_nothing_is_lost_and_no_mail_is_too_big(sizes: list[int]) -> None:
    items = [item(size, number) for number, size in enumerate(sizes)]
    mails, left = pack(items, LIMIT)
    assert sorted(each.name for mail in [*mails, left] for each in mail) == sorted(each.name for each in items)
    assert all(mail and sum(encoded_size(each.size) for each in mail) <= LIMIT for mail in mails)
    assert [each for mail in mails for each in mail] == [each for each in items if each not in left]


def test_files_of_a_conversation_once_each_and_those_unread() -> None:
    content = shared("photo.png", "mxc://h.test/1", 5).content or {}
    read = FileNote("photo.png", 7, content, digest="ab")
    lost = FileNote("perdu.png", 5, content)
    lines = [Line(shared("", "", 0).event, BOB, NOON, What.FILE, file=note) for note in (read, read, lost)]
    assert files_of(lines) == ([item_of(content, 7)], ["perdu.png"])


def test_a_clients_odd_content_has_a_name_and_a_kind() -> None:
    odd = item_of({"body": "n" * 999, "info": {"mimetype": 7}, "file": {}}, 3)
    assert (len(odd.name), odd.mime, odd.size) == (200, "application/octet-stream", 3)
    assert item_of({"info": [], "file": {}}, 0).name == ""
    odd = item_of({"filename": ["a"], "body": "b\ud800\n.png", "info": {"mimetype": "a\udfff/b"}, "file": {}}, 0)
    assert (odd.name, odd.mime) == ("b .png", "a/b")


def test_of_what_describes_a_file_only_what_opens_it_is_kept() -> None:
    content = shared("photo.png", "mxc://h.test/1", 5).content or {}
    more = {"v": "v2", "\ud800": [{}], "key": content["file"]["key"] | {"alg": "\udfff"}}
    assert item_of(content | {"file": content["file"] | more}, 7) == item_of(content, 7)
    assert item_of(content, 7).file == content["file"]
    ours = item_of(content | {"file": content["file"] | {"v": "v2"}}, 7, ours=True)
    assert ours.file["v"] == "v2", "clients open it, and want all of it"
