"""Names for patient rooms: two French words that say nothing about the patient and are never given twice."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from itertools import product

FIRST = """
Abricot Airelle Amande Ananas Anis Bambou Basilic Bergamote Bleuet Bruyère Cacao Cannelle Capucine Cassis
Cèdre Cerise Citron Clémentine Coing Coquelicot Cumin Datte Érable Fenouil Figue Fougère Fraise Framboise
Genêt Gentiane Girofle Glycine Grenade Groseille Hibiscus Jasmin Laurier Lavande Lilas Litchi Mangue
Marjolaine Mélisse Menthe Mimosa Mirabelle Mûre Muscade Myrtille Noisette Olive Origan Papaye Pivoine Prune
Réglisse Romarin Safran Sauge Thym Tilleul Tulipe Vanille Verveine
""".split()  # noqa: SIM905  easier to read and extend
SECOND = """
Abeille Albatros Alouette Archipel Balcon Baleine Barque Beffroi Boussole Cabane Canal Cascade Château Cigale
Clairière Clocher Colibri Colline Corail Dauphin Digue Écluse Étang Falaise Fanal Fontaine Galet Gazelle
Girafe Glacier Goéland Hameau Hérisson Hibou Horizon Lagune Loutre Lucarne Manège Marmotte Mésange Moulin
Nacelle Oasis Panda Phare Pigeonnier Planète Plateau Ponton Rivage Rocher Sentier Source Tanière Terrasse
Tortue Tramway Vallon Verger Viaduc Village Voilier Zèbre
""".split()  # noqa: SIM905  easier to read and extend


def are_ours(words: str) -> bool:
    """Whether these are words as `pick` gives."""
    return {*words.split()} <= {*FIRST, *SECOND} and len(words.split()) in {2, 3}


def are_alike(words: str, beside: Collection[str]) -> bool:
    """Whether one of these words stands in `beside` too."""
    return not {*words.split()}.isdisjoint(word for each in beside for word in each.split())


def pick(taken: Collection[str], beside: Collection[str] = ()) -> str:
    """Two words not in `taken`, chosen at random so that nobody can guess the next.

    `beside`: the words of the rooms that its people have already: none of these comes again where that can be helped,
    so that nobody writes in "Cerise Moulin" for "Cerise Phare". When every pair was given once (4,900 rooms), there are
    three words.
    """
    used = {word for words in beside for word in words.split()}
    free = [pair for pair in map(" ".join, product(FIRST, SECOND)) if pair not in taken]
    apart = [pair for pair in free if used.isdisjoint(pair.split())]
    if apart or free:
        return secrets.choice(apart or free)
    while (words := f"{secrets.choice(FIRST)} {secrets.choice(SECOND)} {secrets.choice(FIRST)}") in taken:
        pass
    return words
