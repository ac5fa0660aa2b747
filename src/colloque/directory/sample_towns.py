"""Real French communes for the sample: INSEE and postal codes, and sizes from which towns are drawn.

By département: name, the rest of its INSEE code, postcode (a big town has several, with `+`), thousands of inhabitants.
Written from general knowledge of the Code officiel géographique; sizes are rounded.
"""

from __future__ import annotations

from typing import NamedTuple

from colloque.directory.folding import fold

_LISTED = """
01|Bourg-en-Bresse 053 01000 41|Oyonnax 283 01100 22|Ambérieu-en-Bugey 004 01500 14|Gex 173 01170 13
02|Saint-Quentin 691 02100 53|Soissons 722 02200 28|Laon 408 02000 24|Château-Thierry 168 02400 15
03|Montluçon 185 03100 34|Vichy 310 03200 25|Moulins 190 03000 19
04|Manosque 112 04100 22|Digne-les-Bains 070 04000 16
05|Gap 061 05000 40|Briançon 023 05100 11
06|Nice 088 06000+06100+06200+06300 342|Antibes 004 06600 72|Cannes 029 06400 74|Grasse 069 06130 48
06|Cagnes-sur-Mer 027 06800 51|Le Cannet 030 06110 41|Menton 083 06500 30|Saint-Laurent-du-Var 123 06700 29
07|Annonay 010 07100 16|Aubenas 019 07200 12|Privas 186 07000 8
08|Charleville-Mézières 105 08000 46|Sedan 409 08200 16
09|Pamiers 225 09100 16|Foix 122 09000 10
10|Troyes 387 10000 62
11|Narbonne 262 11100 56|Carcassonne 069 11000 46|Castelnaudary 076 11400 12|Limoux 206 11300 10
12|Rodez 202 12000 24|Millau 145 12100 22|Villefranche-de-Rouergue 300 12200 12
13|Aix-en-Provence 001 13100+13090 145|Arles 004 13200 50|Martigues 056 13500 48|Aubagne 005 13400 47
13|Istres 047 13800 43|Salon-de-Provence 103 13300 45|Vitrolles 117 13127 34|Marignane 054 13700 33
13|La Ciotat 028 13600 36|Miramas 063 13140 26|Gardanne 041 13120 21|Allauch 002 13190 21|Tarascon 108 13150 15
14|Caen 118 14000 107|Hérouville-Saint-Clair 327 14200 23|Lisieux 366 14100 20|Bayeux 047 14400 13
15|Aurillac 014 15000 26|Saint-Flour 187 15100 7
16|Angoulême 015 16000 42|Cognac 102 16100 19
17|La Rochelle 300 17000 78|Saintes 415 17100 25|Rochefort 299 17300 24|Royan 306 17200 19
18|Bourges 033 18000 64|Vierzon 279 18100 26|Saint-Amand-Montrond 197 18200 10
19|Brive-la-Gaillarde 031 19100 47|Tulle 272 19000 15|Ussel 275 19200 9
2A|Ajaccio 004 20000+20090 73|Porto-Vecchio 247 20137 12|Sartène 272 20100 3
2B|Bastia 033 20200 48|Corte 096 20250 8|Calvi 050 20260 6|Borgo 042 20290 9|L'Île-Rousse 134 20220 3
21|Dijon 231 21000 159|Beaune 054 21200 21|Chenôve 166 21300 14|Talant 617 21240 12
22|Saint-Brieuc 278 22000 44|Lannion 113 22300 20|Lamballe-Armor 093 22400 17|Dinan 050 22100 14
22|Guingamp 070 22200 7|Loudéac 136 22600 9|Paimpol 162 22500 7
23|Guéret 096 23000 13
24|Périgueux 322 24000 30|Bergerac 037 24100 27|Sarlat-la-Canéda 520 24200 9
25|Besançon 056 25000 119|Montbéliard 388 25200 26|Pontarlier 462 25300 18|Audincourt 031 25400 14
26|Valence 362 26000 64|Montélimar 198 26200 40|Romans-sur-Isère 281 26100 33|Bourg-lès-Valence 058 26500 20
27|Évreux 229 27000 47|Vernon 681 27200 24|Louviers 375 27400 19|Val-de-Reuil 701 27100 13|Bernay 056 27300 10
28|Chartres 085 28000 38|Dreux 134 28100 31|Lucé 218 28110 16|Châteaudun 088 28200 13
29|Brest 019 29200 140|Quimper 232 29000 63|Concarneau 039 29900 20|Morlaix 151 29600 15|Landerneau 103 29800 16
29|Douarnenez 046 29100 14|Quimperlé 233 29300 12|Carhaix-Plouguer 024 29270 7
30|Nîmes 189 30000+30900 149|Alès 007 30100 41|Bagnols-sur-Cèze 028 30200 18|Beaucaire 032 30300 16|Uzès 334 30700 8
31|Toulouse 555 31000+31100+31200+31300+31400+31500 498|Colomiers 149 31770 39|Tournefeuille 557 31170 29
31|Muret 395 31600 26|Blagnac 069 31700 26|Cugnaux 157 31270 19|Balma 044 31130 17|Saint-Gaudens 483 31800 12
32|Auch 013 32000 22
33|Bordeaux 063 33000+33100+33200+33300+33800 260|Mérignac 281 33700 73|Pessac 318 33600 66|Talence 522 33400 44
33|Villenave-d'Ornon 550 33140 39|Saint-Médard-en-Jalles 449 33160 32|Bègles 039 33130 31|Libourne 243 33500 25
33|La Teste-de-Buch 529 33260 26|Gradignan 192 33170 26|Cenon 119 33150 26|Lormont 249 33310 24|Arcachon 009 33120 12
34|Montpellier 172 34000+34070+34080+34090 299|Béziers 032 34500 78|Sète 301 34200 44|Agde 003 34300 29
34|Lunel 145 34400 26|Castelnau-le-Lez 057 34170 24|Lattes 129 34970 17|Pézenas 199 34120 8
35|Rennes 238 35000+35200+35700 222|Saint-Malo 288 35400 47|Fougères 115 35300 21|Vitré 360 35500 18
35|Bruz 047 35170 19|Cesson-Sévigné 051 35510 18|Redon 236 35600 9
36|Châteauroux 044 36000 43|Issoudun 088 36100 11
37|Tours 261 37000+37100+37200 137|Joué-lès-Tours 122 37300 38|Saint-Cyr-sur-Loire 214 37540 16|Amboise 003 37400 13
38|Grenoble 185 38000+38100 158|Saint-Martin-d'Hères 421 38400 38|Échirolles 151 38130 37|Vienne 544 38200 30
38|Bourgoin-Jallieu 053 38300 29|Voiron 563 38500 20|Meylan 229 38240 18|L'Isle-d'Abeau 193 38080 17
39|Dole 198 39100 24|Lons-le-Saunier 300 39000 17|Saint-Claude 478 39200 9
40|Mont-de-Marsan 192 40000 30|Dax 088 40100 21|Biscarrosse 046 40600 14
41|Blois 018 41000 46|Romorantin-Lanthenay 194 41200 17|Vendôme 269 41100 16
42|Saint-Étienne 218 42000+42100 174|Roanne 187 42300 35|Saint-Chamond 207 42400 35|Firminy 095 42700 17
43|Le Puy-en-Velay 157 43000 19|Brioude 040 43100 7
44|Nantes 109 44000+44100+44200+44300 320|Saint-Nazaire 184 44600 72|Saint-Herblain 162 44800 50|Rezé 143 44400 43
44|Orvault 114 44700 27|Vertou 215 44120 25|Carquefou 026 44470 20|Châteaubriant 036 44110 12|Guérande 069 44350 16
45|Orléans 234 45000+45100 116|Fleury-les-Aubrais 147 45400 21|Olivet 232 45160 22|Montargis 208 45200 15
46|Cahors 042 46000 20|Figeac 102 46100 10
47|Agen 001 47000 33|Villeneuve-sur-Lot 323 47300 22|Marmande 157 47200 17
48|Mende 095 48000 12
49|Angers 007 49000+49100 157|Cholet 099 49300 54|Saumur 328 49400 26|Trélazé 353 49800 15
50|Cherbourg-en-Cotentin 129 50100 78|Saint-Lô 502 50000 19|Granville 218 50400 12|Avranches 025 50300 10
51|Reims 454 51100 179|Châlons-en-Champagne 108 51000 43|Épernay 230 51200 22|Vitry-le-François 649 51300 11
52|Saint-Dizier 448 52100 23|Chaumont 121 52000 21|Langres 269 52200 8
53|Laval 130 53000 49|Mayenne 147 53100 13
54|Nancy 395 54000+54100 104|Vandœuvre-lès-Nancy 547 54500 30|Lunéville 329 54300 17|Toul 528 54200 15
54|Longwy 323 54400 15|Pont-à-Mousson 431 54700 14|Villers-lès-Nancy 578 54600 14|Laxou 304 54520 14
55|Verdun 545 55100 16|Bar-le-Duc 029 55000 14|Commercy 122 55200 5
56|Lorient 121 56100 57|Vannes 260 56000 53|Lanester 098 56600 23|Pontivy 178 56300 15|Auray 007 56400 14
57|Metz 463 57000+57050+57070 118|Thionville 672 57100 41|Montigny-lès-Metz 480 57950 21|Forbach 227 57600 21
57|Sarreguemines 631 57200 20|Saint-Avold 606 57500 15|Sarrebourg 630 57400 12
58|Nevers 194 58000 33|Cosne-Cours-sur-Loire 086 58200 10
59|Lille 350 59000+59800 234|Tourcoing 599 59200 98|Roubaix 512 59100 98|Dunkerque 183 59140+59240 86
59|Villeneuve-d'Ascq 009 59650 62|Valenciennes 606 59300 43|Douai 178 59500 40|Wattrelos 650 59150 41
59|Marcq-en-Barœul 378 59700 38|Maubeuge 392 59600 29|Cambrai 122 59400 32|Lambersart 328 59130 28
59|Armentières 017 59280 25|La Madeleine 368 59110 22|Hazebrouck 295 59190 21|Saint-Amand-les-Eaux 526 59230 16
60|Beauvais 057 60000 56|Compiègne 159 60200 40|Creil 175 60100 36|Senlis 612 60300 15|Noyon 471 60400 13
61|Alençon 001 61000 25|Flers 169 61100 14|Argentan 006 61200 13|L'Aigle 214 61300 8
62|Calais 193 62100 67|Arras 041 62000 42|Boulogne-sur-Mer 160 62200 40|Lens 498 62300 32|Liévin 510 62800 30
62|Hénin-Beaumont 427 62110 26|Béthune 119 62400 25|Saint-Omer 765 62500 15|Berck 108 62600 14|Montreuil 588 62170 2
63|Clermont-Ferrand 113 63000+63100 147|Cournon-d'Auvergne 124 63800 20|Riom 300 63200 19|Issoire 178 63500 15
64|Pau 445 64000 77|Bayonne 102 64100 52|Anglet 024 64600 40|Biarritz 122 64200 26|Saint-Jean-de-Luz 483 64500 14
64|Oloron-Sainte-Marie 422 64400 11|Orthez 430 64300 10
65|Tarbes 440 65000 44|Lourdes 286 65100 13|Bagnères-de-Bigorre 059 65200 7
66|Perpignan 136 66000+66100 120|Canet-en-Roussillon 037 66140 13|Saint-Estève 172 66240 12|Prades 149 66500 6
67|Strasbourg 482 67000+67100+67200 291|Haguenau 180 67500 35|Schiltigheim 447 67300 34|Sélestat 462 67600 19
67|Illkirch-Graffenstaden 218 67400 27|Saverne 437 67700 11|Obernai 348 67210 12|Wissembourg 544 67160 8
68|Mulhouse 224 68100+68200 108|Colmar 066 68000 68|Saint-Louis 297 68300 22|Guebwiller 112 68500 11
69|Villeurbanne 266 69100 157|Vénissieux 259 69200 66|Vaulx-en-Velin 256 69120 52|Saint-Priest 290 69800 47
69|Caluire-et-Cuire 034 69300 43|Bron 029 69500 42|Villefranche-sur-Saône 264 69400 36|Meyzieu 282 69330 34
69|Sainte-Foy-lès-Lyon 202 69110 22|Givors 091 69700 20|Tassin-la-Demi-Lune 244 69160 23|Écully 081 69130 18
70|Vesoul 550 70000 15|Héricourt 285 70400 10|Lure 310 70200 8
71|Chalon-sur-Saône 076 71100 45|Mâcon 270 71000 34|Le Creusot 153 71200 21|Autun 014 71400 13
72|Le Mans 181 72000+72100 145|La Flèche 154 72200 15|Sablé-sur-Sarthe 264 72300 12
73|Chambéry 065 73000 59|Aix-les-Bains 008 73100 31|Albertville 011 73200 19|Saint-Jean-de-Maurienne 248 73300 8
74|Annecy 010 74000 131|Thonon-les-Bains 281 74200 36|Annemasse 012 74100 37|Cluses 081 74300 17
74|Sallanches 256 74700 16|Chamonix-Mont-Blanc 056 74400 9
76|Rouen 540 76000+76100 114|Le Havre 351 76600+76610+76620 166|Sotteville-lès-Rouen 681 76300 28
76|Saint-Étienne-du-Rouvray 575 76800 28|Dieppe 217 76200 28|Fécamp 259 76400 18|Elbeuf 231 76500 16
77|Meaux 284 77100 55|Chelles 108 77500 54|Melun 288 77000 41|Pontault-Combault 373 77340 38|Torcy 468 77200 22
77|Savigny-le-Temple 445 77176 31|Lagny-sur-Marne 243 77400 22|Fontainebleau 186 77300 15|Provins 379 77160 12
78|Versailles 646 78000 84|Sartrouville 586 78500 52|Mantes-la-Jolie 361 78200 44|Poissy 498 78300 39
78|Saint-Germain-en-Laye 551 78100 44|Conflans-Sainte-Honorine 172 78700 35|Montigny-le-Bretonneux 423 78180 32
78|Le Chesnay-Rocquencourt 158 78150 31|Rambouillet 517 78120 27|Trappes 621 78190 32|Maisons-Laffitte 358 78600 23
79|Niort 191 79000 59|Bressuire 049 79300 20|Parthenay 202 79200 10
80|Amiens 021 80000+80080+80090 134|Abbeville 001 80100 23|Péronne 620 80200 7
81|Albi 004 81000 49|Castres 065 81100 42|Gaillac 099 81600 15|Mazamet 163 81200 10
82|Montauban 121 82000 61|Castelsarrasin 033 82100 14|Moissac 112 82200 13
83|Toulon 137 83000+83100+83200 179|La Seyne-sur-Mer 126 83500 63|Hyères 069 83400 55|Fréjus 061 83600 56
83|Draguignan 050 83300 40|Saint-Raphaël 118 83700 36|Six-Fours-les-Plages 129 83140 36|Brignoles 023 83170 18
83|Sanary-sur-Mer 123 83110 17|Saint-Maximin-la-Sainte-Baume 116 83470 17|Saint-Tropez 119 83990 4
84|Avignon 007 84000 91|Orange 087 84100 29|Carpentras 031 84200 29|Cavaillon 035 84300 26|Pertuis 089 84120 20
84|L'Isle-sur-la-Sorgue 054 84800 20|Apt 003 84400 11|Vaison-la-Romaine 137 84110 6
85|La Roche-sur-Yon 191 85000 55|Les Sables-d'Olonne 194 85100 45|Challans 047 85300 21|Fontenay-le-Comte 092 85200 13
86|Poitiers 194 86000 89|Châtellerault 066 86100 31|Loudun 137 86200 7
87|Limoges 085 87000+87100 130|Saint-Junien 154 87200 11|Saint-Yrieix-la-Perche 187 87500 7
88|Épinal 160 88000 32|Saint-Dié-des-Vosges 413 88100 19|Gérardmer 196 88400 8|Remiremont 383 88200 8
89|Auxerre 024 89000 35|Sens 387 89100 26|Avallon 025 89200 6
90|Belfort 010 90000 46
91|Évry-Courcouronnes 228 91000 67|Massy 377 91300 50|Corbeil-Essonnes 174 91100 52|Palaiseau 477 91120 36
91|Savigny-sur-Orge 589 91600 37|Sainte-Geneviève-des-Bois 549 91700 36|Athis-Mons 027 91200 34|Yerres 691 91330 29
91|Les Ulis 692 91940 25|Étampes 223 91150 25|Longjumeau 345 91160 21|Orsay 471 91400 16
92|Boulogne-Billancourt 012 92100 121|Nanterre 050 92000 96|Asnières-sur-Seine 004 92600 87|Colombes 025 92700 90
92|Courbevoie 026 92400 82|Rueil-Malmaison 063 92500 79|Issy-les-Moulineaux 040 92130 68|Antony 002 92160 64
92|Levallois-Perret 044 92300 66|Clichy 024 92110 63|Neuilly-sur-Seine 051 92200 60|Clamart 023 92140 59
92|Suresnes 073 92150 49|Montrouge 049 92120 48|Saint-Cloud 064 92210 30|Bourg-la-Reine 014 92340 20
93|Saint-Denis 066 93200+93210 113|Montreuil 048 93100 111|Aubervilliers 001 93300 88|Aulnay-sous-Bois 005 93600 86
93|Drancy 029 93700 72|Noisy-le-Grand 051 93160 68|Pantin 055 93500 59|Bondy 010 93140 54|Bobigny 008 93000 54
93|Saint-Ouen-sur-Seine 070 93400 51|Sevran 071 93270 51|Le Raincy 062 93340 15|Les Lilas 045 93260 23
94|Vitry-sur-Seine 081 94400 95|Créteil 028 94000 92|Champigny-sur-Marne 017 94500 77|Ivry-sur-Seine 041 94200 63
94|Saint-Maur-des-Fossés 068 94100+94210 75|Maisons-Alfort 046 94700 57|Villejuif 076 94800 57|Vincennes 080 94300 48
94|L'Haÿ-les-Roses 038 94240 31|Le Kremlin-Bicêtre 043 94270 25|Villeneuve-Saint-Georges 078 94190 34
95|Argenteuil 018 95100 110|Sarcelles 585 95200 58|Cergy 127 95000+95800 65|Pontoise 500 95300 31|Ermont 219 95120 29
95|Garges-lès-Gonesse 268 95140 43|Gonesse 277 95500 26|L'Isle-Adam 313 95290 12|Enghien-les-Bains 210 95880 11
971|Les Abymes 01 97139 53|Pointe-à-Pitre 20 97110 15|Basse-Terre 05 97100 10|Baie-Mahault 03 97122 31
971|Le Gosier 13 97190 27|Sainte-Anne 28 97180 24
972|Fort-de-France 09 97200 76|Le Lamentin 13 97232 40|Schœlcher 29 97233 20|Sainte-Marie 28 97230 15
973|Cayenne 02 97300 63|Saint-Laurent-du-Maroni 11 97320 47|Kourou 04 97310 24
974|Saint-Denis 11 97400 153|Saint-Paul 15 97460 103|Saint-Pierre 16 97410 84|Le Tampon 22 97430 79
974|Saint-Louis 14 97450 53|Saint-Benoît 10 97470 37|Saint-Joseph 12 97480 38|Sainte-Marie 18 97438 34
976|Mamoudzou 11 97600 71
"""
_ARRONDISSEMENTS = (
    ("Paris", "75", 751, [16, 21, 33, 29, 57, 40, 48, 35, 60, 84, 144, 139, 179, 134, 227, 161, 164, 188, 182, 189]),
    ("Lyon", "69", 6938, [29, 30, 102, 36, 49, 51, 84, 86, 52]),
    (
        "Marseille",
        "13",
        132,
        [38, 24, 54, 49, 46, 41, 35, 82, 75, 56, 56, 60, 92, 62, 78, 16],
    ),
)
"""The three cities whose arrondissements have their own codes, and thousands of inhabitants of each."""


