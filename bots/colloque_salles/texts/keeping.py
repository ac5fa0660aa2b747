"""What @salles says of an archive: in its referent's home room, in the mail that carries it, in the admin room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from colloque.clock import PARIS
from colloque.identity import MssanteAddress
from colloque.rooms.keeping import FILED as FILED_PROOFS
from colloque.rooms.keeping import Proof
from colloque.taps import NUMBERS
from colloque.texts import span

FILED = "✅"
NOTHING = "🚫"
"""Nothing is to be kept."""
WHY = {
    Proof.ALREADY_KEPT: "tout ce qui compte est déjà au dossier",
    Proof.NO_CARE: "rien d'utile au soin n'y a été dit",
    Proof.MISTAKE: "ce salon a été ouvert par erreur",
}
INCIDENT_FAILED = (
    "⚠️ L'archive d'un salon patient fermé n'a pas pu être faite ; le salon reste là, en lecture seule, et l'essai "
    "reprend tout seul. La cause est dans le journal de @salles (archive.failed)."
)
_SHOWN = 20
"""Names of files that one message lists."""


def will_come(
    words: str, at: datetime, box: MssanteAddress | None, boxes: Sequence[MssanteAddress], *, instead: bool = False
) -> str:
    """After the closing. With several mailboxes, none of them chosen yet, nothing leaves. `instead` of the referent."""
    when = f"{at.astimezone(PARIS):le %d/%m à %H:%M}"
    head = f"📁 Le salon « {words} » est fermé."
    if instead:
        head += " Son archive vous revient, à la place de son référent."
    if not boxes:
        lines = [f"{head} Ses échanges arrivent ici en PDF, {when} : vous n'avez pas de boîte MSSanté dans l'Annuaire."]
    elif box is None:
        lines = [f"{head} Vers laquelle de vos boîtes MSSanté envoyer ses échanges ? Rien ne part sans votre choix."]
    else:
        lines = [f"{head} Ses échanges et ses fichiers partent {when} vers votre boîte MSSanté {box.value}."]
    if len(boxes) > 1 and box is not None:
        lines.append("Plutôt vers une autre ? Touchez son numéro :")
    if len(boxes) > 1:
        lines += [f"{sign} {each.value}" for sign, each in zip(NUMBERS, boxes, strict=False)]
    return "\n".join([*lines, f"{NOTHING} : ne rien garder."])


def taken_over(words: str) -> str:
    """To whoever was told that it would come, and does not get it any more."""
    return f"📁 L'archive du salon « {words} » va à quelqu'un d'autre : vous n'avez plus rien à en faire."


def chosen(box: MssanteAddress) -> str:
    """After a number."""
    return (
        f"Entendu : vos archives de salons vont à {box.value}. Ce qui est déjà en route arrive là où c'était annoncé."
    )


def mailed(
    words: str,
    box: MssanteAddress,
    mails: int,
    left_out: Sequence[str],
    wait: timedelta,
    *,
    document: Sequence[str] = (),
) -> str:
    """The archive is on its way. `document`: what became of it as a document of health."""
    count = "un message" if mails == 1 else f"{mails} messages"
    lines = [
        f"📁 Les échanges du salon « {words} » partent vers {box.value}, en {count}.",
        *document,
        f"Touchez {FILED} quand ils sont classés au dossier du patient : le salon est alors effacé.",
    ]
    if left_out:
        lines += _to_fetch(left_out)
    else:
        lines.append(f"Sans nouvelle de vous, il l'est {span(wait)} après leur remise dans votre boîte.")
    return "\n".join([*lines, f"{NOTHING} : ne rien garder."])


def brought(words: str, left_out: Sequence[str], document: Sequence[str] = ()) -> str:
    """The archive is in the home room."""
    lines = [
        f"📁 Les échanges du salon « {words} » sont ci-dessus, en PDF.",
        *document,
        f"Touchez {FILED} quand ils sont classés au dossier du patient : le salon n'est effacé qu'ensuite.",
        *(_to_fetch(left_out) if left_out else ()),
    ]
    return "\n".join([*lines, f"{NOTHING} : ne rien garder."])


def _to_fetch(names: Sequence[str]) -> list[str]:
    return ["À enregistrer d'abord depuis le salon lui-même, où ils restent jusque-là :", *_listed(names)]


def _listed(names: Sequence[str], most: int = _SHOWN) -> list[str]:
    shown = [f"– {name}" for name in names[:most]]
    return [*shown, f"– et {len(names) - most} autres"] if len(names) > most else shown


def reminder(words: str, left_out: Sequence[str], *, erased_anyway: bool) -> str:
    """Some days later."""
    end = (
        "Sans nouvelle de vous, le salon est effacé dans les jours qui viennent."
        if erased_anyway
        else "Le salon n'est pas effacé sans votre réponse."
    )
    lines = [
        f"📁 Les échanges du salon « {words} » sont-ils classés au dossier du patient ? Touchez {FILED}. {end}",
        *(_to_fetch(left_out) if left_out else ()),
    ]
    return "\n".join([*lines, f"{NOTHING} : ne rien garder."])


def why(words: str) -> str:
    """Before nothing is kept."""
    reasons = (f"{sign} {said}" for sign, said in zip(NUMBERS, WHY.values(), strict=False))
    return "\n".join([f"Salon « {words} » : pourquoi ne rien garder ? Le motif reste dans le reçu.", *reasons])


def files(words: str, left_out: Sequence[str]) -> str:
    """Before an archive counts as filed of which files stayed in the room."""
    return "\n".join(
        [
            f"Salon « {words} » : {len(left_out)} fichier(s) n'ont pu partir par mail et sont effacés avec le salon.",
            f"{NUMBERS[0]} ils sont enregistrés au dossier, eux aussi",
            f"{NUMBERS[1]} ils n'y sont pas utiles",
        ]
    )


def decided(words: str, proof: Proof) -> str:
    """After the last tap."""
    if proof in FILED_PROOFS:
        return f"Noté : les échanges du salon « {words} » sont au dossier. Le salon va être effacé."
    return f"Noté : rien n'est gardé du salon « {words} » ({WHY[proof]}). Il va être effacé."


def not_left(words: str) -> str:
    """After a tap that says that it is filed, when it can't be."""
    return _later(f"Pas encore : les échanges du salon « {words} » ne sont pas tous partis.", "")


