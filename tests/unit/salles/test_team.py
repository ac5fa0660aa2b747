from datetime import UTC, datetime, timedelta

from colloque.attestation import Attestation, Method
from colloque.identity import RoomId, Rpps, UserId
from colloque.rooms.patient_room import PatientRoom
from colloque_salles.rules.team import recent, understand

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ME = UserId("@me:colloque.test")


def person(local: str, rpps: str, name: str) -> Attestation:
    return Attestation(UserId(f"@{local}:colloque.test"), Rpps(rpps), name, Method.MAILBOX_CODE, NOW, NOW)


ANNE = person("anne", "89900000008", "Dr Anne MOULIN · médecin · Nancy")
ANNE_2 = person("anne2", "89900000016", "Anne MOULIN · infirmier · Épinal")
ZOE = person("zoe", "89900000024", "Zoé DE LA TOUR · sage-femme · Metz")
SELF = person("me", "89900000032", "Dr Paul MOI · médecin · Nancy")
ALL = [ANNE, ANNE_2, ZOE, SELF]


def found(typed: str, *mentions: str) -> set[str]:
    team = understand(typed, [UserId(m) for m in mentions], ALL, ME)
    assert not team.unknown
    assert not team.ambiguous
    return {a.user for a in team.found}


def test_names_ids_and_numbers_all_do() -> None:
    assert found("zoé de la tour") == {ZOE.user}
    assert found("ZOE") == {ZOE.user}
    assert found("Dr Moulin Nancy") == {ANNE.user}
    assert found("@zoe:colloque.test") == {ZOE.user}
    assert found("89900000016") == {ANNE_2.user}
    assert found("8 9900 00001 6, zoe") == {ANNE_2.user, ZOE.user}
    assert found("zoe et moulin épinal") == {ANNE_2.user, ZOE.user}


def test_a_clients_mention_counts_and_its_text_is_not_read_twice() -> None:
    assert found("Dr Anne MOULIN · médecin · Nancy", ANNE.user) == {ANNE.user}
    assert found("@anne:colloque.test", ANNE.user) == {ANNE.user}


def test_a_homonym_is_never_picked_silently() -> None:
    team = understand("moulin", [], ALL, ME)
    assert not team.found
    assert team.ambiguous[0][1] == (ANNE_2, ANNE)


def test_strangers_and_oneself_are_not_found() -> None:
    assert understand("inconnu", [], ALL, ME).unknown == ("inconnu",)
    assert understand("@me:colloque.test", [], ALL, ME).unknown == ("@me:colloque.test",)
    assert not understand("", [UserId("@stranger:colloque.test")], ALL, ME).found


def test_part_of_a_word_is_not_a_name() -> None:
    assert understand("mou", [], ALL, ME).unknown == ("mou",)


def test_a_name_nearly_so_is_asked_about() -> None:
    team = understand("moulan", [], ALL, ME)
    assert (team.found, team.unknown) == ((), ("moulan",))
    assert team.near == (("moulan", (ANNE_2, ANNE)),)
    assert understand("dr moul", [], ALL, ME).near[0][1] == (ANNE_2, ANNE)
    assert understand("zoé tapr", [], ALL, ME).near == (), "two letters wrong in four is another name"
    assert not understand("mo, 89900000099", [], ALL, ME).near


def test_colleagues_of_late_come_first() -> None:
    def room(number: int, opener: Attestation, *members: Attestation) -> PatientRoom:
        at = NOW + timedelta(days=number)
        people = tuple(held.user for held in members)
        return PatientRoom(
            room=RoomId(f"!{number}"), opener=opener.user, members=people, opened_at=NOW, last_activity=at
        )

    rooms = [room(1, SELF, SELF, ANNE), room(3, ZOE, SELF, ZOE), room(2, ANNE_2, ANNE_2, SELF), room(9, ANNE, ANNE_2)]
    assert recent(rooms, ME) == [ZOE.user, ANNE_2.user, ANNE.user]
    assert recent(rooms, UserId("@nobody:colloque.test")) == []
