"""What is said of vouching: who is meant, what to do, nobody's name in a first line, nothing of health in a mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colloque.attestation import Attestation, Method
from colloque.directory.lookup import Age
from colloque.identity import UserId
from colloque.policy.vouching import MOST, NoVouch
from colloque_annuaire.texts import finding as texts_finding
from colloque_annuaire.texts import vouching as texts
from tests.servers.annuaire import MADE_AT, activity, doctor

ACCOUNT = UserId("@anne.martin:h.test")
ANNE = doctor(1, "MARTIN", "Anne", activity("NANCY", "CHRU DE NANCY"), mail=("anne@medecin.mssante.test",))
UNTIL = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
SAID = {
    "claimed": texts.claimed(ACCOUNT, missing=2, mailbox=True),
    "claimed, no mailbox": texts.claimed(ACCOUNT, missing=1, mailbox=False),
    "missing again": texts.missing_again(ACCOUNT, 1),
    "claim over": texts.CLAIM_OVER,
    "confirm": texts.confirm(ACCOUNT, ANNE),
    "confirm introduction": texts.confirm_introduction(ANNE),
    "noted": texts.noted(1),
    "noted, last": texts.noted(0),
    "vouched": texts.vouched(ANNE.display_name, UNTIL),
    "in doubt": texts.IN_DOUBT,
    "who": texts.WHO,
    "no claim": texts.NO_CLAIM,
    "not listed": texts.NOT_LISTED,
    "too many": texts.TOO_MANY,
}


@pytest.mark.parametrize("name", SAID)
def test_the_first_line_names_nobody_and_another_says_more(name: str) -> None:
    first, rest = SAID[name].split("\n", 1)
    for word in ("MARTIN", "Anne", "NANCY", ACCOUNT, str(ANNE.rpps)):
        assert word not in first
    assert rest
    assert "{" not in first + rest


@pytest.mark.parametrize("why", NoVouch)
def test_every_refusal_says_why_and_what_to_do(why: NoVouch) -> None:
    first, second = texts.may_not(why).split("\n")
    assert first.endswith(".")
    assert second.endswith(".")
    assert (str(MOST) in first) == (why is NoVouch.TOO_MANY)


def test_the_claimants_own_account_is_shown_to_copy() -> None:
    for missing, who in ((2, "deux confrères"), (1, "encore un confrère")):
        for said in (texts.claimed(ACCOUNT, missing=missing, mailbox=False), texts.missing_again(ACCOUNT, missing)):
            assert f"!garant {ACCOUNT}" in said.split("\n")
            assert who in said.split("\n")[0]
    assert "7 jours" in SAID["claimed"]
    assert "boîte MSSanté" in SAID["claimed"]


def test_colleagues_read_who_the_directory_says_that_it_is() -> None:
    lines = SAID["confirm"].split("\n")
    for line in (ANNE.full_name, "Médecin, Cardiologie", "NANCY", f"RPPS {ANNE.rpps}", f"Compte : {ACCOUNT}"):
        assert line in lines
    assert "oui" in SAID["confirm"]
    assert "Votre nom sera lié" in SAID["confirm"]


def test_nobody_reads_whose_word_was_withdrawn() -> None:
    assert "accès" not in SAID["missing again"]
    assert "accès" not in SAID["claim over"]


def test_dates_are_those_of_paris() -> None:
    assert "02/06/2026" in SAID["vouched"]


def test_the_mail_says_which_account_and_what_to_do_and_nothing_else() -> None:
    mail = texts.claim_mail(ACCOUNT, ANNE)
    assert ACCOUNT in mail
    assert "Ce n'est pas vous ?" in mail
    assert "administrateur" in mail
    assert "http" not in mail
    for word in ("MARTIN", ACCOUNT, "patient"):
        assert word not in texts.CLAIM_SUBJECT
    assert "patient" not in mail


def test_others_see_until_when_and_on_whose_word() -> None:
    held = Attestation(ACCOUNT, ANNE.number, ANNE.display_name, Method.VOUCHED, MADE_AT, MADE_AT + timedelta(days=90))
    names = ["Dr Paul PETIT", "Dr Zoé ROUX"]
    said = texts_finding.identity(
        person=ANNE, held=held, valid=True, made_at=MADE_AT, age=Age.FRESH, vouchers=names
    ).split("\n")
    assert "Garants : Dr Paul PETIT ; Dr Zoé ROUX." in said
    [proved] = [line for line in said if "sur la parole de deux confrères" in line]
    assert "jusqu'au 31/05/2026" in proved
