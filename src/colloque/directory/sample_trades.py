"""Professions, specialties and places of work as ANS's code lists name them (TRE_G15, R95, R38, R02), with shares."""

from __future__ import annotations

from typing import NamedTuple


class Trade(NamedTuple):
    """A profession: code, label, share of the people drawn, where it works (codes of `SECTORS`), its mail domain."""

    code: str
    label: str
    share: int
    sectors: str
    domain: str


TRADES = [
    Trade("60", "Infirmier", 360, "SA07 SA08 SA01 SA01 SA01 SA17", "infirmier"),
    Trade("10", "Médecin", 230, "SA07 SA08 SA01 SA05", "medecin"),
    Trade("70", "Masseur-kinésithérapeute", 110, "SA07 SA08 SA08 SA01", "masseur-kinesitherapeute"),
    Trade("21", "Pharmacien", 80, "SA33 SA33 SA33 SA01", "pharmacien"),
    Trade("40", "Chirurgien-dentiste", 50, "SA07 SA08 SA05", "chirurgien-dentiste"),
    Trade("50", "Sage-femme", 30, "SA07 SA01", "sage-femme"),
    Trade("91", "Orthophoniste", 30, "SA07 SA08", "orthophoniste"),
    Trade("98", "Manipulateur ERM", 30, "SA01", "manipulateur"),
    Trade("80", "Pédicure-podologue", 20, "SA07", "pedicure-podologue"),
    Trade("94", "Ergothérapeute", 20, "SA01 SA17", "ergotherapeute"),
    Trade("95", "Diététicien", 15, "SA01 SA07", "dieteticien"),
    Trade("96", "Psychomotricien", 15, "SA01 SA07", "psychomotricien"),
    Trade("92", "Orthoptiste", 10, "SA07 SA08", "orthoptiste"),
]
OLD_TRADES = [
    Trade("93", "Psychologue", 60, "SA07", ""),
    Trade("71", "Ostéopathe", 25, "SA07", ""),
    Trade("26", "Audioprothésiste", 15, "SA42", ""),
]
"""Those still registered under an ADELI number; no MSSanté mailbox."""

DOCTORS = {"10", "21", "40"}
"""Professions addressed as "Docteur"."""
MODES = {"L": "Libéral", "S": "Salarié", "B": "Bénévole"}

SPECIALTIES: dict[str, list[tuple[str, str, int]]] = {
    "10": [
        ("SM54", "Médecine générale", 300),
        ("SM26", "Qualifié en Médecine générale", 130),
        ("SM53", "Spécialiste en Médecine générale", 80),
        ("SM02", "Anesthésie-réanimation", 45),
        ("SM04", "Cardiologie et Maladies vasculaires", 40),
        ("SM42", "Psychiatrie", 60),
        ("SM40", "Pédiatrie", 40),
        ("SM38", "Ophtalmologie", 30),
        ("SM44", "Radio-diagnostic", 40),
        ("SM20", "Gynécologie-obstétrique", 25),
        ("SM24", "Gastro-entérologie et Hépatologie", 20),
        ("SM41", "Pneumologie", 18),
        ("SM32", "Neurologie", 16),
        ("SM48", "Rhumatologie", 16),
        ("SM15", "Dermatologie et Vénéréologie", 20),
        ("SM08", "Chirurgie orthopédique et Traumatologie", 20),
        ("SM14", "Chirurgie viscérale et digestive", 14),
        ("SM18", "Gériatrie", 14),
        ("SM30", "Néphrologie", 10),
        ("SM36", "Oncologie, option médicale", 10),
        ("SM16", "Endocrinologie et Métabolisme", 12),
        ("SM59", "Médecine d'urgence", 20),
        ("SM03", "Biologie médicale", 10),
    ],
    "21": [("", "", 92), ("SM03", "Biologie médicale", 8)],
    "40": [("", "", 92), ("SCD01", "Orthopédie dento-faciale", 6), ("SCD02", "Chirurgie orale", 2)],
}
"""Code, label, share among the profession; an empty code is none."""

SECTORS = {
    "SA01": "Etablissement public de santé",
    "SA05": "Centre de santé",
    "SA07": "Cabinet individuel",
    "SA08": "Cabinet de groupe",
    "SA17": "Etablissement d'hébergement pour personnes âgées dépendantes",
    "SA33": "Pharmacie d'officine",
    "SA42": "Appareillage médical",
}
HOUSE_NAMES = {
    "SA01": ["CENTRE HOSPITALIER {house}", "CH {house} DE {town}", "HOPITAL {house}"],
    "SA05": ["CENTRE DE SANTE {house}", 'CENTRE DE SANTE "{house}"'],
    "SA08": ["CABINET {house}", 'MAISON DE SANTE "{house}"', "SCM {house}", "MSP DE {town} - {house}"],
    "SA17": ["EHPAD {house}", 'RESIDENCE "{house}"'],
    "SA33": ["PHARMACIE {house}", "SELARL PHARMACIE {house}"],
    "SA42": ["AUDITION {house}"],
}
"""How places of each sector are called; raw quotes and apostrophes occur in the real files."""

REGIONS = {
    "aura": "01 03 07 15 26 38 42 43 63 69 73 74",
    "grand-est": "08 10 51 52 54 55 57 67 68 88",
    "bretagne": "22 29 35 56",
    "occitanie": "09 12 30 31 32 34 46 48 65 66 81 82",
    "nouvelle-aquitaine": "16 17 24 33 40 47 64 79 86 87",
    "hauts-de-france": "02 59 60 62 80",
    "normandie": "14 27 50 61 76",
    "santé-réunion": "97",
    "ile-de-france": "75 77 78 91 92 93 94 95",
    "paca": "04 05 06 13 83 84",
}
"""Regional operators and the départements they serve; the one with accents makes an IDN domain."""
