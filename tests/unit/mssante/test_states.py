"""What rooms show of mails on their way out."""

from __future__ import annotations

from collections.abc import Callable

from colloque.mail.message import Report
from colloque_mssante.texts import mails as texts
from tests.unit.mssante.test_sender import Desk, desk
from tests.unit.mssante.test_store import BOX

__all__ = ["desk"]


async def test_what_could_not_be_told_is_told_later(desk: Desk) -> None:
    await desk.attempt()
    desk.room.away = True
    assert await desk.tell() == []
    desk.room.away = False
    assert await desk.tell() == [("m.reaction", texts.SENT)]


async def test_every_state_is_told_under_a_transaction_of_its_own(desk: Desk) -> None:
    await desk.attempt()
    await desk.tell()
    for kind in ("delivered", "read"):
        await desk.outbox.report(Report(kind, "eevent", None, None, ""), BOX)  # type: ignore[arg-type]
        await desk.tell()
    assert [words for _, words in desk.room.said] == [texts.SENT, texts.DELIVERED, texts.READ]
    assert len(set(desk.room.txns)) == 3


def test_the_reason_is_found_by_class_where_the_code_is_unknown() -> None:
    words: Callable[[str], str] = texts.refused
    assert "code 4.9.9" in words("4.9.9")
    assert "l'opérateur l'a refusé" in words("")
