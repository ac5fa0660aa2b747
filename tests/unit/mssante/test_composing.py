"""What a mail says of the one that left before it."""

from __future__ import annotations

from email import message_from_bytes, policy
from types import SimpleNamespace
from typing import Any, cast

import pytest

from colloque.clock import FrozenClock, to_millis
from colloque.identity import EventId
from colloque.mail.message import Party
from colloque_mssante.leaving.composing import Composer
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line
from colloque_mssante.mapping.targets import Target
from tests.unit.mssante.test_store import ANNE, BOX, ROOM


async def _token(*_: object) -> str:
    return "token"


async def _nothing(*_: object) -> None: ...


@pytest.fixture
def composer(clock: FrozenClock) -> Composer:
    authors = SimpleNamespace(
        name=lambda _user: "Dr A", sender=lambda _user, box: Party("Dr A", box.value), signature=lambda *_: "-- Dr A"
    )
    nothing = cast("Any", None)
    return Composer(
        config=cast("Any", SimpleNamespace(nil="nil", size_limit=10**6, patient_size_limit=10**6)),
        home=nothing,
        authors=cast("Any", authors),
        directory=nothing,
        conversations=cast("Any", SimpleNamespace(of=_nothing)),
        whitelisted=lambda _domain: True,
        scanning=cast("Any", SimpleNamespace(check=_nothing)),
        originals=nothing,
        keys=cast("Any", SimpleNamespace(token=_token)),
        clock=clock,
        secret=b"secret",
    )


@pytest.mark.parametrize(
    ("subject", "titled", "above"),
    [
        (
            "",
            "[Annule et remplace] Dose",
            "Ce message annule et remplace le message du 02/03/2026 à 10:00 ayant pour objet : Dose",
        ),
        (
            "[Correction] Dose",
            "[Correction] Dose",
            "Correction d'un passage du message du 02/03/2026 à 10:00 ayant pour objet : Dose ; le reste est inchangé.",
        ),
    ],
)
async def test_a_replacement_and_a_correction_say_what_they_are(
    composer: Composer, clock: FrozenClock, subject: str, titled: str, above: str
) -> None:
    to = (Party("", "b@cabinet.mssante.test"),)
    target = Target(BOX, to, thread="t", subject="Dose", replaces=to_millis(clock.now()))
    draft = Draft("$d", ROOM, ANNE, states.WAITING, target, subject=subject, next_at=clock.now())
    for html in ("", "<b>cent</b>"):
        send = await composer.compose(draft, [Line(EventId("$1"), "cent", html=html)])
        assert send.raw is not None
        mail = message_from_bytes(send.raw, policy=policy.default)
        assert mail["Subject"] == titled
        words = mail.get_body(("plain",))
        assert words is not None
        assert words.get_content().replace("\r\n", "\n").split("\n\n")[:2] == [above, "cent"]
        rich = mail.get_body(("html",))
        assert (rich is not None and above in rich.get_content().replace("\r\n", "\n")) == bool(html)
