import pytest

from colloque.errors import Inconsistent
from colloque_salles.words import FIRST, SECOND, pick


def test_no_pair_is_given_twice() -> None:
    everything = {f"{a} {b}" for a in FIRST for b in SECOND}
    last = everything.pop()
    assert pick(everything) == last
    with pytest.raises(Inconsistent):
        pick(everything | {last})


def test_words_are_distinct() -> None:
    assert len({*FIRST, *SECOND}) == len(FIRST) + len(SECOND)
