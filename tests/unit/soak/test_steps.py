"""Every boundary names a method that the bridge has; a watched one counts the calls that it is meant to count."""

from __future__ import annotations

import inspect

import pytest

from tests.soak.steps import STEPS, Step, _watched


@pytest.mark.parametrize("name", STEPS)
def test_a_boundary_lies_at_a_method_that_is_there(name: str) -> None:
    assert callable(getattr(STEPS[name].owner, STEPS[name].method))


async def test_a_boundary_lies_before_or_behind_the_call_and_only_at_the_calls_meant() -> None:
    told: list[str] = []

    async def work(what: str) -> str:
        told.append(what)
        return what

    for before, expected in ((True, ["here", "a", "b"]), (False, ["a", "here", "b"])):
        told.clear()
        step = Step(object(), "work", before=before, only=lambda what: what == "a")
        watched = _watched(work, step, lambda: told.append("here"))
        assert inspect.iscoroutinefunction(watched)
        assert [await watched("a"), await watched("b")] == ["a", "b"]
        assert told == expected


def test_a_boundary_at_a_plain_call() -> None:
    told: list[int] = []
    assert _watched(len, Step(object(), "len"), lambda: told.append(1))([1, 2]) == 2
    assert told == [1]
