"""Classes of documents, and which class each type of document is of (ANS, Nomenclatures des objets de santé)."""

from __future__ import annotations

CLASSES = {
    "10": "Compte rendu",
    "11": "Synthèse",
    "31": "Imagerie médicale",
    "42": "Prescription",
    "43": "Dispensation",
    "44": "Plan de soins, protocole de soins",
    "45": "Traitement administré",
    "52": "Certificat, déclaration",
}
"""JDV_J06 XdsClassCode: what professionals send."""

_TYPES = {
    "10": (
        "10213-7 11488-4 11490-0 11493-4 11502-2 11505-5 11506-3 11526-1 11528-7 15507-7 15508-5 24611-6 "
        "27899-4 28653-4 29274-8 29554-3 34112-3 34749-2 34794-8 34874-8 34875-5 39256-3 46241-6 47420-5 "
        "51969-4 59283-2 60568-3 67851-6 70004-7 75482-0 75492-9 75496-0 75497-8 77436-4 78513-9 78601-2 "
        "83981-1 85208-7 93024-8 96349-6 BIL_AUTO"
    ),
    "11": (
        "18761-7 34133-9 34842-5 56445-0 57055-6 57057-2 57075-4 60591-5 68599-0 68817-6 74207-2 78489-2 "
        "80820-4 83836-7 83901-9 88348-8 89235-6 EXPORT_DUI SYNTH"
    ),
    "31": "18748-4 52040-3 IMG-KOS",
    "42": (
        "29551-9 52063-5 52521-2 55115-0 57828-6 57832-8 57833-6 61357-0 75468-9 PRESC-AAT PRESC-BIO "
        "PRESC-INF PRESC-KINE PRESC-ORTHOPHO PRESC-ORTHOPTIE PRESC-PEDI"
    ),
    "43": "29550-1 60593-1 DISP_AUT",
    "44": "18776-5 77604-7 80771-9 80788-3 83869-8 PROT_ALD",
    "45": "80565-5",
    "52": "11369-6 87273-9 89601-9 96173-0 96874-3 CERT_DECL",
}
CLASS_OF_TYPE = {type_: class_ for class_, types in _TYPES.items() for type_ in types.split()}
"""ASS_X04-CorrespondanceType-Classe-CISIS, as of 2024-02-23: the class of a type of JDV_J07 (LOINC, TRE_A05).

Left out are what patients write and administrative documents, whose classes are none of `CLASSES`. A type that ANS has
added since is not known here: it is not guessed.
"""
