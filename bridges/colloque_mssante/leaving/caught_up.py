"""Whatever is due leaves only once all was heard that its writer had done by then: they may have taken it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from colloque.clock import monotonic
from colloque.identity import RoomId

K = TypeVar("K", bound=str)


class CaughtUp:
    """`has_heard(room, moment)`: everything that the homeserver had of a room at that moment was handled."""

    def __init__(self, has_heard: Callable[[RoomId, float], bool]) -> None:
        self._has_heard = has_heard
        self._since: dict[str, float] = {}

    def of(self, due: Mapping[K, RoomId]) -> list[K]:
        """Which of these keys may go on: of all that is due now, in its order, those whose room was heard since."""
        now = monotonic()
        self._since = {key: self._since.get(key, now) for key in due}
        return [key for key, room in due.items() if self._has_heard(room, self._since[key])]
