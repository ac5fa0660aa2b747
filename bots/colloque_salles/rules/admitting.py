"""Whether a patient room may be opened by, and with, these people: the admission rule, asked beforehand. Pure.

The module inside Synapse asks the same rule again when the room is made; asked here, the person reads why not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from colloque.attestation import Attestation
from colloque.identity import Rpps, UserId, server_of
from colloque.policy.admission import (
    SERVICE,
    Person,
    Reason,
    Refused,
    attested_person,
    may_invite,
    may_open_patient_room,
)
from colloque.rooms.mark import RoomKind


def refusals(
    opener: Attestation,
    team: Sequence[Attestation],
    *,
    answered: Callable[[Rpps], bool],
    erases: Callable[[str], bool],
    refuses: Callable[[UserId, UserId], bool],
) -> list[tuple[Attestation, Reason]]:
    """Who may not, and why; the opener first. Empty when the room may be opened.

    `answered(number)`: that professional is verified today; `erases(server)`: that listed server can prove that it
    erases; `refuses(user, other)`: `user` has blocked `other`.
    """
    server = server_of(opener.user)

    def person(held: Attestation) -> Person:
        under = held.under is None or answered(held.under)
        theirs = server_of(held.user)
        return attested_person(held, local=theirs == server, answered=under, erases=erases(theirs))

    out = []
    verdict = may_open_patient_room(person(opener))
    if isinstance(verdict, Refused):
        out.append((opener, verdict.reason))
    inside = {held.rpps for held in (opener, *team) if held.under is None}
    for held in team:
        if server_of(held.user) != server and not erases(server):
            # Their own server would refuse the invitation, and say no more than that.
            out.append((held, Reason.ACTOR_ERASURE))
            continue
        verdict = may_invite(
            SERVICE,
            person(held),
            RoomKind.PATIENT,
            sponsored=held.under in inside,
            blocked=refuses(held.user, opener.user),
        )
        if isinstance(verdict, Refused):
            out.append((held, verdict.reason))
    return out
