"""Professions, specialties and places of work as ANS's code lists name them (TRE_G15, R95, R38, R02), with shares.

Shares are those of people in France by profession and specialty (DREES, counts of 2023 and 2024), rounded.
"""

from __future__ import annotations

from typing import NamedTuple


class Trade(NamedTuple):
    """A profession: code, label, share (per mille), where it works (codes of `SECTORS`), mail domain, mailboxes."""

    code: str
    label: str
    share: int
    sectors: str
    domain: str
    reach: float
    """Share of them who have a PER mailbox."""


TRADES = [
    Trade("60", "Infirmier", 452, "SA07 SA08 SA01 SA01 SA01 SA04 SA17", "infirmier", 0.19),
    Trade("10", "Médecin", 175, "SA07 SA08 SA01 SA01 SA04 SA05", "medecin", 0.72),
    Trade("70", "Masseur-Kinésithérapeute", 80, "SA07 SA08 SA08 SA01", "masseur-kinesitherapeute", 0.38),
    Trade("21", "Pharmacien", 57, "SA33 SA33 SA33 SA01", "pharmacien", 0.70),
    Trade("40", "Chirurgien-Dentiste", 36, "SA07 SA08 SA05", "chirurgien-dentiste", 0.62),
    Trade("98", "Manipulateur ERM", 30, "SA01 SA01 SA04", "manipulateur", 0.03),
    Trade("28", "Opticien-Lunetier", 30, "SA42", "opticien", 0.02),
    Trade("86", "Technicien de laboratoire médical", 30, "SA01", "laboratoire", 0.02),
    Trade("91", "Orthophoniste", 22, "SA07 SA08", "orthophoniste", 0.30),
    Trade("50", "Sage-Femme", 19, "SA07 SA01 SA01", "sage-femme", 0.55),
    Trade("80", "Pédicure-Podologue", 13, "SA07 SA08", "pedicure-podologue", 0.30),
    Trade("94", "Ergothérapeute", 13, "SA01 SA17 SA07", "ergotherapeute", 0.12),
    Trade("96", "Psychomotricien", 13, "SA01 SA07 SA17", "psychomotricien", 0.10),
    Trade("95", "Diététicien", 12, "SA01 SA07", "dieteticien", 0.15),
    Trade("39", "Préparateur en pharmacie (officine)", 8, "SA33", "preparateur", 0.02),
    Trade("92", "Orthoptiste", 6, "SA07 SA08", "orthoptiste", 0.30),
    Trade("26", "Audioprothésiste", 4, "SA42", "audioprothesiste", 0.10),
]
OLD_TRADES = [
    Trade("93", "Psychologue", 600, "SA07", "", 0),
    Trade("71", "Ostéopathe", 250, "SA07", "", 0),
    Trade("26", "Audioprothésiste", 150, "SA42", "", 0),
]
"""Those still registered under an ADELI number; no MSSanté mailbox."""

DOCTORS = {"10", "21", "40"}
"""Professions addressed as "Docteur"."""
WOMEN = {"10": 0.50, "70": 0.52, "40": 0.49, "21": 0.67, "50": 0.97, "91": 0.97, "60": 0.86, "26": 0.55}
"""Share of women; 75 % elsewhere."""
MODES = {"L": "Libéral", "S": "Salarié", "B": "Bénévole"}
CATEGORIES = {"C": "Civil", "M": "Militaire", "E": "Etudiant"}

