"""Towns, postcodes and départements: how they are written down, and which ones some words may mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from colloque.directory.folding import fold

NATION = "*"
"""The place that holds everybody."""

_POSTCODE = re.compile(r"\d{5}", re.ASCII)
_MAIL = re.compile(r" (?:cedex|cs|bp)(?: .*)?$")
_NUMBER = re.compile(r" (\d{1,2}) ?(?:er|e|eme|ieme)?(?: arrondissement)?$")
_FULL = {"st": "saint", "ste": "sainte", "sts": "saints", "stes": "saintes"}
_ARTICLES = ("le ", "la ", "les ", "l ")
_VAGUE = frozenset((
    "saint", "sainte", "saints", "saintes", "pont", "mont", "port", "bois", "cote", "haute", "haut", "grand",
    "grande", "petit", "petite", "vieux", "vieille", "ville", "villers", "villiers", "sous", "neuve", "neuf",
    "notre", "dame", "champ", "champs", "belle", "beau", "fort", "font", "fontaine", "rive", "roche",
))  # fmt: skip
"""First words that too many towns share to stand for one of them."""

DEPARTMENTS = {
    code: name
    for line in """
01 Ain|02 Aisne|03 Allier|04 Alpes-de-Haute-Provence|05 Hautes-Alpes|06 Alpes-Maritimes|07 Ardèche|08 Ardennes
09 Ariège|10 Aube|11 Aude|12 Aveyron|13 Bouches-du-Rhône|14 Calvados|15 Cantal|16 Charente|17 Charente-Maritime|18 Cher
19 Corrèze|2A Corse-du-Sud|2B Haute-Corse|21 Côte-d'Or|22 Côtes-d'Armor|23 Creuse|24 Dordogne|25 Doubs|26 Drôme|27 Eure
28 Eure-et-Loir|29 Finistère|30 Gard|31 Haute-Garonne|32 Gers|33 Gironde|34 Hérault|35 Ille-et-Vilaine|36 Indre
37 Indre-et-Loire|38 Isère|39 Jura|40 Landes|41 Loir-et-Cher|42 Loire|43 Haute-Loire|44 Loire-Atlantique|45 Loiret
46 Lot|47 Lot-et-Garonne|48 Lozère|49 Maine-et-Loire|50 Manche|51 Marne|52 Haute-Marne|53 Mayenne
54 Meurthe-et-Moselle|55 Meuse|56 Morbihan|57 Moselle|58 Nièvre|59 Nord|60 Oise|61 Orne|62 Pas-de-Calais
63 Puy-de-Dôme|64 Pyrénées-Atlantiques|65 Hautes-Pyrénées|66 Pyrénées-Orientales|67 Bas-Rhin|68 Haut-Rhin|69 Rhône
70 Haute-Saône|71 Saône-et-Loire|72 Sarthe|73 Savoie|74 Haute-Savoie|75 Paris|76 Seine-Maritime|77 Seine-et-Marne
78 Yvelines|79 Deux-Sèvres|80 Somme|81 Tarn|82 Tarn-et-Garonne|83 Var|84 Vaucluse|85 Vendée|86 Vienne|87 Haute-Vienne
88 Vosges|89 Yonne|90 Territoire de Belfort|91 Essonne|92 Hauts-de-Seine|93 Seine-Saint-Denis|94 Val-de-Marne
95 Val-d'Oise|971 Guadeloupe|972 Martinique|973 Guyane|974 La Réunion|975 Saint-Pierre-et-Miquelon|976 Mayotte
977 Saint-Barthélemy|978 Saint-Martin|986 Wallis-et-Futuna|987 Polynésie française|988 Nouvelle-Calédonie
""".strip().splitlines()
    for code, _, name in (entry.partition(" ") for entry in line.split("|"))
}
"""Number to name (INSEE's list, with the overseas collectivities)."""

ARRONDISSEMENTS = {"paris": ("75", 20), "lyon": ("69", 9), "marseille": ("13", 16)}
"""Towns whose postcodes end in the number of a district: département, how many."""


@lru_cache(maxsize=65_536)
def town_name(written: str) -> str:
    """One way to write a town: `ST-ETIENNE CEDEX 2` and `Saint-Étienne` are `saint etienne`, `PARIS 15E` is `paris 15`.

    Only of Paris, Lyon and Marseille the number stays: elsewhere it is a cedex or an office's.
    """
    name = " ".join(_FULL.get(word, word) for word in fold(written).split())
    while (shorter := _MAIL.sub("", name)) != name:
        name = shorter
    while (shorter := _without_number(name)) != name:
        name = shorter
    return name


def _without_number(name: str) -> str:
    bare, _, number = _NUMBER.sub(r" \1", name).rpartition(" ")
    if not number.isdecimal() or not bare:
        return name
    return f"{bare} {int(number)}" if 0 < int(number) <= ARRONDISSEMENTS.get(bare, ("", 0))[1] else bare


def place_key(postcode: str, town: str) -> str:
    """The place of an activity: `54000 nancy`, `75015 paris 15`; empty when nothing tells where it is."""
    code = postcode.strip() if _POSTCODE.fullmatch(postcode.strip()) else ""
    name = town_name(town)
    if name in ARRONDISSEMENTS:
        name = _by_postcode(name, code)
    return f"{code} {name}" if code or name else ""


def _by_postcode(town: str, code: str) -> str:
    """`paris 15` for 75015, and `paris 16` for 75116; the town itself for any other, those of cedex included."""
    begins, most = ARRONDISSEMENTS[town]
    number = int(code[3:] or 0)
    return f"{town} {number}" if code[:3] in {begins + "0", "751"} and 0 < number <= most else town


def department(key: str) -> str:
    """The département of a place or postcode, `54`, `2A`, `974`; empty when it has none."""
    code = key[:5]
    if not _POSTCODE.fullmatch(code):
        return ""
    if code.startswith(("97", "98")):
        return code[:3]
    if code.startswith("20"):
        return "2A" if code < "20200" else "2B"
    return code[:2]


def glue(words: str) -> str:
    """Written in one word, as people may: `saintetienne`."""
    return words.replace(" ", "")


def known_as(name: str) -> Iterator[str]:
    """Shorter names of a town, used where no town has them in full: `havre`, `clermont`, `aix`."""
    for article in _ARTICLES:
        if name.startswith(article):
            name = name.removeprefix(article)
            yield glue(name)
    first, _, rest = name.partition(" ")
    if rest and not rest.isdecimal() and len(first) > 2 and first not in _VAGUE:
        yield first


DEPARTMENT_NAMES = {glue(fold(name)): code for code, name in DEPARTMENTS.items()} | {"reunion": "974"}
"""`meurtheetmoselle` to `54`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was named."""

    label: str
    keys: frozenset[str]
    """As `place_key` makes them; `54000 *` is every place of that postcode. Empty: the whole département."""
    departments: frozenset[str] = frozenset()
    """Where it is, or what it is."""
    typed: str = ""
    """The words, folded."""

    @property
    def wider(self) -> Place | None:
        """The département around it; None when it is one, or in several."""
        if not self.keys or len(self.departments) != 1:
            return None
        (code,) = self.departments
        return Place(DEPARTMENTS.get(code, code), frozenset(), self.departments, self.typed)
