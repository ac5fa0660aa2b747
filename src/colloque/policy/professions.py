"""Who may do what by profession: decided by ANS's codes, never by a label. Pure.

Sources of the lists: TRE_G15 (professions de santé), TRE_R94 (professions du social), TRE_R95 (usagers de titre), in
ANS's Nomenclatures des objets de santé; R94 and R95 have an older and a newer numbering, both are read. Categories:
TRE_R09. Source of the rule: code de la santé publique, L1110-4 (secrecy and the care team) and R1110-2 (who, beyond
health professionals, may share what a care needs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from colloque.rooms.mark import RoomKind


class CodeList(StrEnum):
    """Where a code comes from."""

    HEALTH = "TRE_G15"
    SOCIAL = "TRE_R94"
    TITLE = "TRE_R95"


class Category(StrEnum):
    """Under which status somebody exercises (TRE_R09)."""

    CIVIL = "C"
    MILITARY = "M"
    """The armed forces' health service: as civil, here."""
    STUDENT = "E"
    """Takes part under somebody's responsibility: may be in a patient room, may not open one."""


@dataclass(frozen=True, slots=True)
class Profession:
    """One line of a list."""

    code: str
    label: str
    list: CodeList
    bound: bool
    """Bound by secrecy in a care team: may read what a patient room holds."""


@dataclass(frozen=True, slots=True)
class Trade:
    """What the directory says of one exercise, as codes."""

    code: str
    """Code profession."""
    category: str = Category.CIVIL
    """Code catégorie professionnelle."""


class Bar(StrEnum):
    """Why somebody may not. Stable codes."""

    NO_TRADE = "no_profession"
    """The directory names no profession at all."""
    UNKNOWN = "profession_unknown"
    """A code that is in none of the lists, or an unknown category."""
    NOT_BOUND = "profession_not_bound"
    """Known, and not among those who share what a care needs."""
    STUDENT = "student"


@dataclass(frozen=True, slots=True)
class Barred:
    """No, and which codes it is about (profession and category joined, such as `10E`)."""

    why: Bar
    codes: tuple[str, ...] = ()


_G15 = {
    "10": "Médecin",
    "21": "Pharmacien",
    "26": "Audioprothésiste",
    "28": "Opticien-Lunetier",
    "31": "Assistant dentaire",
    "32": "Physicien médical",
    "35": "Aide-soignant",
    "36": "Ambulancier",
    "37": "Auxiliaire de puériculture",
    "38": "Préparateur en pharmacie hospitalière",
    "39": "Préparateur en pharmacie (officine)",
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
    "86": "Technicien de laboratoire médical",
    "91": "Orthophoniste",
    "92": "Orthoptiste",
    "94": "Ergothérapeute",
    "95": "Diététicien",
    "96": "Psychomotricien",
    "98": "Manipulateur ERM",
}
_R94 = {
    ("41", "200"): "Assistant de service social",
    ("42", "201"): "Auxiliaire de vie sociale",
    ("43", "202"): "Technicien de l'intervention sociale et familiale",
    ("44", "203"): "Conseiller en économie sociale et familiale",
    ("45", "204"): "Médiateur familial",
    ("46", "205"): "Assistant familial",
    ("47", "206"): "Aide médico-psychologique",
    ("48", "207"): "Moniteur éducateur",
    ("49", "208"): "Educateur de jeunes enfants",
    ("51", "209"): "Educateur spécialisé",
    ("52", "210"): "Educateur technique spécialisé",
    ("211",): "Aide à domicile",
    ("212",): "Assistant(e) maternel(le)",
    ("53", "213"): "Accompagnant éducatif et social",
}
_R95 = {
    ("71", "171"): "Ostéopathe",
    ("72", "172"): "Psychothérapeute",
    ("73", "173"): "Chiropracteur",
    ("93", "193"): "Psychologue",
    ("97", "194"): "Conseiller en génétique",
}
_BOUND_SOCIAL = frozenset({"41", "200", "47", "206", "53", "213"})
"""Of R94, those whom R1110-2 names by their profession and who take part in cares; the others stay out."""

PROFESSIONS: dict[str, Profession] = {
    **{code: Profession(code, label, CodeList.HEALTH, bound=True) for code, label in _G15.items()},
    **{
        code: Profession(code, label, CodeList.SOCIAL, bound=code in _BOUND_SOCIAL)
        for codes, label in _R94.items()
        for code in codes
    },
    **{code: Profession(code, label, CodeList.TITLE, bound=True) for codes, label in _R95.items() for code in codes},
}
"""Every code known, of the three lists; no code stands in two."""


def bound_by_secrecy(code: str) -> bool:
    """May somebody of that profession read what a patient room holds? Unknown codes: no."""
    known = PROFESSIONS.get(code)
    return known is not None and known.bound


def may_open_patient_room(code: str, category: str = Category.CIVIL) -> bool:
    """A health professional in their own name: of TRE_G15, and no student."""
    return may_open([Trade(code, category)]) is None


def may_enrol(trades: Iterable[Trade]) -> Barred | None:
    """May somebody with these exercises be verified here at all? None when yes: one exercise that may is enough."""
    return _any(trades, lambda _: None)


def may_open(trades: Iterable[Trade]) -> Barred | None:
    """May they open a patient room? None when yes."""

    def judge(trade: Trade) -> Bar | None:
        if PROFESSIONS[trade.code].list is not CodeList.HEALTH:
            return Bar.NOT_BOUND
        return Bar.STUDENT if trade.category == Category.STUDENT else None

    return _any(trades, judge)


def may_enter(kind: RoomKind, trades: Iterable[Trade]) -> Barred | None:
    """May they be in a room of that kind? None when yes.

    A patient room holds what is secret: professions bound by secrecy only, students among them. The other rooms hold
    nothing of a patient but what concerns the person's own mailbox: whoever may enrol.
    """
    if kind is not RoomKind.PATIENT:
        return may_enrol(trades)
    return _any(trades, lambda trade: None if bound_by_secrecy(trade.code) else Bar.NOT_BOUND)


_ORDER = (Bar.STUDENT, Bar.NOT_BOUND, Bar.UNKNOWN)
"""Of several reasons, the one told: the nearest to a yes."""


def _any(trades: Iterable[Trade], judge: Callable[[Trade], Bar | None]) -> Barred | None:
    found: dict[Bar, list[str]] = {}
    for trade in trades:
        known = trade.code in PROFESSIONS and trade.category in frozenset(Category)
        why = judge(trade) if known else Bar.UNKNOWN
        if why is None:
            return None
        found.setdefault(why, []).append(trade.code + trade.category)
    for why in _ORDER:
        if why in found:
            return Barred(why, tuple(dict.fromkeys(found[why])))
    return Barred(Bar.NO_TRADE)