def not_known(words: str) -> str:
    """The same, when the bridge does not say how far they are."""
    return _later(
        f"Je ne peux pas vérifier maintenant que les échanges du salon « {words} » sont partis.", "plus tard, "
    )


def _later(why: str, when: str) -> str:
    return "\n".join(
        [
            f"📁 {why} Rien n'est noté, rien n'est effacé.",
            f"Touchez {FILED} sous ce message-ci, {when}quand vous avez tout reçu et classé au dossier du patient.",
            f"{NOTHING} : ne rien garder.",
        ]
    )


ALREADY_DECIDED = "C'est déjà noté : ce salon va être effacé."


def subject(words: str, rank: int, count: int) -> str:
    """The mail's; it names no patient."""
    part = f" ({rank}/{count})" if count > 1 else ""
    return f"Colloque : échanges du salon « {words} » à classer{part}"


def mail(words: str, rank: int, count: int, names: Sequence[str], left_out: Sequence[str]) -> str:
    """The mail's words. File names stand only inside the mail itself; none: it carries a document of health."""
    lines = [
        "Bonjour,",
        "",
        f"Vous étiez référent du salon « {words} », qui est fermé. Voici ce qui y a été échangé, à classer au dossier",
        "du patient : la conversation en PDF (auteurs, heures, empreintes des fichiers) et les fichiers partagés.",
        "",
    ]
    if count > 1:
        lines += [f"Ce message est le n° {rank} sur {count}.", ""]
    lines += ["Fichiers joints :", *_listed(names, 100), ""] if names else [*_AS_DOCUMENT, ""]
    if left_out:
        lines += [
            "À enregistrer depuis le salon, faute d'avoir pu être joints :",
            *(f"- {name}" for name in left_out),
            "",
        ]
    lines += [
        "Une fois classés, dites-le dans votre salon « Colloque » : le salon est alors effacé.",
        "Ce message est envoyé par un automate ; ne répondez pas.",
    ]
    return "\n".join(lines)


_AS_DOCUMENT = (
    "La conversation est jointe en PDF, et la même dans IHE_XDM.ZIP : un document de santé (CDA) à intégrer au dossier",
    "par votre logiciel. Il porte l'identité qualifiée que son référent a donnée et confirmée dans le salon.",
)


def late(words: str, name: str) -> str:
    """In the admin room; neither the room's words nor its referent's name say anything about the patient."""
    whom = (
        f"son référent, {name}, ne l'a pas dit" if name else "plus personne ne peut le dire : nommez un professionnel"
    )
    return (
        f"⚠️ Le salon « {words} » est fermé depuis longtemps, et rien ne prouve que ses échanges sont classés : {whom}. "
        "Il reste en lecture seule ; rien ne l'efface d'ici là."
    )
