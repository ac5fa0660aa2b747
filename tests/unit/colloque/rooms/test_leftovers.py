"""The reviewed list fits the Synapse that the project pins, the roles' file, and what a receipt may hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from colloque.cli.receipt_say import _SAYS
from colloque.rooms.erasure import Residue
from colloque.rooms.leftovers import (
    CONSULTED,
    EXPECTED,
    EXPECTED_PURGED,
    LEFTOVERS,
    NOT_REMOVED,
    NOT_REVIEWED,
    PURGED,
    REVIEWED,
    UNEXPECTED,
    UNREADABLE,
    Key,
    as_code,
    is_expected,
    why,
)

ROLES = (Path(__file__).parents[4] / "deploy/cleaner-roles.sql").read_text(encoding="utf-8")
LISTED = {leftover.table for leftover in LEFTOVERS}


ASKS = """
import json
from synapse.storage import schema
from synapse.storage.databases.main import purge_events as p
purged = [*p.purge_room_tables_with_event_id_index, *p.purge_room_tables_with_room_id_column]
print(json.dumps({"version": [schema.SCHEMA_VERSION, schema.SCHEMA_COMPAT_VERSION], "purged": purged}))
"""


@pytest.fixture(scope="module")
def synapses() -> Any:
    """What Synapse says of itself; in a process of its own, for it warns."""
    done = subprocess.run([sys.executable, "-c", ASKS], capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def granted(rights: str) -> set[str]:
    found = re.search(rf"(?ms)^GRANT {rights} ON\n(.*?)\n    TO colloque_cleaner;", ROLES)
    assert found is not None
    return {name.strip() for name in found[1].split(",")}


def test_the_pinned_synapse_was_reviewed(synapses: Any) -> None:
    assert tuple(synapses["version"]) in REVIEWED


def test_the_roles_reach_the_listed_tables_and_no_other() -> None:
    assert granted("SELECT, DELETE") == LISTED
    assert granted("SELECT") == set(CONSULTED)
    assert not LISTED & set(CONSULTED)
    assert re.findall(r"GRANT (?!SELECT|USAGE)", ROLES) == []
    assert "PASSWORD '" not in ROLES


def test_every_statement_names_its_rows() -> None:
    for leftover in LEFTOVERS:
        assert ("{id}" in leftover.where) != ("{ids}" in leftover.where), leftover.table
        assert not re.search(r"\b(OR|LIKE|TRUNCATE|DROP|UPDATE|INSERT)\b|;|%|--", leftover.where), leftover.table
        marked = leftover.where.format(id="?", ids="?", position="instr")
        assert marked.count("(") == marked.count(")")
    assert len(LISTED) == len(LEFTOVERS)


def test_of_messages_only_rows_that_name_one_go() -> None:
    assert {leftover.table for leftover in PURGED} <= LISTED, "the role may delete from no other table"
    for leftover in PURGED:
        assert leftover.key is Key.EVENT
        assert re.fullmatch(r"(latest_)?event_id IN \({ids}\)", leftover.where), leftover.table
        assert "stream_positions" not in next(each.where for each in LEFTOVERS if each.table == leftover.table)
    for place, reason in EXPECTED_PURGED.items():
        assert why(place, reviewed=True, lives=True) == reason
        assert is_expected(reason)
        assert reason in _SAYS
    assert why("event_reports", reviewed=True, lives=True) == NOT_REMOVED
    assert why("event_json", reviewed=True) == UNEXPECTED, "of a room that went whole"


def test_no_stream_is_cut_before_its_position_is_noted() -> None:
    streams = {leftover.table for leftover in LEFTOVERS if "FROM stream_positions" in leftover.where}
    assert streams >= {name for name in LISTED if name.endswith("_stream")}
    assert streams >= {"device_inbox", "device_federation_outbox", "room_tags_revisions", "thread_subscriptions"}


def test_what_synapse_deletes_or_must_keep_is_left_to_it(synapses: Any) -> None:
    purged = set(synapses["purged"])
    assert "events" in purged
    assert purged & LISTED == set()
    assert purged & set(EXPECTED) == set()
    assert LISTED & set(EXPECTED) == set()


def test_every_place_has_a_reason_that_a_receipt_may_hold() -> None:
    for place in (*LISTED, *EXPECTED, "media_folder", "salles_database", "Ünlucky; table", "9x"):
        for reviewed in (True, False):
            reason = why(place, reviewed=reviewed)
            assert is_expected(reason) == (place in EXPECTED)
            assert re.fullmatch(r"[a-z][a-z0-9_.]{0,63}", as_code(place))
            assert Residue(as_code(place), 1, reason).why == reason
    assert why("threads", reviewed=True) == NOT_REMOVED
    assert why("threads", reviewed=False) == NOT_REVIEWED
    assert why("access_tokens", reviewed=True) == UNEXPECTED


def test_the_command_has_words_for_every_reason() -> None:
    reasons = {why(place, reviewed=reviewed) for place in (*LISTED, *EXPECTED, "x") for reviewed in (True, False)}
    assert {*reasons, UNREADABLE} <= set(_SAYS)
