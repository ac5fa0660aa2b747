"""The table of commands and the forgiving parser."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.commands import COMMANDS, Call, Command, Owner, Right, Unknown, commands_for, fold, parse
from colloque.rooms.mark import RoomKind

NAMES = [(name, command) for command in COMMANDS for name in (command.name, *command.aliases)]


def understood(text: str) -> Call:
    call = parse(text)
    assert isinstance(call, Call), text
    return call


def test_no_two_commands_share_a_name() -> None:
    keys = [fold(name).replace(" ", "") for name, _ in NAMES]
    assert len(keys) == len(set(keys))


def test_rooms_in_the_table_are_kinds_of_rooms() -> None:
    assert {room for c in COMMANDS for room in c.rooms} <= {kind.value for kind in RoomKind}


def test_every_usage_is_understood_as_its_own_command() -> None:
    for command in COMMANDS:
        assert understood(command.usage).command is command


@pytest.mark.parametrize(("name", "command"), NAMES)
def test_each_name_and_alias_is_found(name: str, command: Command) -> None:
    assert understood(f"!{name}") == Call(command, (), "")


LEADS = ["!", "! ", "!!", "！", "!\u00a0", "\u202f! ", " !", "\u200b!", "`!", "**!", "« !", "\\!", "\n!", "!\t"]
GAPS = [" ", "  ", "\u00a0", "\u202f", "\u3000", "-", "_", "\u2009", "–", "\u200b "]
TAILS = ["", " ", ".", " !", "…", "?", "`", "\n", " .", "\u200b", " ,"]


def disguised(data: st.DataObject, name: str) -> str:
    """The same name as another hand and another phone would write it."""
    cased = "".join(data.draw(st.sampled_from([char.lower(), char.upper()])) for char in name)
    accented = cased.replace("a", data.draw(st.sampled_from(["a", "à", "â"])))
    accented = accented.replace("e", data.draw(st.sampled_from(["e", "é", "É"])))
    form = data.draw(st.sampled_from(["NFC", "NFD"]))
    return unicodedata.normalize(form, accented.replace(" ", data.draw(st.sampled_from(GAPS))))


@given(st.data())
def test_case_accents_spaces_and_typography_never_change_the_parse(data: st.DataObject) -> None:
    name, command = data.draw(st.sampled_from(NAMES))
    text = data.draw(st.sampled_from(LEADS)) + disguised(data, name) + data.draw(st.sampled_from(TAILS))
    assert understood(text) == Call(command, (), "")


@given(st.data())
def test_arguments_come_through_any_disguise(data: st.DataObject) -> None:
    name, command = data.draw(st.sampled_from(NAMES))
    lead, gap = data.draw(st.sampled_from(LEADS)), data.draw(st.sampled_from([" ", "\u00a0", "\u202f", " : ", "\n"]))
    call = understood(f"{lead}{disguised(data, name)}{gap}Élodie 10\u00a0003{data.draw(st.sampled_from(TAILS))}")
    assert (call.command, call.words) == (command, ("Élodie", "10", "003"))


@given(st.text())
def test_nothing_anybody_types_raises(text: str) -> None:
    parse(text)
    found = parse("!" + text)
    assert isinstance(found, Call | Unknown)
    assert isinstance(found, Call) or len(found.typed) <= 40


@given(st.text(alphabet="!aidepatnouvrs `'\"«’-\u200b\u0301\n123É"))
def test_nothing_close_to_a_command_raises(text: str) -> None:
    parse(text)


@pytest.mark.parametrize("text", ["", "bonjour", "aide", "Bonjour ! aide", "Quoi ?!", "\u200b", "` `"])
def test_what_does_not_begin_with_a_bang_is_no_command(text: str) -> None:
    assert parse(text) is None


def test_the_longest_name_wins() -> None:
    assert understood("!patient ouvrir").command.name == "patient ouvrir"
    assert understood("!patients").command.name == "patients"
    assert understood("!patientouvrir").command.name == "patient ouvrir"
    assert understood("!aide patient").words == ("patient",)


def test_the_rest_keeps_case_and_accents_with_plain_typography() -> None:
    call = understood("!Patient Ouvrir « Zoé » — l’Équipe, -- Jean–Luc")
    assert call.rest == '"Zoé" - l\'Équipe, -- Jean-Luc'
    assert call.words == ("Zoé", "l'Équipe", "Jean-Luc")


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("!chercher dr O’Neil", "chercher", "dr O'Neil"),
        ("! Chercher  kiné  metz", "chercher", "kiné  metz"),
        ("!Recherche", None, ""),
        ("!chercher : cardiologue, Nancy.", "chercher", "cardiologue, Nancy."),
        ("！search\u00a0Périer", "chercher", "Périer"),
        ("!find périer", "chercher", "périer"),
        ("!SUITE…", "suite", ""),
        ("!more", "suite", ""),
        ("!next", "suite", ""),
        ("!qui n° 3 ?", "qui", "n° 3 ?"),
        ("!who 3", "qui", "3"),
        ("!Contacter 3, oui", "contacter", "3, oui"),
        ("!contact 3", "contacter", "3"),
        ("!contacter3", "contacter", "3"),
    ],
)
def test_searching_and_contacting_as_phones_type_them(text: str, name: str | None, rest: str) -> None:
    found = parse(text)
    if name is None:
        assert isinstance(found, Unknown)
        assert found.near is not None
        assert found.near.name == "chercher"
    else:
        assert isinstance(found, Call)
        assert (found.command.name, found.rest) == (name, rest)


def test_user_ids_come_through() -> None:
    assert understood("!patient ouvrir @a.b-c:example.org, @d:x.org").words == ("@a.b-c:example.org", "@d:x.org")


@pytest.mark.parametrize("text", ["!code 123456", "!code123456", "!code : 123456.", "`!code 123456`", "!CODE\n123456"])
def test_a_code_is_found(text: str) -> None:
    assert understood(text).words == ("123456",)


@pytest.mark.parametrize(
    ("text", "typed", "near"),
    [
        ("!patient", "patient", "patients"),
        ("!patient fermer", "patient fermer", "patient terminer"),
        ("!patient ouvre Durand", "patient ouvre", "patient ouvrir"),
        ("!incsription 1", "incsription", "inscription"),
        ("!ade", "ade", "aide"),
        ("!boite", "boite", "boite etat"),
        ("!Dupont va mal", "Dupont", None),
        ("!123456", "123456", None),
        ("!", "", None),
        ("!!!", "", None),
        ("!" + "x" * 100_000, "x" * 40, None),
    ],
)
def test_an_unknown_command_names_the_one_probably_meant(text: str, typed: str, near: str | None) -> None:
    found = parse(text)
    assert isinstance(found, Unknown)
    assert (found.typed, found.near.name if found.near else None) == (typed, near)


_BOX = ("boite etat", "boite connecter", "boite pause", "boite deconnecter")


def test_each_person_sees_what_they_may_use() -> None:
    def names(rights: set[Right], room: str) -> list[str]:
        return [c.name for c in commands_for(rights, room)]

    assert names(set(), "home") == ["aide", "inscription", "code", "sessions"]
    assert names({Right.ATTESTED}, "patient") == [
        *("patient salon", "patient terminer", "patient referent", "patient equipe", "patient inviter"),
        *("patient prolonger", "patient appeler", "patient identite", "patient copie", "patient suspendre effacement"),
        "patient opposition",
    ]
    assert names({Right.ATTESTED}, "mail") == [
        "ecrire", "transferer", "objet", "repondre tous", "sans reponse", *_BOX, "fil garder", "traite", "a traiter",
            "inviter",
        "inviter fin", "envoyer par mail", "envois", "renvoyer",
    ]  # fmt: skip
    assert names({Right.ADMIN}, "admin") == [
        "aide", "etat", "revoquer", "retablir", "administrateurs", "administrateur ajouter", "administrateur retirer",
        "equipe", "equipe ajouter", "equipe retirer", "salons confirmer", "annuaire confirmer",
    ]  # fmt: skip
    assert names({Right.ATTESTED}, "admin") == ["aide"]


def test_a_closed_patient_room_is_held_from_the_home_room() -> None:
    """Nobody can type in the room itself."""
    both = {"patient suspendre effacement", "patient reprendre effacement"}
    assert {c.name for c in COMMANDS if c.name in both and c.rooms >= {"home", "patient"}} == both


def test_owners_and_the_one_command_that_all_answer() -> None:
    assert {c.owner for c in COMMANDS} == set(Owner)
    assert [c.name for c in COMMANDS if c.everyone] == ["etat"]
