"""What people read of the antivirus, in French. The first line is neutral: lock screens show it."""

from __future__ import annotations

from colloque.mail.clamd import Reason
from colloque_mssante.texts.mails import FILE_TITLE

WITHHELD_TITLE = "🛡️ Pièce jointe retenue"
UNSCANNED = "⚠️ Non analysée par l'antivirus"
NOT_SENT = (
    "Rien n'est parti : un logiciel malveillant a été détecté dans un fichier joint.\n"
    "N'ouvrez plus ce fichier et prévenez votre administrateur : votre appareil est peut-être touché. "
    "Pour envoyer votre message, écrivez-le de nouveau sans ce fichier."
)
_NOT_OPENED = (
    "Par prudence, les documents de santé de ce message ne sont pas ouverts ici : leurs fichiers restent joints."
)
_REASONS: dict[Reason, str] = {
    "too-big": "elle est trop volumineuse",
    "limits": "elle est trop complexe",
    "encrypted": "elle est protégée par un mot de passe",
    "failed": "l'analyse échoue",
}

INCIDENT_INFECTED = (
    "Un logiciel malveillant a été détecté dans une pièce jointe reçue par MSSanté. Elle a été retenue et son "
    "destinataire est prévenu ; le message original reste dans sa boîte."
)
INCIDENT_OLD = "Les signatures de l'antivirus sont trop anciennes : vérifiez leur mise à jour (freshclam)."


def withheld(name: str, signature: str, mailbox: str) -> str:
    """Stands where an infected file would; inside an encrypted event only."""
    return (
        f"{WITHHELD_TITLE}\n"
        f"« {name} » n'est pas affichée : un logiciel malveillant y a été détecté ({signature}).\n"
        f"Le message original reste dans votre boîte {mailbox} : ne l'ouvrez pas avec une autre messagerie, et "
        f"prévenez son expéditeur par téléphone. L'administrateur est averti.\n{_NOT_OPENED}"
    )


def unscanned(reason: Reason) -> str:
    """Stands above a file that could not be scanned."""
    return (
        f"{FILE_TITLE}\n{UNSCANNED} : {_REASONS[reason]}. N'ouvrez ce fichier que si vous l'attendiez.\n{_NOT_OPENED}"
    )