class Town(NamedTuple):
    """One commune, or one arrondissement."""

    name: str
    """As INSEE writes it: `Saint-Étienne`, `Paris 15e Arrondissement`."""
    insee: str
    postcodes: tuple[str, ...]
    size: int
    """Thousands of inhabitants."""
    post: str
    """As an envelope says it: `SAINT-ETIENNE`, `PARIS`."""

    @property
    def department(self) -> str:
        """`69`, `2A`, `974`."""
        return self.insee[:3] if self.insee.startswith("97") else self.insee[:2]


def _capitals(name: str) -> str:
    """Without accents, hyphens and apostrophes kept."""
    return "".join(c if c in " -'" else fold(c).upper() for c in name)


def _listed() -> list[Town]:
    towns = []
    for line in _LISTED.strip().split("\n"):
        department, *entries = line.split("|")
        for entry in entries:
            name, rest, postcodes, size = entry.rsplit(" ", 3)
            codes = tuple(postcodes.split("+"))
            towns.append(Town(name, department + rest, codes, int(size), _capitals(name)))
    for city, department, prefix, sizes in _ARRONDISSEMENTS:
        for number, people in enumerate(sizes, 1):
            name = f"{city} {number}{'er' if number == 1 else 'e'} Arrondissement"
            insee = f"{prefix}{number:0{5 - len(str(prefix))}}"
            towns.append(Town(name, insee, (f"{department}0{number:02}",), people, city.upper()))
    return sorted(towns, key=lambda town: town.insee)


TOWNS = _listed()
"""By INSEE code, so that a département's towns stand together."""
