"""Who may write: raised before anything is refused."""

from __future__ import annotations

from colloque.identity import UserId
from colloque.policy.powers import restore, silence, silence_room

ONE, TWO = UserId("@one:x"), UserId("@two:x")
POWERS = {"events_default": 0, "users": {TWO: 50}, "state_default": 100}


def test_a_room_falls_silent_once() -> None:
    after = silence_room(POWERS)
    assert after == POWERS | {"events_default": 100}
    assert silence_room(after) is None


def test_somebody_falls_silent_and_speaks_again() -> None:
    after = silence(POWERS, [ONE])
    assert after == POWERS | {"users": {TWO: 50, ONE: -1}}
    assert silence(after, [ONE]) is None
    assert restore(after, [ONE]) == POWERS
    assert restore(POWERS, [ONE, TWO]) is None, "other powers are left alone"
    assert silence({}, [ONE]) == {"users": {ONE: -1}}
