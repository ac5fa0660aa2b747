"""Personal blocks: who can be blocked, what is published, kills between steps; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from colloque.attestation import Kind, Listed, Method, Servers
from colloque.identity import EventId, UserId
from colloque.store.journal import Journal
from colloque_annuaire.accounts.publish import Publication
from colloque_annuaire.kinds import blocks as module
from colloque_annuaire.rules.results import Listed as Result
from colloque_annuaire.rules.results import today
from colloque_annuaire.rules.unnamed import Unnamed
from colloque_annuaire.store.blocks import Blocks
from colloque_annuaire.texts import blocks as texts
from tests.servers.annuaire import rpps
from tests.servers.dispatch import CONFIG, SERVER
from tests.servers.killing import dies, killed_after
from tests.servers.ward import Ward, a_ward  # noqa: F401 - a fixture
from tests.servers.ward_parts import user

STEPS = [(Journal, "begin"), (Journal, "end"), (Blocks, "add"), (Blocks, "remove"), (Publication, "snapshot")]


async def test_a_block_by_any_name_is_published_and_lifted_by_any_name(ward: Ward) -> None:
    await ward.attest(1, 2, 3, 4)
    await ward.results.number(user(1), today(ward.clock.now()), EventId("$page"), [Result(rpps(3)), Result(rpps(4))])
    assert "ne peut plus vous inviter" in await ward.tell(1, f"!bloquer {user(2)}")
    assert "ne peut plus vous inviter" in await ward.tell(1, "!bloquer n° 1")
    assert "ne peut plus vous inviter" in await ward.tell(1, f"!bloquer {rpps(4)}")
    assert [ward.book.refuses(user(1), user(n)) for n in (2, 3, 4)] == [True] * 3
    assert not ward.book.refuses(user(2), user(1)), "of one side only"
    listed = await ward.tell(1, "!bloquer")
    assert listed.split("\n")[0] == "3 comptes ne peuvent pas vous inviter :"
    assert f"Dr Anne NOM3 ({user(3)})" in listed
    await ward.restart()
    mention = {"m.mentions": {"user_ids": [user(2), CONFIG.bot("annuaire")]}}
    assert "de nouveau" in await ward.tell(1, "!debloquer Dr Anne", **mention)
    assert "de nouveau" in await ward.tell(1, f"!debloquer {rpps(3)}")
    assert "de nouveau" in await ward.tell(1, "!debloquer 2")
    assert not ward.book.state.blocks
    assert await ward.tell(1, f"!debloquer {user(2)}") == texts.NOT_BLOCKED
    assert await ward.tell(1, "!debloquer") == texts.WHOM_TO_FREE
    assert await ward.tell(1, "!bloquer") == texts.NOBODY


async def test_what_cannot_be_blocked(ward: Ward) -> None:
    await ward.attest(1, 2)
    await ward.attest(5, kind=Kind.SUPERVISED, method=Method.SPONSORED, rpps=rpps(1), under=rpps(1))
    assert await ward.tell(1, f"!bloquer {user(1)}") == texts.MYSELF
    assert await ward.tell(5, f"!bloquer {user(1)}") == texts.SPONSOR
    assert await ward.tell(5, f"!bloquer {rpps(1)}") == texts.SPONSOR
    for typed, why in {
        CONFIG.bot("salles"): Unnamed.BOT,
        f"@mss_x:{SERVER}": Unnamed.BOT,
        f"@nobody:{SERVER}": Unnamed.ELSEWHERE,
        "@somebody:elsewhere.test": Unnamed.ELSEWHERE,
        "9": Unnamed.NO_RESULT,
        str(rpps(6)): Unnamed.NO_ACCOUNT,
        "12345678901": Unnamed.BAD_NUMBER,
        "lui": Unnamed.NOTHING,
    }.items():
        assert await ward.tell(1, f"!bloquer {typed}") == texts.unnamed(why), typed
    assert not ward.book.state.blocks
    assert "ne peut plus" in await ward.tell(1, f"!bloquer {user(5)}"), "the sponsor may block the supervised"


async def test_accounts_of_listed_servers_can_be_blocked_and_freed_when_they_are_not_listed(ward: Ward) -> None:
    await ward.attest(1)
    other, bot = UserId("@x:b.example"), UserId("@annuaire:b.example")
    until = ward.clock.now() + timedelta(days=1)
    ward.servers = Servers(1, until, (Listed("b.example", (bot,)),))
    await ward.publication.snapshot()
    assert await ward.tell(1, f"!bloquer {bot}") == texts.unnamed(Unnamed.BOT)
    assert "ne peut plus" in await ward.tell(1, f"!bloquer {other}")
    assert ward.book.refuses(user(1), other)
    ward.clock.advance(days=2)
    assert await ward.tell(1, "!bloquer @y:b.example") == texts.unnamed(Unnamed.ELSEWHERE)
    assert "de nouveau" in await ward.tell(1, f"!debloquer {other}")


async def test_at_most_so_many(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    await ward.attest(1, 2, 3, 4)
    for n in (2, 3):
        await ward.tell(1, f"!bloquer {user(n)}")
    assert await ward.tell(1, f"!bloquer {user(4)}") == texts.full(2)
    assert "ne peut plus" in await ward.tell(1, f"!bloquer {user(3)}"), "blocked already"


async def test_the_table_is_read_for_a_snapshot_only_after_a_change(ward: Ward) -> None:
    kept, aside = Blocks(ward.db), Blocks(ward.db)
    await kept.add(user(1), user(2), ward.clock.now())
    first = await kept.published()
    assert first.blocks == {user(1): {user(2)}}
    await aside.add(user(3), user(4), ward.clock.now())
    assert await kept.published() is first, "nothing was read: this instance has written nothing since"
    await kept.remove(user(1), user(2))
    assert (await kept.published()).blocks == {user(3): {user(4)}}


async def test_a_write_whose_answer_was_lost_is_published(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Blocks(ward.db)
    assert not (await kept.published()).blocks
    real = ward.db.execute

    async def lost(*args: Any) -> str:
        await real(*args)
        raise ConnectionResetError

    monkeypatch.setattr(ward.db, "execute", lost)
    with pytest.raises(ConnectionResetError):
        await kept.add(user(1), user(2), ward.clock.now())
    assert (await kept.published()).blocks == {user(1): {user(2)}}
    with pytest.raises(ConnectionResetError):
        await kept.remove(user(1), user(2))
    assert not (await kept.published()).blocks


@pytest.mark.parametrize("survived", range(5))
@pytest.mark.parametrize("verb", ["bloquer", "debloquer"])
async def test_killed_at_any_line_the_command_heard_again_holds(
    ward: Ward, verb: str, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ward.attest(1, 2)
    if verb == "debloquer":
        await ward.tell(1, f"!bloquer {user(2)}")
    line = f"!{verb} {user(2)}"
    with killed_after(STEPS, survived, monkeypatch) as left:
        killed = await dies(lambda: ward.tell(1, line, "$same"))
        assert killed == (survived < 4)
        assert killed or left() == 0, "every step was tried"
    await ward.restart()
    await ward.tell(1, line, "$same")
    assert ward.book.refuses(user(1), user(2)) == (verb == "bloquer")
    assert ward.journal.open_intents() == ()
    assert user(2) not in (ward.tmp / "journal.jsonl").read_text(), "the journal never says whom"
