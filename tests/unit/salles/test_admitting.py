"""Who may open a patient room, and with whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from colloque.attestation import Attestation, Kind, Method
from colloque.identity import Rpps, UserId
from colloque.policy.admission import Reason
from colloque_salles.rules.admitting import refusals
from colloque_salles.texts.rooms import not_admitted
from tests.servers.annuaire import rpps

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def held(n: int, *professions: str, category: str = "C", server: str = "h.test") -> Attestation:
    return Attestation(
        UserId(f"@p{n}:{server}"),
        rpps(n),
        f"Anne NOM{n}",
        Method.PSC,
        NOW,
        NOW + timedelta(days=1),
        professions=professions or ("10",),
        category=category,
    )


def asked(
    opener: Attestation,
    *team: Attestation,
    verified: frozenset[Rpps] = frozenset(),
    blocks: frozenset[tuple[UserId, UserId]] = frozenset(),
    erasing: frozenset[str] = frozenset({"h.test", "other.test"}),
) -> list[tuple[UserId, Reason]]:
    found = refusals(
        opener,
        team,
        answered=lambda n: n in verified,
        erases=lambda server: server in erasing,
        refuses=lambda user, other: (user, other) in blocks,
    )
    assert all(not_admitted(found, opener).splitlines()[1:]) or not found
    return [(a.user, reason) for a, reason in found]


def secretary(n: int, under: Attestation) -> Attestation:
    return replace(held(n), rpps=under.rpps, under=under.rpps, kind=Kind.SUPERVISED, professions=(), category="")


def test_doctors_and_nurses_open_rooms_with_those_who_are_bound_by_secrecy() -> None:
    assert asked(held(1), held(2, "60"), held(3, "93"), held(4, "10", category="E")) == []
    assert asked(held(1), held(2, server="other.test")) == []


def test_who_may_not_open() -> None:
    for opener in (held(1, "93"), held(1, "10", category="E")):
        assert asked(opener, held(2)) == [(opener.user, Reason.ACTOR_PROFESSION)]
    frozen = replace(held(1), frozen=True)
    assert asked(frozen, held(2)) == [(frozen.user, Reason.ACTOR_FROZEN)]
    doctor = held(1)
    assert asked(secretary(2, doctor), doctor, verified=frozenset({doctor.rpps})) == [
        (UserId("@p2:h.test"), Reason.ACTOR_PROFESSION)
    ]


def test_who_may_not_be_invited() -> None:
    doctor, other, carer = held(1), held(2), held(3, "48")
    staff = replace(held(4), kind=Kind.STAFF, professions=())
    assert asked(doctor, other, carer, staff) == [
        (carer.user, Reason.OTHER_PROFESSION),
        (staff.user, Reason.OTHER_STAFF),
    ]
    verified = frozenset({doctor.rpps, other.rpps})
    theirs = secretary(5, other)
    assert asked(doctor, theirs, verified=verified) == [(theirs.user, Reason.OTHER_UNSPONSORED)]
    assert asked(doctor, other, theirs, verified=verified) == []
    assert asked(doctor, other, theirs) == [(theirs.user, Reason.OTHER_FROZEN)]
    far = held(6, server="other.test")
    assert asked(doctor, far, erasing=frozenset({"h.test"})) == [(far.user, Reason.OTHER_ERASURE)]
    assert asked(doctor, far, other, erasing=frozenset({"other.test"})) == [(far.user, Reason.ACTOR_ERASURE)]
    blocked = frozenset({(other.user, doctor.user)})
    assert asked(doctor, other, blocks=blocked) == [(other.user, Reason.NOT_AVAILABLE)]
