"""The soak's own arithmetic."""

from __future__ import annotations

from pathlib import Path

from tests.soak.ledger import Ledger, judge
from tests.soak.plan import BRIDGE, BURST, BURST_S, Kind, batches, make_batch

VICTIMS = ("synapse", "mssante")


def test_a_seed_makes_the_same_batch_again_and_another_seed_another() -> None:
    first = make_batch(7, 2, kills=3, victims=VICTIMS, people=2)
    assert make_batch(7, 2, kills=3, victims=VICTIMS, people=2) == first
    assert make_batch(8, 2, kills=3, victims=VICTIMS, people=2) != first


def test_batches_hold_all_kills_and_a_later_start_changes_none() -> None:
    whole = batches(7, kills=8, victims=VICTIMS, people=2)
    assert [len(b.kills) for b in whole] == [3, 3, 2]
    assert batches(7, kills=8, victims=VICTIMS, people=2, begin=1) == whole[1:]
    assert len({a.key for b in whole for a in b.acts}) == sum(len(b.acts) for b in whole)


def test_every_kill_strikes_while_several_acts_are_under_way() -> None:
    for batch in batches(1, kills=60, victims=VICTIMS, people=1):
        for kill in batch.kills:
            assert sum(0 <= kill.at_s - act.at_s <= BURST_S for act in batch.acts) >= BURST


def test_every_batch_opens_one_room() -> None:
    for batch in batches(1, kills=60, victims=VICTIMS, people=2):
        assert [act.kind for act in batch.acts].count(Kind.ROOM) == 1


def test_the_bridge_is_killed_at_its_own_rhythm() -> None:
    whole = batches(3, kills=25, victims=VICTIMS, people=2, rhythm=BRIDGE)
    assert [len(b.kills) for b in whole] == [10, 10, 5]
    assert {act.kind for b in whole for act in b.acts} == set(BRIDGE.kinds)
    assert batches(3, kills=25, victims=VICTIMS, people=2, begin=2, rhythm=BRIDGE) == whole[2:]


def test_no_key_is_the_beginning_of_another() -> None:
    keys = [a.key for b in batches(1, kills=30, victims=VICTIMS, people=1) for a in b.acts]
    assert not [(a, b) for a in keys for b in keys if a != b and a in b]


def test_what_shows_once_is_well_and_all_else_is_told() -> None:
    verdict = judge(0, 3, ["a", "b", "c", "d", "e"], {"a": 1, "b": 2, "e": 1, "stranger": 9}, ["d", "e"])
    assert (verdict.lost, verdict.doubled, verdict.in_doubt) == (["c"], ["b"], ["d", "e"])


def test_an_unfinished_run_goes_on_and_a_finished_one_does_not(tmp_path: Path) -> None:
    file, plan = tmp_path / "soak" / "house.json", {"kills": 6, "seed": 1}
    ledger = Ledger.open(file, plan)
    ledger.add(judge(0, 3, ["a", "b"], {"a": 1}, []))
    again = Ledger.open(file, plan)
    assert again.verdicts == ledger.verdicts
    again.add(judge(1, 3, ["c"], {"c": 2}, []))
    assert again.totals() == {"kills": 6, "acts": 3, "lost": 1, "doubled": 1, "in_doubt": 0}
    assert Ledger.open(file, {"kills": 9, "seed": 1}).verdicts == []
    again.close()
    assert Ledger.open(file, plan).verdicts == []