SPECIALTIES: dict[str, list[tuple[str, str, int]]] = {
    "10": [
        ("SM54", "Médecine générale", 230),
        ("SM26", "Qualifié en Médecine générale", 140),
        ("SM53", "Spécialiste en Médecine générale", 60),
        ("SM02", "Anesthésie-réanimation", 52),
        ("SM42", "Psychiatrie", 68),
        ("SM40", "Pédiatrie", 42),
        ("SM44", "Radio-diagnostic", 41),
        ("SM04", "Cardiologie et Maladies vasculaires", 35),
        ("SM38", "Ophtalmologie", 28),
        ("SM20", "Gynécologie-obstétrique", 26),
        ("SM24", "Gastro-entérologie et Hépatologie", 19),
        ("SM41", "Pneumologie", 16),
        ("SM32", "Neurologie", 14),
        ("SM48", "Rhumatologie", 12),
        ("SM15", "Dermatologie et Vénéréologie", 17),
        ("SM08", "Chirurgie orthopédique et Traumatologie", 17),
        ("SM14", "Chirurgie viscérale et digestive", 9),
        ("SM18", "Gériatrie", 14),
        ("SM30", "Néphrologie", 9),
        ("SM36", "Oncologie, option médicale", 7),
        ("SM16", "Endocrinologie et Métabolisme", 10),
        ("SM59", "Médecine d'urgence", 22),
        ("SM03", "Biologie médicale", 12),
    ],
    "21": [("", "", 92), ("SM03", "Biologie médicale", 8)],
    "40": [("", "", 92), ("SCD01", "Orthopédie dento-faciale", 6), ("SCD02", "Chirurgie orale", 2)],
}
"""Code, label, share among the profession; an empty code is none."""
SKILLS = [
    ("C", "Compétence", "C05", "Médecine appliquée aux sports"),
    ("C", "Compétence", "C23", "Médecine d'urgence"),
    ("CAPA", "Capacité", "CAPA04", "Gérontologie"),
    ("CAPA", "Capacité", "CAPA09", "Evaluation et traitement de la douleur"),
    ("CAPA", "Capacité", "CAPA01", "Addictologie clinique"),
    ("CEX", "Compétence exclusive", "CEX26", "Phlébologie"),
    ("FQ", "Fonction qualifiée", "FQ02", "Maître de stage"),
    ("Q", "Qualification PAC", "PAC00", "Nutrition"),
]
"""Type, its label, code, label: what doctors hold beyond their specialty."""
DIPLOMAS = [
    ("DU", "Diplôme d'université", "DU01", "Diplôme d'université"),
    ("DIU", "Diplôme inter-universitaire", "DIU07", "Douleur et soins palliatifs"),
    ("CES", "Certificat d'études spéciales", "CES12", "Certificat d'études spéciales"),
    ("DR", "Doctorat", "DR02", "Doctorat d'exercice"),
]
AUTHORISATION = ("AUT1", "Autorisation d'exercice", "D01", "Plein exercice")

SECTORS = {
    "SA01": "Etablissement public de santé",
    "SA04": "Etablissement privé non PSPH",
    "SA05": "Centre de santé",
    "SA07": "Cabinet individuel",
    "SA08": "Cabinet de groupe",
    "SA17": "Etablissement d'hébergement pour personnes âgées dépendantes",
    "SA33": "Pharmacie d'officine",
    "SA42": "Appareillage médical",
}


class Houses(NamedTuple):
    """The shared places of one sector."""

    per_mille: float
    """How many for a thousand people."""
    names: tuple[str, ...]
    """Raw quotes and apostrophes occur in the real files."""
    boxes: float
    """ORG mailboxes of each, on average."""
    own_domain: float
    """Share of them whose mailboxes have a domain of their own."""
    staff: tuple[str, ...] = ("secretariat", "accueil", "contact")


HOUSES = {
    "SA01": Houses(
        *(2.7, ("CENTRE HOSPITALIER {house}", "CH {house} DE {town}", "HOPITAL {house}"), 7.0, 1.0),
        ("secretariat", "accueil", "urgences", "cardiologie", "geriatrie", "pharmacie", "laboratoire", "imagerie"),
    ),
    "SA04": Houses(2.2, ("CLINIQUE {house}", "POLYCLINIQUE {house}", "CLINIQUE DE {town}"), 2.4, 0.6),
    "SA05": Houses(4.6, ("CENTRE DE SANTE {house}", 'CENTRE DE SANTE "{house}"'), 0.6, 0.1),
    "SA08": Houses(
        42.0, ("CABINET {house}", 'MAISON DE SANTE "{house}"', "SCM {house}", "MSP DE {town} - {house}"), 0.4, 0.005
    ),
    "SA17": Houses(10.7, ("EHPAD {house}", 'RESIDENCE "{house}"'), 0.9, 0.15, ("accueil", "soins", "contact")),
    "SA33": Houses(15.4, ("PHARMACIE {house}", "SELARL PHARMACIE {house}"), 0.9, 0.0, ("officine", "contact")),
    "SA42": Houses(10.0, ("AUDITION {house}", "OPTIQUE {house}"), 0.02, 0.0),
}
"""By sector; a private practice (SA07) belongs to its owner and is not shared."""

REGIONS = {
    "aura": "01 03 07 15 26 38 42 43 63 69 73 74",
    "grand-est": "08 10 51 52 54 55 57 67 68 88",
    "bretagne": "22 29 35 56",
    "occitanie": "09 11 12 30 31 32 34 46 48 65 66 81 82",
    "nouvelle-aquitaine": "16 17 19 23 24 33 40 47 64 79 86 87",
    "hauts-de-france": "02 59 60 62 80",
    "normandie": "14 27 50 61 76",
    "pays-de-la-loire": "44 49 53 72 85",
    "santé-réunion": "971 972 973 974 976",
    "ile-de-france": "75 77 78 91 92 93 94 95",
    "paca": "04 05 06 13 83 84",
}
"""Regional operators and the départements they serve; the one with accents makes an IDN domain."""
