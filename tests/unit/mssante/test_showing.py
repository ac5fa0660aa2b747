"""What is shown of a draft, and what numbers and taps mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from colloque.identity import EventId, MssanteAddress, RoomId, UserId
from colloque.mail.message import Party
from colloque.taps import is_sign, looks_like_number
from colloque_mssante.mapping import drafts as states
from colloque_mssante.mapping.drafts import Draft, Line, Option
from colloque_mssante.mapping.showing import chosen, notice, signs
from colloque_mssante.mapping.targets import Target
from colloque_mssante.mapping.threads import Thread
from colloque_mssante.texts import writing as texts

AT = datetime(2026, 3, 2, 13, 32, tzinfo=UTC)
BOX = MssanteAddress("a@medecin.mssante.test")
TARGET = Target(BOX, (Party("Dr B", "b@cabinet.mssante.test"),), thread="t", subject="Re: Avis")
DRAFT = Draft("$d", RoomId("!r"), UserId("@a:h.test"), states.WAITING, TARGET, next_at=AT)
LINES = [Line(EventId("$1"), "un"), Line(EventId("$2"), "", {"file": {}})]
THREAD = Thread("t", RoomId("!r"), 3, "Avis", EventId("$root"), AT)


def test_a_draft_says_when_from_where_and_to_whom_it_leaves() -> None:
    assert notice(DRAFT, LINES, THREAD, "Dr A").split("\n") == [
        "✉️ Partira à 14:32",
        "De : a@medecin.mssante.test",
        "À : Dr B <b@cabinet.mssante.test>",
        "fil 3 · Avis · 2 messages, 1 pièce jointe",
        "✅ envoie maintenant, ❌ annule.",
    ]


def test_a_new_mail_says_its_subject() -> None:
    new = replace(DRAFT, target=replace(TARGET, thread="", subject=""))
    assert "Objet : Message de Dr A" in notice(new, LINES, None, "Dr A")
    assert "Objet : Autre" in notice(replace(new, subject="Autre"), LINES, None, "Dr A")


def test_a_question_lists_its_options() -> None:
    asking = replace(DRAFT, state=states.ASKING, target=None, options=(Option("fil 1"), Option("nouveau message")))
    words = notice(asking, LINES, None, "")
    assert words.startswith("❓ Rien n'est parti")
    assert "1. fil 1\n2. nouveau message" in words
    assert signs(asking) == ("1️⃣", "2️⃣", "❌")


def test_everybody_is_listed_before_an_answer_to_all() -> None:
    both = (Party("Dr B", "b@cabinet.mssante.test"), Party("", "c@medecin.mssante.test"))
    all_ = replace(TARGET, to=both, everyone=True, left_out=("x@exemple.test",))
    for state in (states.OPEN, states.CONFIRMING):
        words = notice(replace(DRAFT, state=state, target=all_), LINES, THREAD, "")
        assert "• Dr B <b@cabinet.mssante.test>\n• c@medecin.mssante.test" in words
        assert "laissés de côté : x@exemple.test" in words


def test_its_writer_is_reminded_that_a_patient_reads() -> None:
    patient = replace(TARGET, to=(Party("", "279035121518989@patient.mssante.test"),))
    for state in (states.OPEN, states.WAITING):
        assert texts.PATIENT_READS in notice(replace(DRAFT, state=state, target=patient), LINES, None, "Dr A")
        last = replace(patient, last=True)
        assert texts.PATIENT_LAST in notice(replace(DRAFT, state=state, target=last), LINES, None, "Dr A")
        assert "🧑" not in notice(replace(DRAFT, state=state, target=TARGET), LINES, None, "Dr A")


@pytest.mark.parametrize("said", ["2", " 2. ", "2️⃣", "2\u20e3"])
def test_a_number_chooses(said: str) -> None:
    asking = replace(DRAFT, options=(Option("a"), Option("b")))
    assert looks_like_number(said)
    option = chosen(asking, said)
    assert option is not None
    assert option.label == "b"


@pytest.mark.parametrize("said", ["0", "3", "-1", "deux", "", "12", "2 comprimés", "¹", "٢"])
def test_nothing_else_chooses(said: str) -> None:
    assert chosen(replace(DRAFT, options=(Option("a"), Option("b"))), said) is None


def test_signs_are_the_same_with_or_without_a_variation_selector() -> None:
    assert is_sign("✅\ufe0f", "✅")
    assert is_sign("👥", "👥\ufe0f")
    assert not is_sign("👍", "✅")


def test_a_correction_shows_what_would_leave_and_no_more_than_fits() -> None:
    corrects = replace(
        DRAFT, state=states.CONFIRMING, target=replace(TARGET, replaces=1), subject="[Correction] Re: Avis"
    )
    assert corrects.corrects
    shown = notice(corrects, [Line(EventId("$1"), "x" * 2_000)], THREAD, "Dr A")
    assert (shown.split("\n")[2], shown.split("\n")[4]) == ("Objet : [Correction] Re: Avis", "x" * 1_000 + " […]")
    whole = replace(corrects, subject="")
    assert not whole.corrects
    assert texts.REPLACES in notice(whole, LINES, THREAD, "Dr A")
