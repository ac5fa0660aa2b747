"""When something that failed may be tried again: later and later. In memory: after a restart it is tried at once."""

from __future__ import annotations

from colloque.clock import monotonic


class Pace:
    """One failing thing holds up no other: each has its own pause."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._waits: dict[str, tuple[float, float]] = {}

    def ready(self, what: str) -> bool:
        """True when it is time."""
        return self._waits.get(what, (0.0, 0.0))[1] <= monotonic()

    def failed(self, what: str, asked_s: float | None = None) -> None:
        """It did not work; the other side may have said for how long not to ask."""
        last = self._waits.get(what, (self._first_s / 2, 0.0))[0]
        wait = min(max(last * 2, asked_s or 0.0), self._most_s)
        self._waits[what] = (wait, monotonic() + wait)

    def worked(self, what: str) -> None:
        """It did."""
        self._waits.pop(what, None)
