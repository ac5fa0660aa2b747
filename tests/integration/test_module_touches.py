"""The two places where the module reaches below Synapse's module API, pinned: a new Synapse can't slip by."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import synapse

from colloque.attestation import Listed, Servers
from tests.conftest import own_homeserver
from tests.servers.house import Account, House, attestation, running_house
from tests.waiting import until

SYNAPSE = Path(str(synapse.__file__)).parent


@pytest.fixture(scope="module")
async def house() -> AsyncIterator[House]:
    async with running_house(extra={"federation_whitelist_endpoint_enabled": True}) as made:
        yield made


# 1: the whitelist


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("config/federation.py", "self.federation_domain_whitelist = {}"),
        ("federation/transport/server/_base.py", "hs.config.federation.federation_domain_whitelist"),
        ("federation/transport/server/_base.py", "and origin not in self.federation_domain_whitelist"),
        ("federation/sender/__init__.py", "is_domain_allowed_according_to_federation_whitelist"),
        ("http/matrixfederationclient.py", "not in self.hs.config.federation.federation_domain_whitelist"),
        ("media/media_repository.py", "hs.config.federation.federation_domain_whitelist"),
        ("rest/key/v2/remote_key_resource.py", "hs.config.federation.federation_domain_whitelist"),
    ],
)
def test_all_who_ask_hold_the_same_dict(file: str, line: str) -> None:
    assert line in (SYNAPSE / file).read_text(encoding="utf-8")


async def listed(account: Account, base: str = "") -> set[str]:
    url = f"{base or account.house.server.url}/_synapse/client/v1/config/federation_whitelist"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {account.token}"})
    with await asyncio.to_thread(urllib.request.urlopen, request, timeout=10) as answer:
        return set(json.load(answer)["whitelist"])


def servers(*names: str) -> Servers:
    return Servers(1, datetime.now(UTC) + timedelta(days=1), tuple(map(Listed, names)))


async def test_what_is_published_is_what_synapse_holds(house: House) -> None:
    one = await house.account()
    for names in ({"a.example", "b.example"}, {"b.example"}, set[str]()):
        house.publish(attestation(one.user, 1), servers=servers(*names))

        async def same(wanted: set[str] = names) -> bool:
            return await listed(one) == wanted

        await until(same, f"{len(names)} servers listed", within=5)


@pytest.mark.parametrize("value", [None, ["a.example"]])
def test_another_whitelist_stops_synapse(tmp: Path, value: Any) -> None:
    made = House(tmp, own_homeserver(tmp / "hs"), extra={"federation_domain_whitelist": value})
    made.configure()
    with pytest.raises(RuntimeError, match=r"federation_domain_whitelist must be \[\]"):
        made.server.start()


# 2: the guard


def test_the_guard_stands_where_synapse_asks() -> None:
    source = (SYNAPSE / "module_api/callbacks/third_party_event_rules_callbacks.py").read_text(encoding="utf-8")
    asked = source[source.index("async def check_event_allowed(") : source.index("async def on_create_room(")]
    assert re.search(r"\(\s*self,\s*event: EventBase,\s*context: \w+,\s*\)", asked)
    assert "await context.get_prev_state_ids()" in asked, "it loads the state itself: this is what the guard spares"
    assert "in self._check_event_allowed_callbacks" in asked
    for file in ("handlers/message.py", "handlers/federation.py", "handlers/federation_event.py"):
        call = "self._third_party_event_rules.check_event_allowed("
        assert call in (SYNAPSE / file).read_text(encoding="utf-8"), "looked up at each call: ours is found"


COUNTING = """
import traceback

class Counting:
    # Writes down when Synapse loaded a room's state for `check_event_allowed`; may ask to see events itself.

    def __init__(self, config, api):
        self.out = config["out"]
        rules = api._callbacks.third_party_event_rules
        real = rules.store

        class Store:
            async def get_events(store, ids, *args, **kwargs):
                self.note("loaded")
                return await real.get_events(ids, *args, **kwargs)

        rules.store = Store()
        if config["asks"]:
            api.register_third_party_rules_callbacks(check_event_allowed=self.check)

    async def check(self, event, state):
        self.note("asked " + event.type)
        return True, None

    def note(self, what):
        with open(self.out, "a") as file:
            print(what, file=file)

    @staticmethod
    def parse_config(config):
        return config
"""


@pytest.mark.parametrize("asks", [False, True])
async def test_state_is_loaded_for_state_events_and_for_whoever_else_asks(tmp: Path, asks: bool) -> None:
    out = tmp / "loaded.txt"
    made = House(tmp, own_homeserver(tmp / "hs"))
    made.more_modules = ({"module": "counting.Counting", "config": {"out": str(out), "asks": asks}},)
    made.configure()
    (tmp / "hs" / "counting.py").write_text(COUNTING, encoding="utf-8")  # Python finds it: Synapse starts there.
    await asyncio.to_thread(made.server.start)
    try:
        one = await made.account()
        made.attest(one)
        room = (await one.create()).body["room_id"]
        assert "loaded" in out.read_text()
        out.write_text("")
        message = {"algorithm": "x", "ciphertext": "x"}
        assert (await one.call("PUT", f"/rooms/{room}/send/m.room.encrypted/1", message)).status == 200
        assert out.read_text().split("\n") == (["loaded", "asked m.room.encrypted", ""] if asks else [""])
        out.write_text("")
        assert (await one.state(room, "m.room.name", {"name": "x"})).status == 200
        assert "loaded" in out.read_text()
    finally:
        await asyncio.to_thread(made.server.stop)
