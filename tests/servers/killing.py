"""A hand that kills the process under test before any one of its steps, as `kill -9` does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest


class Killed(BaseException):
    """kill -9: nothing after this line runs."""


@contextmanager
def killed_after(
    steps: Sequence[tuple[object, str]], survived: int, patch: pytest.MonkeyPatch
) -> Iterator[Callable[[], int]]:
    """Within, the process dies before the step after `survived` ones; yields how many steps it could still take."""
    left = survived

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*args, **kwargs)

        return step

    with patch.context() as inner:
        for owner, name in steps:
            inner.setattr(owner, name, dying(getattr(owner, name)))
        yield lambda: left


async def dies(act: Callable[[], Awaitable[object]]) -> bool:
    """Whether it was killed."""
    try:
        await act()
    except Killed:
        return True
    return False
