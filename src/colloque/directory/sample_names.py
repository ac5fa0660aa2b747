"""Names of people as often as they occur in France, and words from which places are named.

Surnames follow a Zipf-Mandelbrot law over 300,000 of them: the first hundred are borne by 8 to 9 % of people, the first
thousand by a fifth, and half of all surnames by one or two people, as INSEE's file of surnames shows. The most frequent
are real, the others are put together from syllables.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random

from colloque.directory.folding import fold


def _list(text: str, mark: str | None = None) -> list[str]:
    """The words of a text, or what stands between marks and line ends."""
    return text.split() if mark is None else text.strip().replace("\n", mark).split(mark)


WOMEN = """
Marie Nathalie Isabelle Sophie Catherine Julie Céline Camille Sylvie Aurélie Stéphanie Émilie Claire Anne Sandrine
Laura Pauline Valérie Caroline Virginie Élodie Véronique Christine Laurence Marion Mathilde Léa Manon Delphine Florence
Corinne Christelle Hélène Charlotte Lucie Sarah Karine Patricia Audrey Amandine Anaïs Mélanie Justine Chloé Brigitte
Clémence Martine Élise Laëtitia Cécile Agnès Marine Margaux Françoise Nadia Carole Fanny Ludivine Jessica Morgane
Alice Clara Juliette Louise Séverine Magali Vanessa Emmanuelle Alexandra Élisabeth Pascale Dominique Anne-Sophie
Bénédicte Muriel Océane Estelle Gaëlle Béatrice Jeanne Marie-Claude Monique Inès Solène Coralie Alexia Ophélie Noémie
Eva Lucile Annie Chantal Marlène Myriam Fatima Marguerite Anne-Laure Maëlle Flavie Joëlle Rachel Clémentine Constance
Marie-Christine Geneviève Ingrid Barbara Nicole Odile Michèle Marie-Pierre Anne-Marie Cindy Sabrina Samira Maud Perrine
Leïla Victoria Rozenn Yasmina Marie-Laure Edwige Agathe Apolline Ségolène Maria Gwenaëlle Marie-Hélène Sonia Nora
Andreea Ioana Elena Karima Naïma Thi-Lan Aïcha Aminata Fatoumata Mariam Salomé Zoé Héloïse Maïwenn Enora Maï Oriane
"""
MEN = """
Nicolas Philippe Thomas Julien Christophe Olivier Pierre Alexandre Laurent Guillaume Antoine David Sébastien Frédéric
François Vincent Jean Maxime Mathieu Stéphane Benoît Michel Romain Éric Patrick Thierry Alain Florian Clément Pascal
Arnaud Quentin Paul Jérôme Bruno Cédric Xavier Fabien Alexis Kévin Bertrand Jean-Pierre Damien Anthony Denis Adrien
Baptiste Hugo Didier Marc Jacques Emmanuel Dominique Simon Gilles Valentin Louis Bernard Benjamin Grégory
Rémi Ludovic Gérard Samuel Franck Loïc Yann Hervé Martin Mickaël Daniel Charles Jean-François Raphaël Yves Jean-Marc
Lucas Christian Théo Gabriel Jonathan Matthieu Fabrice Aurélien Étienne Dimitri Luc Jean-Michel Corentin Victor Jordan
Mohamed Arthur Gaël Jean-Luc Joël Erwan Cyril Robin Jean-Louis Tristan Dorian Léo Gaëtan Jean-Philippe Henri Serge
Jean-Claude Karim Mehdi Sylvain Tanguy Éloi Augustin Jean-Baptiste Rémy Édouard Youssef Rachid Ahmed Pierre-Yves
Jean-Christophe Marc-Antoine Ronan Malo Youenn Andrei Mihai Ali Amine Bilal Ibrahima Mamadou José Luis João Van-Minh
"""
SURNAMES = """
MARTIN BERNARD THOMAS PETIT ROBERT RICHARD DURAND DUBOIS MOREAU LAURENT SIMON MICHEL LEFEBVRE LEROY ROUX DAVID BERTRAND
MOREL FOURNIER GIRARD BONNET DUPONT LAMBERT FONTAINE ROUSSEAU VINCENT MULLER LEFEVRE FAURE ANDRE MERCIER BLANC GUERIN
BOYER GARNIER CHEVALIER FRANCOIS LEGRAND GAUTHIER GARCIA PERRIN ROBIN CLEMENT MORIN NICOLAS HENRY ROUSSEL MATHIEU
GAUTIER MASSON MARCHAND DUVAL DENIS DUMONT MARIE LEMAIRE NOEL MEYER DUFOUR MEUNIER BRUN BLANCHARD GIRAUD JOLY RIVIERE
LUCAS BRUNET GAILLARD BARBIER ARNAUD MARTINEZ GERARD ROCHE RENARD SCHMITT ROY LEROUX COLIN VIDAL CARON PICARD ROGER
FABRE AUBERT LEMOINE RENAUD DUMAS LACROIX OLIVIER PHILIPPE BOURGEOIS PIERRE BENOIT REY LECLERC PAYET ROLLAND LECLERCQ
GUILLAUME LECOMTE LOPEZ JEAN DUPUY GUILLOT HUBERT BERGER CARPENTIER SANCHEZ DUPUIS MOULIN LOUIS DESCHAMPS HUET VASSEUR
PEREZ BOUCHER FLEURY ROYER KLEIN JACQUET ADAM PARIS POIRIER MARTY AUBRY GUYOT CARRE CHARLES RENAULT CHARPENTIER MENARD
MAILLARD BARON BERTIN BAILLY HERVE SCHNEIDER FERNANDEZ LEGER COLLET BOUVIER JULIEN PREVOST MILLET PERROT DANIEL COUSIN
GERMAIN BRETON BESSON LANGLOIS REMY LE GALL PELLETIER LEVEQUE PERRIER LEBLANC BARRE LEBRUN MARCHAL WEBER MALLET HAMON
BOULANGER JACOB MONNIER MICHAUD RODRIGUEZ GUICHARD GILLET ETIENNE GRONDIN POULAIN TESSIER CHEVALLIER COLLIN CHAUVIN
BOUCHET GAY LEMAITRE BENARD MARECHAL HUMBERT REYNAUD ANTOINE HOARAU PERRET BARTHELEMY CORDIER PICHON LEJEUNE GILBERT
LAMY DELAUNAY PASQUIER CARLIER LAPORTE BUISSON KIEFFER KOCH WAGNER ZIMMERMANN KELLER NGUYEN TRAN PHAM DIALLO TRAORE
BENALI SAIDI HADDAD CHERIF MANSOURI FERREIRA RODRIGUES PEREIRA DOS SANTOS DA SILVA ROSSI COLOMBANI SANTONI ETCHEVERRY
LE GOFF LE ROUX LE BIHAN KERVELLA TANGUY QUERE CAMPION PUECH CAZENAVE LAFFITTE SARRAZIN VAN DEN BERG POPESCU KOWALSKI
"""
_TWO_WORDS = ("LE GALL", "DOS SANTOS", "DA SILVA", "LE GOFF", "LE ROUX", "LE BIHAN", "VAN DEN BERG")
_RANKS = 300_000
_FLAT = 10.8
"""Zipf-Mandelbrot: a surname of rank r is borne in proportion to (r + 10.8) ** -0.8."""
_LOW, _HIGH = (0.5 + _FLAT) ** 0.2, (0.5 + _FLAT + _RANKS) ** 0.2

_STARTS = _list("""
BEL MONT CHAR GOUR VER CAST LAR BOUR MAR FER GAR TOUR CHAMP BRUN SAU VIL PON CAM DEL FAUR GRAN HAU JOU LAN MAU NOR PER
QUER RAM SER TAR VAL BAR COR DOR ESTE FLEU GUI HER LOU MOUR NAU PRA ROCHE SAL TREM VOI BAU CLO DAR FRE GOD KER LES MAL
ABEL ARN BLAN BREM CHAU DES DUC EGAL FOUR GAUD HOU LAF LIN MEL PLAN TAIL
""")
_MIDDLES = ["", *(a + b for a in _list("B CH D F G L M N P QU R S T V Z") for b in "AEIOU")]
_ENDS = _list("""
LIER NARD REAU LIN NET CHON LOT TAUD RAULT TELLE DOUIN BAC LEC ROUX DAIN GERE VEL LAND MENT VILLE SOIS RY GNANT REY
COL TOUT PART DEUX GNAC SSAS LIEU BERT GEOT VOIX NIER RIN CHET QUET SSON NNE DEL MANN BERG NI CHE GUE VIC DES
DI ZI REIRA NESCU GLU CIAN NEC ROU RAZ BUY
""")
_PARTICLES = ("LE ", "DE ", "D'", "DU ", "SAINT-", "BEN ", "EL ", "DA ")


class Names:
    """Draws names; `chance` is the caller's, so that a person's names depend on nobody else."""

    def __init__(self) -> None:
        self._women = _table(WOMEN.split())
        self._men = _table(MEN.split())
        text = " ".join(SURNAMES.split())
        for name in _TWO_WORDS:
            text = text.replace(f" {name} ", f" {name.replace(' ', '_')} ")
        self._surnames = [name.replace("_", " ") for name in text.split()]

    def given(self, chance: Random, *, woman: bool) -> str:
        """A given name."""
        table = self._women if woman else self._men
        return table[int(chance.random() * len(table))]

    def family(self, chance: Random) -> str:
        """A surname, now and then a double one."""
        name = self._of_rank(chance.random())
        return f"{name}-{self._of_rank(chance.random())}" if chance.random() < 0.02 else name

    def _of_rank(self, drawn: float) -> str:
        rank = int((_LOW + drawn * (_HIGH - _LOW)) ** 5 - _FLAT - 0.5)
        return self._surnames[rank] if rank < len(self._surnames) else _made_up(rank)


def _made_up(rank: int) -> str:
    """Each rank has its own; neighbours look nothing alike."""
    mixed = rank * 7_919 % (len(_STARTS) * len(_MIDDLES) * len(_ENDS))
    mixed, end = divmod(mixed, len(_ENDS))
    start, middle = divmod(mixed, len(_MIDDLES))
    particle = _PARTICLES[rank % len(_PARTICLES)] if rank % 19 == 0 else ""
    return particle + _STARTS[start] + _MIDDLES[middle] + _ENDS[end]


def _table(names: list[str]) -> list[str]:
    """Names repeated as often as they should be drawn: the first some thirty times as often as the last."""
    shares = [1 / (rank + 5) for rank in range(len(names))]
    cuts = [round(4_000 * total / sum(shares)) for total in accumulate(shares)]
    return [name for name, low, high in zip(names, [0, *cuts], cuts, strict=False) for _ in range(high - low)]


def slug(text: str) -> str:
    """A name as it stands in a mail address."""
    return fold(text).replace(" ", "-")


STREETS = (
    """
