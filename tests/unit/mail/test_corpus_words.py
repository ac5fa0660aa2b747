"""Charsets, headers, HTML, machines' mails and calendars: each awkward mail with its right outcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.mail.corpus import outcome

OUTCOMES: dict[str, dict[str, Any]] = {
    "absence-asks-receipt": {"text": "Je suis absent.", "automatic": True, "robot": "reply"},
    "absence-precedence": {
        "text": "Je suis absent jusqu'au 9.",
        "subject": "Absence : Essai",
        "automatic": True,
        "robot": "reply",
    },
    "alternative-disagrees": {"text": "Prendre 5 mg matin et 10 mg soir"},
    "broken-words": {"subject": "=?utf-8?Q?ouvert et étéét =?utf-8?Z?w6l0?="},
    "calendar-all-day": {
        "text": "Invitation",
        "files": ["document-1.ics"],
        "meetings": [("request", "2026-03-09", "2026-03-10", "Formation", "")],
    },
    "calendar-cancel": {
        "text": "Annulation",
        "files": ["document-1.ics"],
        "meetings": [("cancel", "2026-03-09 14:00:00+01:00", "2026-03-09 15:30:00+01:00", "RCP oncologie", "")],
    },
    "calendar-hostile": {"text": "Invitation", "files": ["document-1.ics"]},
    "calendar-other-zone": {"text": "Invitation", "files": ["document-1.ics"]},
    "calendar-request": {
        "text": "Invitation",
        "files": ["document-1.ics"],
        "meetings": [
            (
                "request",
                "2026-03-09 14:00:00+01:00",
                "2026-03-09 15:30:00+01:00",
                "RCP oncologie, dossier ESSAI",
                "Salle 2",
            )
        ],
    },
    "charset-quoted": {"text": "été"},
    "cp1252-as-latin1": {"text": "“dose” : 5 € – Zoé"},
    "date-far": {"problems": ["date"]},
    "date-missing": {"problems": ["date"]},
    "date-old": {"problems": ["date"]},
    "date-out-of-range": {"problems": ["date"]},
    "date-words": {"problems": ["date"]},
    "dsn-lower-case": {
        "text": "Non remis",
        "files": ["document-1.txt", "document-2.eml"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("failed", "louis.essai@aura.mssante.example", "<notre-mail@aura.mssante.example>")],
        "from_operator": True,
    },
    "dsn-no-original": {
        "text": "Non remis",
        "files": ["document-1.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("failed", "louis.essai@aura.mssante.example", None)],
        "from_operator": True,
    },
    "dsn-of-dsn": {
        "text": "Boucle de non-remise",
        "files": ["document-1.txt", "document-2.eml"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("failed", "mailer-daemon@autre.example", "<leur-dsn@autre.example>")],
        "from_operator": True,
    },
    "dsn-three": {
        "text": "Trois",
        "files": ["document-1.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("delivered", "a@x.example", None), ("failed", None, None)],
        "from_operator": True,
    },
    "empty-body": {"text": ""},
    "empty-headers": {
        "text": "Un texte.",
        "problems": ["message-id-missing", "from-missing", "date"],
        "subject": "",
        "sender": ("", ""),
        "message_id": None,
    },
    "folded-subject": {"subject": "Bilan du patient ESSAI suite"},
    "from-comma": {"sender": ("ESSAI, Camille (cardiologie)", "camille.essai@aura.mssante.example")},
    "from-comment": {"sender": ("", "camille.essai@aura.mssante.example")},
    "from-group": {"problems": ["from-repeated"], "sender": ("", "")},
    "from-homograph": {"sender": ("Dr Camille ESSAI", "camille.essai@аura.mssante.example")},
    "from-missing": {"problems": ["from-missing"], "sender": ("", "")},
    "from-route": {"problems": ["from-bad"], "sender": ("Dr ESSAI", "")},
    "from-two-brackets": {"problems": ["from-bad"], "sender": ("Dr ESSAI", "")},
    "from-two-headers": {"problems": ["from-repeated"], "sender": ("Dr Camille ESSAI", "")},
    "html-active": {"text": "Bonjour docteur", "html": "<p>Bonjour <b>docteur</b></p>", "files": ["message.html"]},
    "html-entities": {"text": "5 < 6 & été 😀 � \u202efdp"},
    "html-exponent": {
        "text": "Leucocytes 7 10^9/L, clairance 90 mL/min/1,73 m^2",
        "html": "<p>Leucocytes 7 10<sup>9</sup>/L, clairance 90 mL/min/1,73 m<sup>2</sup></p>",
        "files": ["message.txt", "message.html"],
    },
    "html-hidden-css": {"text": "Visible.\n\nCaché par classe.\n\nCaché par style.\n\nBlanc sur blanc."},
    "html-image-only": {"text": "", "files": ["message.html"]},
    "html-in-plain": {"text": "<p>Ceci est du <b>texte</b>.</p>"},
    "html-lab-table": {
        "text": "Examen     Valeur  Norme\nSodium     140     136-145\nPotassium  6,2     3,5-5,0",
        "html": (
            "<table><tbody><tr><th>Examen</th><th>Valeur</th><th>Norme</th></tr><tr><td>Sodium</td>"
            "<td>140</td><td>136-145</td></tr><tr><td>Potassium</td><td><b>6,2</b></td><td>3,5-5,0"
            "</td></tr></tbody></table>"
        ),
        "files": ["message.html"],
    },
    "html-lists": {
        "text": "Traitement :\n\n  * 2. Paracétamol\n  * 3. Repos\n  * Contrôle à J8",
        "html": "<p>Traitement :</p><ul><li>2. Paracétamol</li><li>3. Repos</li></ul><ul><li>Contrôle à J8</li></ul>",
        "files": ["message.html"],
    },
    "html-phishing": {
        "text": "Votre compte : https://www.aura.mssante.example/compte [https://pirate.example/aura], ici, aide",
        "html": (
            '<p>Votre compte : <a href="https://pirate.example/aura">https://www.aura.mssante.example/c'
            'ompte</a> [https://pirate.example/aura], ici, <a href="https://aide.example/">aide</a></p>'
        ),
        "files": ["message.html"],
    },
    "html-struck-style": {
        "text": "Metformine ~~1000 mg~~ 500 mg",
        "html": "<p>Metformine <del>1000 mg</del> 500 mg</p>",
        "files": ["message.html"],
    },
    "html-two-bodies": {
        "text": "Premier corps\n\nSignature du cabinet",
        "html": "<p>Premier <b>corps</b></p><br><br>Signature du cabinet",
        "files": ["cr.pdf"],
    },
    "html-utf7": {"text": "gras", "html": "<b>gras</b>"},
    "injected-subject": {"subject": "Objet Bcc: pirate@ailleurs.example"},
    "iso-2022-jp": {"text": "検査結果", "subject": "検査"},
    "latin1-as-utf8": {"text": "Fièvre élevée", "files": ["document-1.txt"], "problems": ["charset"]},
    "loop-delivered-twice": {"text": "Encore moi.", "problems": ["loop"], "automatic": True},
    "loop-many-hops": {"text": "Enfin arrivé.", "problems": ["loop"], "automatic": True},
    "mdn-lower-case": {
        "text": "Lu",
        "files": ["document-1.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("read", "louis.essai@aura.mssante.example", "<notre-mail@aura.mssante.example>")],
        "from_operator": True,
    },
    "mdn-no-original": {
        "text": "Lu",
        "files": ["document-1.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("deleted", "louis.essai@aura.mssante.example", None)],
        "from_operator": True,
    },
    "mdn-unknown": {
        "text": "Quoi ?",
        "files": ["document-1.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
    },
    "message-id-bare": {"message_id": "<bare.id@aura.mssante.example>"},
    "message-id-folded": {"message_id": "<folded@aura.mssante.example>"},
    "mixed-words": {"subject": "Résulté d'analyse été, suite"},
    "no-charset-latin1": {"text": "Fièvre", "files": ["document-1.txt"], "problems": ["charset"]},
    "bare-cr": {"text": "Ligne un\nLigne deux"},
    "bare-lf": {"text": "Ligne un\nLigne deux"},
    "empty": {
        "text": "",
        "problems": ["message-id-missing", "from-missing", "date"],
        "subject": "",
        "sender": ("", ""),
        "message_id": None,
    },
    "mbox-line": {"text": "Texte."},
    "mixed-line-ends": {"text": "un\ndeux\ntrois\nquatre\n\ncinq"},
    "no-headers": {
        "text": "Un texte sans en-tête : rien d'autre.",
        "problems": ["message-id-missing", "from-missing", "date"],
        "subject": "",
        "sender": ("", ""),
        "message_id": None,
    },
    "nul-in-text": {"text": "Sodium 140 mmol/L[31m"},
    "only-headers": {"text": ""},
    "raw-utf8-headers": {"subject": "Contrôle à J+8", "sender": ("Zoé ESSAI", "zoe.essai@aura.mssante.example")},
    "references-odd": {"parents": ["<parent@aura.mssante.example>", "<racine@aura.mssante.example>"]},
    "repeated-headers": {"subject": "premier"},
    "report-beside-words": {"text": "Votre compte expire", "files": ["document-1.txt"], "automatic": True},
    "report-in-mixed": {"text": "Non remis", "files": ["document-1.txt"], "automatic": True},
    "report-in-two-forms": {
        "text": "Non remis",
        "files": ["document-1.txt", "document-2.txt"],
        "sender": ("", "mailer-daemon@operateur.example"),
        "automatic": True,
        "reports": [("failed", "louis.essai@aura.mssante.example", "<notre-mail@aura.mssante.example>")],
        "from_operator": True,
    },
    "report-of-another-type": {"text": "Non remis", "files": ["document-1.txt"], "automatic": True},
    "report-of-somebody": {
        "text": "Lu",
        "files": ["document-1.txt"],
        "automatic": True,
        "reports": [("read", "louis.essai@aura.mssante.example", "<inconnu@aura.mssante.example>")],
    },
    "report-with-file": {
        "text": "Ouvrez la facture",
        "files": ["document-1.txt", "facture.pdf"],
        "automatic": True,
    },
    "robot-notice": {"text": "Sauvegarde faite.", "automatic": True, "robot": "other"},
    "utf16": {"text": "Été : 37,2 °C"},
    "utf7": {"text": "Fièvre ce matin, 39 °C"},
    "utf8-as-ascii": {"text": "Créatinine élevée : 120 µmol/L"},
}
"""What is as in most of these mails is left out: see `corpus.outcome`."""


@pytest.mark.parametrize("name", OUTCOMES)
def test_outcome(name: str):
    assert outcome(name) == OUTCOMES[name]
