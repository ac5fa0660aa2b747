"""Structure, files, packages and envelopes: each awkward mail with its right outcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.mail.corpus import outcome

OUTCOMES: dict[str, dict[str, Any]] = {
    "apple-double": {"text": "Voir joint", "files": ["cr.pdf.applefile", "cr.pdf"]},
    "attachment-only": {"text": "", "files": ["cr.pdf"]},
    "base64-garbage": {"text": "Voir joint", "files": ["cr.pdf"], "problems": ["base64"]},
    "boundary-in-boundary": {"text": "Un seul texte.", "files": ["a.csv"]},
    "boundary-repeated": {"text": "Dedans.", "files": ["a.csv"], "problems": ["boundary"]},
    "cid-images": {
        "text": "Avant et après",
        "html": "<p>Avant et <b>après</b> </p>",
        "files": ["document-1.png", "apres.png", "message.html"],
    },
    "content-type-bad": {"text": "Texte."},
    "digest": {"text": "", "files": ["document-1.eml", "document-2.eml"]},
    "encoding-unknown": {"text": "Texte.", "files": ["document-1.txt"], "problems": ["encoding"]},
    "external-body": {"text": "Le fichier est ailleurs", "files": ["document-1.bin"]},
    "flowed-delsp": {"text": "Hospitalisation demain."},
    "flowed": {
        "text": "Cher confrère, voici le bilan de votre patient.\n\n> cité sur deux lignes\n retrait\n-- \nDr ESSAI"
    },
    "forward-alone": {"text": "", "files": ["document-1.eml"]},
    "forward-base64": {"text": "Pour avis", "files": ["transmis.eml"]},
    "forward-in-forward": {"text": "Pour avis", "files": ["document-1.eml"]},
    "inner-unterminated": {"text": "Dedans.", "files": ["a.csv"]},
    "name-control": {"files": ["ab c.pdf"]},
    "name-long": {
        "files": [
            "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé.pdf"
        ]
    },
    "name-rtl": {"files": ["comptefdp.exe"]},
    "names-repeated": {"files": ["cr.pdf", "cr (2).pdf", "cr (3).pdf", "CR (4).PDF"]},
    "nested-20": {"text": "Tout au fond."},
    "nested-25": {"text": "", "files": ["document-1.bin"], "problems": ["too-deep"]},
    "no-boundary-parameter": {"text": "--b\nContent-Type: text/plain\n\nTexte.\n--b--", "problems": ["boundary"]},
    "no-parts": {"text": "--b--", "problems": ["boundary"]},
    "partial": {"text": "", "files": ["document-1.bin"]},
    "path-names": {
        "files": ["passwd", "cr.pdf", "_con.pdf", "_NUL", "document-5.bin", "cache", "cr (2).pdf", "document-8.bin"]
    },
    "pgp-encrypted": {"text": "", "files": ["document-1.bin", "encrypted.asc"], "problems": ["pgp-encrypted"]},
    "pgp-signed": {"text": "Texte signé.", "files": ["signature.asc"], "problems": ["pgp-signed"]},
    "qp-soft-breaks": {"text": "Le patient présente une fièvre modérée=XY et "},
    "binary-body": {"text": "", "files": ["essai.bin"]},
    "related-root-last": {"text": "Voir l'image", "files": ["document-1.png"]},
    "rfc2047-name": {"text": "Voir joint", "files": ["bébé.pdf"]},
    "rfc2231-continued": {"text": "Voir joint", "files": ["bilan de l'été.pdf"]},
    "smime-damaged": {"text": "", "files": ["smime.p7m"], "problems": ["smime"]},
    "smime-detached": {"text": "Potassium 4,1 mmol/L, signé.", "files": ["smime.p7s"], "problems": ["smime-signed"]},
    "smime-enveloped": {"text": "", "files": ["smime.p7m"], "problems": ["smime-encrypted"]},
    "smime-opaque-pieces": {
        "text": "Potassium 4,1 mmol/L, signé.",
        "files": ["smime.p7m"],
        "problems": ["smime-signed"],
    },
    "smime-opaque": {"text": "Potassium 4,1 mmol/L, signé.", "files": ["smime.p7m"], "problems": ["smime-signed"]},
    "text-attached": {"text": "Le corps", "files": ["notes.txt"]},
    "tnef-body": {
        "text": "Arrêter ~~amoxicilline~~ ce soir.\nDr ESSAI",
        "html": "Arrêter <del>amoxicilline</del> ce soir.<br>Dr ESSAI",
        "files": ["message.rtf"],
    },
    "tnef-damaged": {"text": "Voir joint", "files": ["winmail.dat", "bilan d'été.pdf"], "problems": ["tnef"]},
    "tnef-files": {"text": "Voir joint", "files": ["bilan d'été.pdf", "notes.txt"]},
    "tnef-in-name": {"text": "Voir joint", "files": ["winmail.dat"], "problems": ["tnef"]},
    "unknown-multipart": {"text": "Un.\n\nDeux."},
    "unnamed-files": {
        "text": "Trois fichiers",
        "files": ["document-1.pdf", "document-2.jpg", "document-3.bin", "document-4.txt"],
    },
    "uuencoded-in-text": {"text": "Bonjour,\n\nbegin 644 a.txt\n&8F]N:F]U\n`\nend"},
}
"""What is as in most of these mails is left out: see `corpus.outcome`."""


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str):
    assert outcome(name) == OUTCOMES[name]
