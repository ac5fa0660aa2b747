"""Re-verification dies before each of its steps in turn: all is done once, and told once."""

from __future__ import annotations

import pytest

from colloque.audit import Phase
from colloque.policy.presence import State
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.people import People
from colloque_annuaire.store.presence import Presences
from tests.extracts import person
from tests.servers.killing import dies, killed_after
from tests.servers.verification import House, Server, a_house, user  # noqa: F401 - a fixture

STEPS = [
    (Journal, "begin"), (Journal, "end"), (Presences, "put"), (Endings, "begin"), (Presences, "rename"),
    (Presences, "told"), (Presences, "set_verified"), (Publication, "snapshot"), (People, "name_set"),
    (Server, "set_display_name"), (Server, "send"), (Incidents, "open"), (Incidents, "close"),
]  # fmt: skip
"""Everything by which a look leaves a trace."""


ALL = 43
"""How many of them there are in the test's one look."""


@pytest.mark.parametrize("survived", range(ALL + 1))
async def test_killed_at_any_line_all_is_done_once(
    house: House, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People go missing, end, come back and get new names by one import; the process dies before some step."""
    house.grace_days = 2
    await house.restart()
    await house.day(without=(1, 2))
    await house.day(without=(1, 2, 9))
    house.rows[5], house.rows[6] = person(5, town="METZ"), person(6, town="METZ")
    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(lambda: house.day(without=(1, 3, 4)))
        assert killed == (survived < ALL)
        assert killed or left() == 0, "every step was tried"
    await house.restart()
    await house.verification.run_once()
    await house.verification.run_once()
    states = {n: await house.state(n) for n in (1, 2, 3, 4, 9)}
    assert states == {1: State.GONE, 2: State.PRESENT, 3: State.MISSING, 4: State.MISSING, 9: State.PRESENT}
    snapshot = house.snapshot()
    assert not snapshot[user(1)].is_valid(house.clock.now())
    assert [snapshot[user(n)].name for n in (5, 6)] == [f"Dr Hélène NOM{n} · médecin · METZ" for n in (5, 6)]
    assert set(house.server.names) == {user(5), user(6)}
    assert {n: len(house.server.told(n)) for n in (1, 2, 3, 4, 9)} == {1: 2, 2: 2, 3: 1, 4: 1, 9: 2}
    assert house.journal.open_intents() == ()
    for kind, times in (("person.end", 1), ("person.rename", 2), ("person.back", 2), ("person.missing", 5)):
        assert house.acts(kind).count((Phase.RESULT.value, "done")) == times, kind
