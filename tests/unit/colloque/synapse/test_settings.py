"""The module's settings, and the homeserver settings that operators copy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from colloque.errors import ConfigError
from colloque.synapse.settings import Settings, parse

DEPLOYED = Path(__file__).parents[4] / "deploy" / "homeserver.d" / "colloque.yaml"
GOOD = {
    "snapshot": "/a/snapshot",
    "snapshot_key": "/a/key",
    "socket": "/run/annuaire.sock",
    "bots": ["@annuaire:x.example"],
    "ghost_prefix": "mss_",
    "staff": [],
}


def test_good_settings_are_typed() -> None:
    settings = parse(GOOD)
    assert settings == Settings(
        Path("/a/snapshot"),
        Path("/a/key"),
        Path("/run/annuaire.sock"),
        frozenset({"@annuaire:x.example"}),  # type: ignore[arg-type]
        "mss_",
        frozenset(),
    )


@pytest.mark.parametrize("key", GOOD)
def test_every_setting_is_needed(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        parse({k: v for k, v in GOOD.items() if k != key})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("snapshot", "relative"),
        ("snapshot", 3),
        ("bots", []),
        ("bots", "@annuaire:x.example"),
        ("bots", ["annuaire"]),
        ("staff", [3]),
        ("ghost_prefix", ""),
        ("ghost_prefix", "m"),
        ("ghost_prefix", "mss%"),
        ("other", 1),
    ],
)
def test_wrong_settings_are_named(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=key):
        parse(GOOD | {key: value})


def test_all_problems_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"more": 1})
    assert all(key in str(caught.value) for key in [*GOOD, "more"])


def test_the_deployed_settings_are_known_to_synapse_and_to_us() -> None:
    deployed = YAML(typ="safe").load(DEPLOYED)
    synapse = importlib.util.find_spec("synapse")
    assert synapse is not None
    assert synapse.origin is not None
    sources = "".join(p.read_text() for p in (Path(synapse.origin).parent / "config").glob("*.py"))
    unknown = [key for key in deployed if not re.search(rf'"{key}[".]', sources)]
    assert unknown == []
    (module,) = deployed["modules"]
    assert module["module"] == "colloque.synapse.module.ColloqueModule"
    assert parse(module["config"]).ghost_prefix == "mss_"
