"""In what standing the directory says that a professional works, as the header of a document tells it. Pure.

Sources (ANS, Nomenclatures des objets de santé): JDV_J01 for professions (as of 2022-08-26), JDV_J02 for kinds of
places (2022-10-28), TRE_A01 for settings (2024-09-27). What the directory does not say, or these lists do not hold, is
left out: it is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from colloque.errors import BadIdentifier
from colloque.identity import Finess
from colloque.mail.cda import Agent, Organization, PersonName
from colloque.mail.hl7 import IDNPS, IDNST, SECTORS, Coded, Identifier, Moment
from colloque.professional import Activity, Professional

_ROLES = "1.2.250.1.213.1.1.4.5"
_SETTINGS = "1.2.250.1.213.1.1.4.9"
_PROFESSIONS = {
    "10": "Médecin",
    "21": "Pharmacien",
    "26": "Audioprothésiste",
    "28": "Opticien-Lunetier",
    "31": "Assistant dentaire",
    "32": "Physicien médical",
    "40": "Chirurgien-Dentiste",
    "50": "Sage-Femme",
    "60": "Infirmier",
    "69": "Infirmier psychiatrique",
    "70": "Masseur-Kinésithérapeute",
    "80": "Pédicure-Podologue",
    "81": "Orthoprothésiste",
    "82": "Podo-Orthésiste",
    "83": "Orthopédiste-Orthésiste",
    "84": "Oculariste",
    "85": "Epithésiste",
    "86": "Technicien de labo Médical",
    "91": "Orthophoniste",
    "92": "Orthoptiste",
    "94": "Ergothérapeute",
    "95": "Diététicien",
    "96": "Psychomotricien",
    "98": "Manipulateur ERM",
}
"""JDV_J01, whole professions (`G15_…`) only: a savoir-faire's label there is not always the directory's."""
_AMBULATORY = Coded("AMBULATOIRE", _SETTINGS, "Ambulatoire")
_HOSPITAL = Coded("ETABLISSEMENT", _SETTINGS, "Etablissement de santé")
_SOCIAL = Coded("ESSMS", _SETTINGS, "Etablissement ou Service Social ou Médico-Social")
_PLACES = {
    "SA01": ("Etablissement public de santé", _HOSPITAL),
    "SA02": ("Hôpital militaire du Service de santé des armées", _HOSPITAL),
    "SA03": ("Etablissement privé PSPH", _HOSPITAL),
    "SA04": ("Etablissement privé non PSPH", _HOSPITAL),
    "SA05": ("Centre de santé", _AMBULATORY),
    "SA07": ("Cabinet individuel", _AMBULATORY),
    "SA08": ("Cabinet de groupe", _AMBULATORY),
    "SA09": ("Exercice en société", _AMBULATORY),
    "SA15": ("PMI et Planification familiale", _AMBULATORY),
    "SA16": ("Etablissement pour personnes handicapées", _SOCIAL),
    "SA17": ("Etablissement pour personnes âgées", _SOCIAL),
    "SA20": ("Etablissement pour la protection de l'enfance", _SOCIAL),
    "SA21": ("Etablissement d'hébergement et de réadaptation", _SOCIAL),
    "SA25": ("Laboratoire de biologie médicale", _AMBULATORY),
    "SA29": ("Laboratoire d'analyses et de biologie médicale", _AMBULATORY),
    "SA33": ("Pharmacie d'officine", _AMBULATORY),
    "SA34": ("Centre de dialyse", _HOSPITAL),
    "SA36": ("Centre anti-cancer", _HOSPITAL),
    "SA38": ("Pharmacie minière", _AMBULATORY),
    "SA39": ("Pharmacie mutualiste", _AMBULATORY),
    "SA40": ("Secteur privé, praticien hospitalier temps plein", _HOSPITAL),
    "SA41": ("Autre établissement du domaine social ou médico-social", _SOCIAL),
    "SA42": ("Appareillage médical", _AMBULATORY),
    "SA52": ("Maison de santé ou Pôle de santé", _AMBULATORY),
}
"""JDV_J02: kinds of places where patients are cared for, and the setting that each is. Others name no setting."""
_TITLES = {"docteur": "DR", "dr": "DR", "professeur": "PR", "pr": "PR"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One of the ways in which somebody works."""

    role: Coded
    facility: Coded
    practice: Coded
    place: Organization | None
    """None where the directory names no structure."""

    @property
    def key(self) -> str:
        """Tells one person's standings apart, for as long as the directory says the same of them."""
        number = self.place.number.extension if self.place is not None and self.place.number is not None else ""
        return "|".join((self.role.code, self.facility.code, number, self.place.name if self.place else ""))


def standings(person: Professional) -> tuple[Standing, ...]:
    """All that the directory says and a document's header can hold, each once, in the directory's order."""
    found = (_standing(each) for each in person.activities if each.category_code != "E")
    return tuple({each.key: each for each in found if each is not None}.values())


def _standing(activity: Activity) -> Standing | None:
    profession, place = _PROFESSIONS.get(activity.profession_code), _PLACES.get(activity.sector_code)
    if profession is None or place is None:
        return None
    return Standing(
        role=Coded(f"G15_{activity.profession_code}", _ROLES, profession),
        facility=Coded(activity.sector_code, SECTORS, place[0]),
        practice=place[1],
        place=_structure(activity),
    )


def _structure(activity: Activity) -> Organization | None:
    """The RPPS's own number of a structure is `F` and its FINESS, where it has one."""
    if not activity.structure:
        return None
    try:
        finess = Finess.parse(activity.structure_id[1:]) if activity.structure_id.startswith("F") else None
    except BadIdentifier:
        finess = None
    return Organization(activity.structure, Identifier(IDNST, f"1{finess.value}") if finess is not None else None)


def agent_of(person: Professional, standing: Standing, at: Moment | None) -> Agent:
    """Them, as author or signer of a document of that moment."""
    name = PersonName(person.family_name, person.given_name, suffix=_TITLES.get(person.title.casefold(), ""))
    return Agent(
        name=name,
        number=Identifier(IDNPS, person.number.national),
        role=standing.role,
        organization=standing.place,
        at=at,
    )


def keeper_of(person: Professional, standing: Standing) -> Organization:
    """Who keeps a document that they file: the structure, or themselves where they work in none."""
    return standing.place or Organization(person.full_name)
