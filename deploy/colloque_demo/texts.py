"""What the clinicians of the scenario write, in French."""

from __future__ import annotations

MAIL_SUBJECT = "Adaptation du traitement après la consultation de mardi"
MAIL_BODY = (
    "Bonjour,\n\n"
    "Comme convenu, pouvez-vous revoir la posologie avant la sortie ? La créatinine est remontée.\n"
    "Je reste joignable cet après-midi.\n\n"
    "Bien confraternellement\n"
)
MAIL_REPLY = "Bien reçu : je réduis la dose de moitié dès ce soir et je recontrôle vendredi."
UNKNOWN_COMMAND = "!blague"
ROOM_NAME = "Staff du jeudi"
PATIENT_FIRST = "Bonjour. J'ouvre ce salon pour la sortie de jeudi : compte rendu en pièce jointe dans un instant."
PATIENT_SECOND = "Merci, je regarde. Le relais à domicile est prévu."
FILED = "✅"
ARCHIVE = "Colloque : échanges du salon"
"""How the mails begin that bring a closed room's conversation."""
PATIENT_TOO_LATE = "Une dernière chose…"
FILE_NAME = "compte-rendu.txt"
FILE_BODY = "Compte rendu fictif de la démonstration.\n" + "Sortie prévue jeudi, relais à domicile organisé.\n" * 400
