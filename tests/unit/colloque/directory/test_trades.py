"""Professions and specialties in plain French, against ANS's own lists."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colloque.directory.folding import fold
from colloque.directory.plain_french import PHRASES
from colloque.directory.trades import Lexicon, Meant, Trade, stems
from colloque.policy.professions import PROFESSIONS

R38 = """
SCD01 Orthopédie dento-faciale|SCD02 Chirurgie orale|SCD03 Médecine bucco-dentaire
SI01 Exercice infirmier en pratique avancée pathologies chroniques stabilisées|SI07 Infirmier(ère) anesthésiste
SI08 Infirmier(ère) puériculteur(trice)|SI06 Infirmier(ère) de bloc opératoire
SM01 Anatomie et Cytologie pathologiques|SM02 Anesthésie-réanimation
SM03 Biologie médicale|SM04 Cardiologie et Maladies vasculaires|SM05 Chirurgie générale|SM06 Chirurgie maxillo-faciale
SM07 Chirurgie maxillo-faciale et Stomatologie|SM08 Chirurgie orthopédique et Traumatologie|SM09 Chirurgie infantile
SM10 Chirurgie plastique reconstructrice et esthétique|SM11 Chirurgie thoracique et cardio-vasculaire
SM12 Chirurgie urologique|SM13 Chirurgie vasculaire|SM14 Chirurgie viscérale et digestive
SM15 Dermatologie et Vénéréologie|SM16 Endocrinologie et Métabolisme|SM17 Génétique médicale|SM18 Gériatrie
SM19 Gynécologie médicale|SM20 Gynécologie-obstétrique|SM21 Hématologie|SM22 Hématologie, option Maladie du sang
SM23 Hématologie, option Onco-hématologie|SM24 Gastro-entérologie et Hépatologie|SM25 Médecine du travail
SM26 Qualifié en Médecine générale|SM27 Médecine interne|SM28 Médecine nucléaire
SM29 Médecine physique et de réadaptation|SM30 Néphrologie|SM31 Neuro-chirurgie|SM32 Neurologie|SM33 Neuro-psychiatrie
SM34 ORL et Chirurgie cervico-faciale|SM35 Oncologie, option Onco-hématologie|SM36 Oncologie, option médicale
SM37 Oncologie, option radiothérapie|SM38 Ophtalmologie|SM39 Oto-rhino-laryngologie|SM40 Pédiatrie|SM41 Pneumologie
SM42 Psychiatrie|SM43 Psychiatrie, option enfant et adolescent|SM44 Radio-diagnostic|SM45 Radio-thérapie
SM46 Médecine intensive-réanimation|SM47 Recherche médicale|SM48 Rhumatologie|SM49 Santé publique et Médecine sociale
SM50 Stomatologie|SM51 Gynéco-obstétrique et Gynéco-médicale, option Gynéco-obstétrique
SM53 Spécialiste en Médecine générale|SM54 Médecine générale|SM57 Allergologie|SM58 Maladies infectieuses et tropicales
SM59 Médecine d'urgence|SM60 Médecine légale et expertises médicales|SM61 Médecine vasculaire
SM62 Endocrinologie, diabétologie, nutrition|SM68 Chirurgie maxillo-faciale (réforme 2017)
SM69 Chirurgie pédiatrique option chirurgie viscérale pédiatrique|SM72 Médecine interne et immunologie clinique
SM73 Médecine cardiovasculaire|SM74 Radiologie et imagerie médicale|SM75 Santé publique
SM87 Pédiatrie option néonatologie
""".replace("\n", "|")
SPECIALTIES = [(code, f"{label} (SM)") for code, _, label in (e.partition(" ") for e in R38.split("|") if e)]
"""As the extraction writes them, with the kind of savoir-faire behind."""
OF = {"SCD": "40", "SI0": "60"}
LEXICON = Lexicon(
    [Trade(code, "", known.label, "") for code, known in PROFESSIONS.items()]
    + [
        Trade(OF.get(code[:3], "10"), code, PROFESSIONS[OF.get(code[:3], "10")].label, label)
        for code, label in SPECIALTIES
    ]
    + [Trade("", "CAPA03", "", "Allergologie (CAPA)"), Trade("21", "SM03", "Pharmacien", "Biologie médicale (SM)")]
)


def meant(phrase: str) -> Meant | None:
    return LEXICON.phrase(tuple(fold(re.sub(r"\([^)]*\)", "", phrase)).split()))


def keys(phrase: str) -> set[str]:
    found = meant(phrase)
    return set(found.keys) if found else set()


@pytest.mark.parametrize(("code", "label"), [(code, known.label) for code, known in PROFESSIONS.items()])
def test_every_profession_is_understood(code: str, label: str) -> None:
    assert f"{code}/" in keys(label)


@pytest.mark.parametrize(("code", "label"), SPECIALTIES)
def test_every_specialty_is_understood(code: str, label: str) -> None:
    assert any(key.endswith(f"/{code}") for key in keys(label.removesuffix(" (SM)")))


@pytest.mark.parametrize(
    ("phrases", "wanted"),
    [
        (
            "infirmier, infirmière, infirmières, idel, infirmière libérale",
            {"60/", "60/SI01", "60/SI06", "60/SI07", "60/SI08"},
        ),
        ("infirmier anesthésiste, infirmière anesthésiste, IADE", {"60/SI07"}),
        ("kiné, kinés, kinésithérapeute, masseuse-kinésithérapeute, masseur", {"70/"}),
        ("sage-femme, sages femmes, sagefemme, maïeuticien", {"50/"}),
        ("pharmacien, pharmacienne, pharmaciennes, pharmacie", {"21/", "21/SM03"}),
        ("opticienne, opticien, lunetier", {"28/"}),
        ("aide-soignante, aides soignants", {"35/"}),
        ("préparatrice en pharmacie", {"38/", "39/"}),
        ("diététicienne, diététique", {"95/"}),
        ("psychomotricienne", {"96/"}),
        ("manipulatrice radio, manip radio, manipulateur ERM", {"98/"}),
        ("assistante sociale", {"41/", "200/"}),
        ("ostéo, ostéopathe, ostéopathie", {"71/", "171/"}),
        ("psychologue, psychologues", {"93/", "193/"}),
        ("orthophoniste, ortho", {"91/"}),
        ("généraliste, médecin généraliste, médecine générale, médecin traitant", {"10/SM26", "10/SM53", "10/SM54"}),
        ("cardiologue, cardio, cardiologues, cardiologie", {"10/SM04", "10/SM73"}),
        ("dermato, dermatologue, vénérologue", {"10/SM15"}),
        ("gynéco, gynécologue", {"10/SM19", "10/SM20", "10/SM51"}),
        ("gastro, gastro-entérologue, hépatologue", {"10/SM24"}),
        ("ORL, oto-rhino", {"10/SM34", "10/SM39"}),
        ("pédiatre, pédiatres, pédiatrie", {"10/SM40", "10/SM87"}),
        ("néonatologue", {"10/SM87"}),
        ("psychiatre", {"10/SM42", "10/SM43"}),
        ("pédopsychiatre", {"10/SM43"}),
        ("radiologue, imagerie médicale", {"10/SM44", "10/SM74"}),
        ("rhumato, rhumatologue", {"10/SM48"}),
        ("neurochirurgien, neurochirurgienne", {"10/SM31"}),
        ("chirurgien orthopédiste, chirurgienne orthopédique, traumatologue", {"10/SM08"}),
        ("urologue", {"10/SM12"}),
        ("orthodontiste", {"40/SCD01"}),
        ("dentiste, dentistes, chirurgienne-dentiste", {"40/", "40/SCD01", "40/SCD02", "40/SCD03"}),
        ("allergologue, allergo", {"10/SM57", "/CAPA03"}),
        ("médecin du travail, médecine du travail", {"10/SM25"}),
        ("angiologue, médecin vasculaire", {"10/SM61"}),
        ("urgentiste, urgences", {"10/SM59"}),
        ("nutritionniste", {"10/SM62"}),
        ("interniste, médecin interniste", {"10/SM27", "10/SM72"}),
        ("anesthésiste, anesthésiste-réanimateur", {"10/SM02"}),
        ("médecin rééducateur, MPR", {"10/SM29"}),
        ("légiste", {"10/SM60"}),
        ("infectiologue", {"10/SM58"}),
    ],
)
def test_plain_french_is_understood(phrases: str, wanted: set[str]) -> None:
    for phrase in phrases.split(", "):
        assert keys(phrase) == wanted, phrase


def test_a_surgeon_is_no_dentist() -> None:
    assert keys("chirurgien") == keys("chirurgienne") == keys("chirurgie")
    assert {"10/SM05", "10/SM14", "10/SM31"} <= keys("chirurgien")
    assert "40/" not in keys("chirurgien")


def test_a_doctor_is_any_doctor() -> None:
    assert (
        keys("médecin")
        == keys("toubib")
        == {f"10/{code}" for code, _ in SPECIALTIES if code.startswith("SM")} | {"10/"}
    )


@pytest.mark.parametrize("words", ["martin", "boulanger", "rose", "nancy", "travail", "de", "femme", "", "option"])
def test_other_words_are_no_trade(words: str) -> None:
    assert not words or meant(words) is None


def test_a_trade_that_nobody_has_is_still_one() -> None:
    found = Lexicon([]).phrase(("cardiologue",))
    assert found is not None
    assert (found.keys, found.labels) == (frozenset(), ("Cardiologie",))


def test_what_is_shown_is_what_the_directory_says() -> None:
    assert (found := meant("cardio")) is not None
    assert found.labels == ("Cardiologie et Maladies vasculaires (SM)", "Médecine cardiovasculaire (SM)")


def test_no_phrase_is_given_two_meanings() -> None:
    said = Counter(
        stems(fold(phrase).split())
        for line in PHRASES.strip().splitlines()
        for phrase in {*line.partition("=")[0].split(",")}
    )
    lines = [
        {stems(fold(p).split()) for p in line.partition("=")[0].split(",")} for line in PHRASES.strip().splitlines()
    ]
    assert {words for words in said if sum(words in line for line in lines) > 1} == set()


@given(st.text(max_size=40))
def test_any_text_is_a_trade_or_not(text: str) -> None:
    words = tuple(fold(text).split())
    assert not words or LEXICON.phrase(words) == LEXICON.phrase(tuple(w.upper().lower() for w in words))
