from datetime import timedelta

import pytest

from colloque.commands import COMMANDS, Call, Owner, parse
from colloque.identity import UserId
from colloque_annuaire.commands import Commands, _digits_of, _number_and_choice
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.texts import annuaire as texts


@pytest.mark.parametrize("no", [n for n in No if n is not No.WRONG])
def test_every_refusal_has_words_and_a_next_step(no: No) -> None:
    assert len(texts.refusal(no)) > 30


def test_a_wrong_code_says_what_remains() -> None:
    assert "2 essais" in texts.refusal(No.WRONG, tries_left=2)
    assert "annulé" in texts.refusal(No.WRONG, tries_left=0)


def test_the_code_mail_says_who_asked_and_what_to_do() -> None:
    mail = texts.code_mail("012345", user=UserId("@a:colloque.test"), person=None, life=timedelta(minutes=2))
    assert "@a:colloque.test" in mail
    assert "!code 012345" in mail
    assert "2 minutes" in mail
    assert "Ce n'était pas vous" in mail


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("89900000008",), ("89900000008", None)),
        (("8", "9900", "00000", "8"), ("89900000008", None)),
        (("89900000008", "2"), ("89900000008", 2)),
        (("RPPS", "89900000008", "merci"), ("89900000008", None)),
        (("899",), ("899", None)),
    ],
)
def test_an_rpps_may_be_typed_in_groups(words: tuple[str, ...], expected: tuple[str, int | None]) -> None:
    assert _number_and_choice(words) == expected


@pytest.mark.parametrize(
    "typed",
    ["!code 012345", "! Code 012 345", "!code « 012 345 »", "!code “012-345”.", "!CODE 012345 !", "!code: 01 23 45"],
)
def test_a_code_may_be_typed_in_any_way(typed: str) -> None:
    call = parse(typed)
    assert isinstance(call, Call)
    assert _digits_of(call) == "012345"


def test_no_handler_is_for_a_command_that_does_not_exist() -> None:
    bare = object.__new__(Commands)
    bare._more = {}
    # That none is missing is checked by `Bot`, each time the service starts.
    assert set(bare.table) <= {c.name for c in COMMANDS if c.owner is Owner.ANNUAIRE or c.everyone}
