"""What @salles says when somebody leaves a care team, and when its referent changes."""

from __future__ import annotations

INCIDENT_NOBODY = (
    "⚠️ Un salon patient n'a plus personne qui puisse en être le référent : la dernière personne de l'équipe a perdu "
    "son accès. Il s'efface à son échéance. Si les soins continuent, un professionnel de l'équipe en ouvre un autre."
)
_SOMEBODY = "Une personne de l'équipe"
_OPENER = "la personne qui l'a ouvert"
ALREADY_REFERENT = (
    "Vous êtes le référent de ce salon : vous pouvez le terminer (!patient terminer), ou passer la main : "
    "!patient referent suivi du nom d'un membre du salon."
)
FOR_ONESELF = (
    "Ce salon n'a plus de référent. Chacun ne peut désigner que soi : tapez !patient referent, sans nom, ou demandez à "
    "la personne de le taper."
)
WHO_LEADS = "À qui passez-vous la main ? Nommez une seule personne qui est dans ce salon : !patient referent Dupont."
MAY_NOT_LEAD = (
    "Le référent d'un salon est un professionnel de santé qui y exerce en son nom : demandez-le à l'un d'eux."
)


def no_access(name: str, *, was_referent: bool) -> str:
    """To those who stay: never why."""
    said = f"{name or _SOMEBODY} n'a plus accès à ce salon."
    if was_referent:
        said += (
            "\nC'était le référent de ce salon. Que l'un de vous le devienne : tapez !patient referent "
            "(lui seul peut terminer le salon avant son échéance)."
        )
    return said


def they_may_not_lead(name: str) -> str:
    """The referent named somebody who can't be one."""
    return f"{name} ne peut pas être le référent : c'est un professionnel de santé qui exerce en son nom."


def still_there(name: str) -> str:
    """There is a referent, and they are in the room."""
    return f"Ce salon a son référent : {name or _OPENER}."


def new_referent(name: str) -> str:
    """In the room."""
    return f"{name} est désormais le référent de ce salon."
