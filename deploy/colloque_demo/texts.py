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
NOTED = "Noté : les échanges"
FILE_LATER = "Touchez ✅ sous ce message-ci"
ARCHIVE = "Colloque : échanges du salon"
"""What is said and tapped of a closed room's conversation, and how its mails begin."""
PATIENT_TOO_LATE = "Une dernière chose…"
FILE_NAME = "compte-rendu.txt"
FILE_BODY = "Compte rendu fictif de la démonstration.\n" + "Sortie prévue jeudi, relais à domicile organisé.\n" * 400
