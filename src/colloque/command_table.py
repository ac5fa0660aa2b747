"""Every command of the house on one page. Names are French, with English aliases; `commands` reads what people type."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """The service whose bot answers."""

    ANNUAIRE = "annuaire"
    SALLES = "salles"
    MSSANTE = "mssante"


class Right(StrEnum):
    """What the person must be."""

    ANYONE = "anyone"
    ATTESTED = "attested"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the table. `rooms` holds the kinds of rooms (`colloque.matrix.home.RoomKind` values) it works in."""

    name: str
    owner: Owner
    right: Right
    rooms: frozenset[str]
    usage: str
    """As shown to people, `!` included."""
    help: str
    aliases: tuple[str, ...] = ()
    everyone: bool = False
    """True when each of the three bots answers for itself."""
    quiet: bool = False
    """True when help does not show it: whoever needs it is told then."""


_ANNUAIRE, _SALLES, _MSSANTE = Owner
_ANYONE, _ATTESTED, _ADMIN = Right


def _in(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("aide", _ANNUAIRE, _ANYONE, _in("home", "admin"), "!aide",
            "Montre les commandes utiles ici.", ("help",)),
    Command("inscription", _ANNUAIRE, _ANYONE, _in("home"), "!inscription RPPS",
            "Vérifie votre identité : un code part vers votre boîte MSSanté.", ("register",)),
    Command("code", _ANNUAIRE, _ANYONE, _in("home"), "!code 123456",
            "Termine l'inscription avec le code reçu."),
    Command("exercice", _ANNUAIRE, _ANYONE, _in("home"), "!exercice 1",
            "Dit sous quel exercice vous entrez ici, quand la question est posée.", ("activity",), quiet=True),
    Command("demenager", _ANNUAIRE, _ANYONE, _in("home"), "!demenager",
            "Ferme votre compte sur l'autre serveur, quand la question vous est posée.", ("move",), quiet=True),
    Command("chercher", _ANNUAIRE, _ATTESTED, _in("home"), "!chercher cardiologue Nancy",
            "Cherche un confrère : un nom, une profession, une ville.", ("search", "find")),
    Command("suite", _ANNUAIRE, _ATTESTED, _in("home"), "!suite",
            "Montre la suite des résultats.", ("more", "next")),
    Command("qui", _ANNUAIRE, _ATTESTED, _in("home"), "!qui 3",
            "Dit qui est le résultat 3, une adresse, un compte ou un numéro RPPS.", ("who",)),
    Command("contacter", _ANNUAIRE, _ATTESTED, _in("home"), "!contacter 3",
            "Ouvre une conversation avec le résultat 3, ou dit comment lui écrire.", ("contact",)),
    Command("garant", _ANNUAIRE, _ATTESTED, _in("home"), "!garant @collègue",
            "Se porte garant d'un confrère que vous connaissez et qui ne peut pas recevoir de code.", ("vouch",)),
    Command("bloquer", _ANNUAIRE, _ATTESTED, _in("home"), "!bloquer 3",
            "Cette personne ne peut plus vous inviter. Sans numéro : montre qui est bloqué.", ("block",)),
    Command("debloquer", _ANNUAIRE, _ATTESTED, _in("home"), "!debloquer 3",
            "Cette personne peut de nouveau vous inviter.", ("unblock",)),
    Command("assistants", _ANNUAIRE, _ATTESTED, _in("home"), "!assistants",
            "Montre les personnes qui travaillent sous votre responsabilité.", ("assistants list",)),
    Command("assistant inviter", _ANNUAIRE, _ATTESTED, _in("home"), "!assistant inviter Prénom Nom, secrétaire",
            "Crée le compte d'une personne qui travaille sous votre responsabilité.", ("assistant invite",)),
    Command("assistant acces", _ANNUAIRE, _ATTESTED, _in("home"), "!assistant acces 1",
            "Donne à cette personne un nouveau lien de connexion.", ("assistant access",)),
    Command("assistant prolonger", _ANNUAIRE, _ATTESTED, _in("home"), "!assistant prolonger 1",
            "Prolonge l'accès de cette personne.", ("assistant renew",)),
    Command("assistant terminer", _ANNUAIRE, _ATTESTED, _in("home"), "!assistant terminer 1",
            "Met fin à l'accès de cette personne.", ("assistant end",)),
    Command("sessions", _ANNUAIRE, _ANYONE, _in("home"), "!sessions",
            "Montre les appareils connectés à votre compte, et les déconnecte.", ("devices",)),
    Command("patient ouvrir", _SALLES, _ATTESTED, _in("home"), "!patient ouvrir @collègue…",
            "Ouvre un salon sur un patient avec les collègues nommés.", ("patient open",)),
    Command("patients", _SALLES, _ATTESTED, _in("home"), "!patients",
            "Montre vos salons ouverts et leur échéance."),
    Command("patient salon", _SALLES, _ATTESTED, _in("home", "patient"), "!patient salon",
            "Montre qui est dans le salon et quand il prend fin.", ("patient room",)),
    Command("patient terminer", _SALLES, _ATTESTED, _in("patient"), "!patient terminer",
            "Ferme ce salon, puis l'efface.", ("patient end",)),
    Command("patient referent", _SALLES, _ATTESTED, _in("patient"), "!patient referent",
            "Vous désigne référent de ce salon, quand celui qui l'était n'est plus là ; ou passe la main, suivi d'un "
            "nom.", ("patient lead",)),
    Command("patient equipe", _SALLES, _ATTESTED, _in("patient"), "!patient equipe",
            "Montre qui est dans ce salon, et qui en est le référent.", ("patient team",)),
    Command("patient inviter", _SALLES, _ATTESTED, _in("patient"), "!patient inviter Dupont",
            "Propose un confrère de plus dans ce salon ; l'invitation part quand ce que le patient en sait est noté.",
            ("patient invite",)),
    Command("patient prolonger", _SALLES, _ATTESTED, _in("patient"), "!patient prolonger 15 jours",
            "Repousse l'échéance de ce salon.", ("patient extend",)),
    Command("patient appeler", _SALLES, _ATTESTED, _in("patient"), "!patient appeler Mme D., hanche",
            "Donne un nom au patient dans les listes !patients de l'équipe, et nulle part ailleurs.",
            ("patient call",)),
    Command("patient identite", _SALLES, _ATTESTED, _in("patient"), "!patient identite",
            "Donne l'identité INS qualifiée du patient : l'archive du salon part alors aussi en document de santé.",
            ("patient identity",)),
    Command("patient copie", _SALLES, _ATTESTED, _in("patient"), "!patient copie",
            "Vous envoie, dans votre salon « Colloque », les échanges de ce salon en PDF.", ("patient copy",)),
    Command("patient suspendre effacement", _SALLES, _ATTESTED, _in("home", "patient"),
            "!patient suspendre-effacement MOTIF",
            "Empêche qu'un salon patient soit fermé ou effacé, pour un motif et un temps ; tapé hors de ce salon, ses "
            "deux mots avant le motif.", ("patient hold",)),
    Command("patient opposition", _SALLES, _ATTESTED, _in("patient"), "!patient opposition",
            "Note que le patient s'oppose à ces échanges : on n'écrit plus, le salon prend fin.",
            ("patient objection",)),
    Command("patient reprendre effacement", _SALLES, _ATTESTED, _in("home", "patient"), "!patient reprendre-effacement",
            "Met fin à cette suspension.", ("patient resume",), quiet=True),
    Command("echanges", _SALLES, _ATTESTED, _in("home"), "!echanges",
            "Montre vos conversations hors salons patients, et quand ce qui y est écrit s'efface.", ("talks",)),
    Command("echanges suspendre effacement", _SALLES, _ATTESTED, _in("home"),
            "!echanges suspendre-effacement 1 MOTIF",
            "Empêche que rien ne soit effacé d'une de ces conversations, pour un motif et un temps.",
            ("talks hold",), quiet=True),
    Command("echanges reprendre effacement", _SALLES, _ATTESTED, _in("home"), "!echanges reprendre-effacement 1",
            "Met fin à cette suspension.", ("talks resume",), quiet=True),
    Command("ecrire", _MSSANTE, _ATTESTED, _in("home", "mail"), "!ecrire 3",
            "Écrit par MSSanté au résultat 3, ou à une adresse.", ("write", "compose")),
    Command("transferer", _MSSANTE, _ATTESTED, _in("mail"), "!transferer 3",
            "Transfère un message reçu au résultat 3, ou à une adresse (en réponse à ce message).", ("forward",)),
    Command("objet", _MSSANTE, _ATTESTED, _in("mail"), "!objet Demande d'avis",
            "Donne son objet à votre nouveau message, ou en commence un.", ("subject",)),
    Command("repondre tous", _MSSANTE, _ATTESTED, _in("mail"), "!repondre-tous",
            "Répond à tous les destinataires d'un message (en réponse à ce message).", ("reply all",)),
    Command("sans reponse", _MSSANTE, _ATTESTED, _in("mail"), "!sans-reponse",
            "Le patient ne pourra pas répondre au message que vous lui écrivez.", ("no reply",)),
    Command("boite etat", _MSSANTE, _ATTESTED, _in("home", "mail"), "!boite etat",
            "Dit si votre boîte MSSanté est relevée.", ("mailbox status",)),
    Command("boite connecter", _MSSANTE, _ATTESTED, _in("home", "mail"), "!boite connecter",
            "Relève de nouveau votre boîte MSSanté ; suivi d'un jour, montre aussi les messages plus anciens.",
            ("mailbox connect",)),
    Command("boite pause", _MSSANTE, _ATTESTED, _in("home", "mail"), "!boite pause",
            "Suspend la relève de votre boîte MSSanté.", ("mailbox pause",)),
    Command("boite deconnecter", _MSSANTE, _ATTESTED, _in("home", "mail"), "!boite deconnecter",
            "N'utilise plus votre boîte MSSanté d'ici.", ("mailbox disconnect",)),
    Command("boite ouvrir", _MSSANTE, _ATTESTED, _in("home", "mail"), "!boite ouvrir",
            "Ouvre votre boîte MSSanté par votre e-CPS.", ("mailbox open",), quiet=True),
    Command("boite heures", _MSSANTE, _ATTESTED, _in("home"), "!boite heures 7:30 13:45",
            "Dit à quelles heures votre téléphone vous demande d'ouvrir votre boîte.", ("mailbox hours",), quiet=True),
    Command("fil garder", _MSSANTE, _ATTESTED, _in("mail"), "!fil garder MOTIF",
            "Garde un fil au-delà de la durée prévue (en réponse à l'un de ses messages), ou tout ce salon.",
            ("thread keep",)),
    Command("fil ne plus garder", _MSSANTE, _ATTESTED, _in("mail"), "!fil ne plus garder",
            "Ce fil, ou ce salon, suit de nouveau la durée prévue.", ("thread release",), quiet=True),
    Command("traite", _MSSANTE, _ATTESTED, _in("mail"), "!traite",
            "Note un message d'une boîte partagée comme traité par vous (en réponse à ce message).", ("handled",)),
    Command("a traiter", _MSSANTE, _ATTESTED, _in("mail"), "!a-traiter",
            "Note qu'un message d'une boîte partagée est de nouveau à traiter (en réponse).", ("unhandled",)),
    Command("absence", _MSSANTE, _ATTESTED, _in("home"), "!absence 12/03 3",
            "Vous fait remplacer jusqu'à ce jour, dans vos boîtes partagées et vos salons patients, par le résultat 3.",
            ("away",)),
    Command("absence fin", _MSSANTE, _ATTESTED, _in("home"), "!absence fin",
            "Plus personne ne vous remplace.", ("away end", "back")),
    Command("inviter", _MSSANTE, _ATTESTED, _in("mail"), "!inviter",
            "Fait venir votre correspondant dans ce salon, s'il a un compte.", ("invite", "bring in")),
    Command("inviter fin", _MSSANTE, _ATTESTED, _in("mail"), "!inviter fin",
            "Votre correspondant n'est plus dans ce salon.", ("invite end",)),
    Command("envoyer par mail", _MSSANTE, _ATTESTED, _in("mail"), "!envoyer-par-mail",
            "Dans un salon commun : envoie aussi un de vos messages par MSSanté (en réponse à ce message).",
            ("send by mail",)),
    Command("envois", _MSSANTE, _ATTESTED, _in("home", "mail"), "!envois",
            "Montre vos derniers envois et ce qu'ils sont devenus.", ("sent",)),
    Command("renvoyer", _MSSANTE, _ATTESTED, _in("mail"), "!renvoyer",
            "Renvoie un message resté en attente (en réponse à ce message).", ("resend",)),
    Command("etat", _ANNUAIRE, _ADMIN, _in("admin"), "!etat",
            "Chaque automate dit comment il va.", ("status",), everyone=True),
    Command("revoquer", _ANNUAIRE, _ADMIN, _in("admin"), "!revoquer @compte depart",
            "Retire tout accès à ce compte : sessions fermées, sorti des salons patients.", ("revoke",)),
    Command("retablir", _ANNUAIRE, _ADMIN, _in("admin"), "!retablir @compte",
            "Rend son accès à ce compte, et ses salons encore ouverts.", ("restore",)),
    Command("administrateurs", _ANNUAIRE, _ADMIN, _in("admin"), "!administrateurs",
            "Montre qui administre.", ("admins",)),
    Command("administrateur ajouter", _ANNUAIRE, _ADMIN, _in("admin"), "!administrateur ajouter prenom.nom",
            "Crée un compte d'administrateur ; un deuxième administrateur confirme.", ("admin add",)),
    Command("administrateur retirer", _ANNUAIRE, _ADMIN, _in("admin"), "!administrateur retirer @compte",
            "Retire ses droits à un administrateur.", ("admin remove",)),
    Command("equipe", _MSSANTE, _ADMIN, _in("admin"), "!equipe secretariat@hopital.mssante.fr",
            "Montre qui partage une boîte MSSanté, ou toutes les boîtes partagées.", ("team",)),
    Command("equipe ajouter", _MSSANTE, _ADMIN, _in("admin"), "!equipe ajouter adresse @compte",
            "Ajoute un membre à l'équipe d'une boîte partagée.", ("team add",)),
    Command("equipe retirer", _MSSANTE, _ADMIN, _in("admin"), "!equipe retirer adresse @compte",
            "Retire un membre de l'équipe d'une boîte partagée.", ("team remove",)),
    Command("salons confirmer", _SALLES, _ADMIN, _in("admin"), "!salons confirmer",
            "Laisse prendre fin de nombreux salons ou conversations arrivés à échéance en même temps.",
            ("rooms confirm",)),
    Command("annuaire confirmer", _ANNUAIRE, _ADMIN, _in("admin"), "!annuaire confirmer",
            "Accepte un annuaire où beaucoup de personnes manquent.", ("directory confirm",)),
)
# fmt: on
"""The whole surface, in the order in which help shows it."""
