"""The rooms' soak: its own arithmetic, and that every boundary names a method that @salles has."""

from __future__ import annotations

import pytest

from tests.soak.rooms_count import Found
from tests.soak.rooms_plan import KILLS_A_BATCH, ROOMS_A_BATCH, End, Way, rooms_batches
from tests.soak.rooms_steps import ROOM_STEPS

VICTIMS = ("salles", "synapse")


@pytest.mark.parametrize("name", ROOM_STEPS)
def test_a_boundary_lies_at_a_method_that_is_there(name: str) -> None:
    assert callable(getattr(ROOM_STEPS[name].owner, ROOM_STEPS[name].method))


def test_batches_hold_all_kills_and_are_drawn_by_their_seed() -> None:
    whole = rooms_batches(7, kills=24, victims=VICTIMS, people=3)
    assert [len(b.kills) for b in whole] == [KILLS_A_BATCH, KILLS_A_BATCH, 4]
    assert rooms_batches(7, kills=24, victims=VICTIMS, people=3) == whole
    assert rooms_batches(8, kills=24, victims=VICTIMS, people=3) != whole
    assert len({s.key for b in whole for s in b.stories}) == 3 * ROOMS_A_BATCH


def test_every_batch_has_every_way_to_end_and_to_keep() -> None:
    for batch in rooms_batches(1, kills=100, victims=VICTIMS, people=3):
        assert {story.end for story in batch.stories} == set(End)
        assert {story.way for story in batch.stories} == set(Way)
        assert all(story.end is End.EXPIRY for story in batch.stories if story.way is Way.SILENT)


def test_too_few_are_lost_and_too_many_doubled() -> None:
    found = Found()
    for count in (0, 1, 2):
        found.exactly(count, 1, f"room{count}", "receipts")
    assert (list(found.lost), list(found.doubled)) == (["room0"], ["room2"])
