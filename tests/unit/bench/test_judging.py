"""The benches' arithmetic: a verdict only when the whole interval allows it."""

from __future__ import annotations

import os
import random

import pytest

from tests.bench.paired import compare, cpu_seconds
from tests.bench.result import Goal, result


@pytest.mark.parametrize(
    ("low", "high", "met"),
    [(0.9, 1.0, True), (1.0, 1.1, True), (1.0, 1.2, "undecided"), (1.11, 1.2, False)],
)
def test_a_goal_is_met_or_missed_only_by_the_whole_interval(low: float, high: float, met: object) -> None:
    assert Goal(1.1).judge(low, high) == met


def test_the_ratio_is_that_of_the_sums_and_lies_in_its_interval() -> None:
    noise = random.Random(1)
    pairs = [(2.0 + noise.gauss(0, 0.1), 1.0 + noise.gauss(0, 0.05)) for _ in range(30)]
    found = compare(pairs, operations=50)
    assert found.low < 2.0 < found.high
    assert found.high - found.low < 0.15
    assert found.ratio == pytest.approx(found.ours_ms / found.peer_ms)
    assert compare(pairs, operations=50) == found


def test_drift_common_to_both_arms_does_not_count() -> None:
    pairs = [(1.1 * (1 + turn), 1.0 * (1 + turn)) for turn in range(20)]
    found = compare(pairs, operations=1)
    assert (found.low, found.high) == pytest.approx((1.1, 1.1))


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        compare([(1.0, 1.0)] * 4, operations=1)


def test_processor_time_is_counted() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.05:
        sum(range(10_000))


def test_a_result_names_the_command_that_repeats_it() -> None:
    line = result("bot-send", 1.02345, "ratio", Goal(1.1), peer="raw", interval=(1.0, 1.2)).as_json()
    assert line["command"] == "make bench ONLY=bot-send"
    assert (line["value"], line["goal"], line["met"]) == (1.023, "<= 1.1", "undecided")
