"""`colloque config check --homeserver`: what opens a door in homeserver.yaml is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from colloque.cli.main import main
from colloque.homeserver_check import problems

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "deploy/homeserver.d/colloque.yaml"
SAMPLE = ROOT / "deploy/config.sample.yaml"


def shipped() -> dict[str, Any]:
    raw: dict[str, Any] = YAML(typ="safe").load(SHIPPED)
    return raw


def test_what_we_ship_is_right() -> None:
    assert problems(shipped()) == []


@pytest.mark.parametrize("kept", ["7d", "1w", "168h", 604_800_000, "60s", 0])
def test_what_was_withdrawn_may_leave_the_database_sooner(kept: object) -> None:
    assert problems(shipped() | {"redaction_retention_period": kept}) == []


def test_what_was_withdrawn_leaves_the_database_at_all() -> None:
    [problem] = problems(shipped() | {"redaction_retention_period": None})
    assert problem.path == "redaction_retention_period"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("enable_set_displayname", True),
        ("enable_set_displayname", None),
        ("allow_per_room_profiles", True),
        ("allow_per_room_profiles", None),
        ("enable_registration", True),
        ("enable_registration_without_verification", True),
        ("allow_guest_access", True),
        ("url_preview_enabled", True),
        ("enable_3pid_lookup", True),
        ("federation_domain_whitelist", None),
        ("federation_domain_whitelist", ["a.example"]),
        ("federation_verify_certificates", False),
        ("trusted_key_servers", None),
        ("trusted_key_servers", [{"server_name": "matrix.example"}]),
        ("room_list_publication_rules", None),
        ("room_list_publication_rules", [{"action": "allow"}]),
        ("room_list_publication_rules", [{"user_id": "@a:b", "action": "allow"}, {"action": "deny"}]),
        ("alias_creation_rules", [{"action": "allow"}]),
        ("allow_public_rooms_over_federation", True),
        ("allow_public_rooms_without_auth", True),
        ("auto_join_rooms", ["#accueil:a.example"]),
        ("media_retention", {"local_media_lifetime": "90d"}),
        ("redaction_retention_period", "8d"),
        ("redaction_retention_period", "1y"),
        ("redaction_retention_period", 604_800_001),
        ("redaction_retention_period", -1),
        ("redaction_retention_period", True),
        ("redaction_retention_period", "a week"),
        ("modules", None),
        ("modules", [{"module": "other.Module"}]),
        ("require_auth_for_profile_requests", False),
        ("encryption_enabled_by_default_for_room_type", "invite"),
    ],
)
def test_an_open_door_is_named(key: str, value: Any) -> None:
    raw = shipped() | {key: value}
    if value is None:
        del raw[key]
    assert [p.path for p in problems(raw)] == [key]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"retention": {"enabled": True}}, "retention.enabled"),
        ({"password_config": {}}, "password_config.localdb_enabled"),
        ({"password_config": {"enabled": True}}, "password_config.localdb_enabled"),
        ({"password_config": {"enabled": False, "localdb_enabled": False}}, "password_config.enabled"),
        ({"user_directory": {"search_all_users": True}}, "user_directory.search_all_users"),
        ({"room_prejoin_state": {}}, "room_prejoin_state.additional_event_types"),
        ({"room_prejoin_state": {"additional_event_types": ["m.a"]}}, "room_prejoin_state.additional_event_types"),
    ],
)
def test_what_stands_deeper_is_named_as_well(more: dict[str, Any], path: str) -> None:
    assert [p.path for p in problems(shipped() | more)] == [path]


def test_an_empty_configuration_is_an_open_one() -> None:
    assert {p.path for p in problems({})} > {"federation_domain_whitelist", "modules", "enable_set_displayname"}


def test_both_configurations_must_agree() -> None:
    (module,) = shipped()["modules"]
    bots = module["config"]["bots"]
    assert problems(shipped(), server_name="clinique.example", bots=bots) == []
    raw = shipped() | {"server_name": "autre.example"}
    assert [p.path for p in problems(raw, server_name="clinique.example", bots=bots)] == ["server_name"]
    assert [p.path for p in problems(shipped(), bots=bots[:2])] == ["modules"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SAMPLE.read_text(encoding="utf-8")
    name = YAML(typ="safe").load(text)["homeserver"]["server_name"]
    own, extra = tmp_path / "homeserver.yaml", tmp_path / "colloque.yaml"
    own.write_text(f"server_name: {name}\nenable_set_displayname: true\n", encoding="utf-8")
    extra.write_text(SHIPPED.read_text(encoding="utf-8").replace("clinique.example", name), encoding="utf-8")
    check = ["config", "check", str(SAMPLE), "--homeserver"]
    assert main([*check, str(own), "--homeserver", str(extra)]) == 0
    assert capsys.readouterr().out == "ok\n"
    assert main([*check, str(extra), "--homeserver", str(own)]) == 78, "the later file counts"
    assert capsys.readouterr().err.startswith("enable_set_displayname: must be false")
    assert main([*check, str(own)]) == 78
    assert len(capsys.readouterr().err.splitlines()) > 8
    own.write_text("- a", encoding="utf-8")
    assert main([*check, str(own)]) == 78
    own.write_text("a: [", encoding="utf-8")
    assert main([*check, str(own)]) == 78
    assert main([*check, str(tmp_path / "none.yaml")]) != 0