DE L'HORLOGE|DES TILLEULS|DU MARECHAL FOCH|VICTOR HUGO|DE LA REPUBLIQUE|PASTEUR|DE L'EGLISE|DU 8 MAI 1945|DES ECOLES
JEAN JAURES|DE LA GARE|DU MOULIN|DES ACACIAS|DE VERDUN|DU CHATEAU|DE L'ANCIEN HOTEL-DIEU|DES PEUPLIERS|DU STADE
""".strip()
    .replace("\n", "|")
    .split("|")
)
WAYS = [("R", "Rue"), ("AV", "Avenue"), ("BD", "Boulevard"), ("PL", "Place"), ("RTE", "Route"), ("CHE", "Chemin")]
HOUSES = (
    """
LES TILLEULS|LES GLYCINES|L'HORLOGE|LA ROSERAIE|LES CEDRES|DU PARC|L'OLIVIER|DES LICES|BELLEVUE|SAINTE-ANNE|DU LAC
LES HORTENSIAS|L'ETOILE|LE VERGER|DES REMPARTS|DE LA FONTAINE|LES MARRONNIERS|L'ABBAYE|SAINT-JOSEPH|PASTEUR|LA COLLINE
LES JARDINS|DU CENTRE|DE LA GARE|DES HALLES|DU MARCHE|LES LILAS|BEAUSEJOUR|LE CLOS|NOTRE-DAME|DU VAL|LES PINS|LA SOURCE
""".strip()
    .replace("\n", "|")
    .split("|")
)
