"""In which order servers are tried."""

from __future__ import annotations

import random
from collections import Counter

from colloque.mail.srv import SrvRecord, in_order


def names(*records: SrvRecord, seed: int = 1) -> str:
    draw = random.Random(seed)
    return "".join(record.target for record in in_order(records, lambda most: draw.randint(0, most)))


def test_the_lower_priority_comes_first() -> None:
    late, soon = SrvRecord(20, 9000, 143, "late"), SrvRecord(10, 0, 143, "soon")
    assert {names(late, soon, seed=seed) for seed in range(50)} == {"soonlate"}


def test_the_heavier_comes_first_more_often_and_nobody_is_left_out() -> None:
    heavy, light, none = (SrvRecord(10, w, 143, n) for w, n in ((75, "h"), (25, "l"), (0, "n")))
    found = Counter(names(heavy, light, none, seed=seed) for seed in range(4000))
    assert all(sorted(order) == ["h", "l", "n"] for order in found)
    first = Counter(order[0] for order in found.elements())
    assert 0.70 < first["h"] / 4000 < 0.80
    assert 0 < first["n"] / 4000 < 0.05, "a weight of 0 is a small chance, not none"


def test_equals_without_weight_and_a_service_that_is_not_there() -> None:
    assert {*names(SrvRecord(0, 0, 1, "a"), SrvRecord(0, 0, 1, "b"))} == {"a", "b"}
    assert names(SrvRecord(0, 0, 0, "")) == ""
    assert names() == ""
