"""The page over HTTP: forms, codes, links, refusals, and accounts of which there is one a person; on both databases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from colloque.attestation import Method
from colloque.errors import Refused
from colloque.identity import EventId, UserId
from colloque.policy.ending import End
from colloque_annuaire.accounts.accounts import Accounts
from colloque_annuaire.entering.entry import Entered
from colloque_annuaire.entering.http_entry_browsers import POSTS
from colloque_annuaire.store.ending import Endings
from colloque_annuaire.store.entry_sessions import Proved
from tests.servers.annuaire import doctor, rpps
from tests.servers.entry_page import Web, shown
from tests.servers.killing import dies, killed_after
from tests.servers.sides import Sides


async def test_a_code_gives_one_account_and_a_password_a_time(web: Web, sides: Sides) -> None:
    status, html = await web.post("/entrer/code", rpps="8 9900 0000 " + rpps(1).value[-3:])
    assert status == 200 or "RPPS" in html
    status, html = await web.post("/entrer/code", rpps=rpps(1).value)
    assert status == 200
    assert web.around.mails[-1][0] == "p1@medecin.mssante.test"
    code = web.around.code()
    assert code not in html
    status, html = await web.post("/entrer/code/verifier", code="000000" if code != "000000" else "1" * 6)
    assert status == 403
    assert "pas le bon code" in html
    status, html = await web.post("/entrer/code/verifier", code=f" {code[:3]} {code[3:]} ")
    assert status == 200
    user, password = shown(html)
    assert user == "@anne.nom1:chu-a.test"
    assert web.around.accounts == {user: "Dr Anne NOM1 · médecin · NANCY"}
    held = await web.side.people.attestation_of(user)
    assert held is not None
    assert held.rpps == rpps(1)
    assert "Identité vérifiée" in web.side.rooms.told(user)[0]
    assert (await web.post("/entrer/code/verifier", code=code))[0] == 403, "the visit has ended"
    assert not await web.passes.check(user, "x" * 20, sides.clock.now())
    assert await web.passes.check(user, password, sides.clock.now())
    await web.get()
    await web.post("/entrer/code", rpps=rpps(1).value)
    _, html = await web.post("/entrer/code/verifier", code=web.around.code())
    assert shown(html)[0] == user
    assert len(web.around.accounts) == 1


async def test_a_homonym_gets_another_name_always_the_same(web: Web) -> None:
    web.around.accounts[UserId("@anne.nom2:chu-a.test")] = "somebody else"
    await web.post("/entrer/code", rpps=rpps(2).value)
    _, html = await web.post("/entrer/code/verifier", code=web.around.code())
    assert re.fullmatch(r"@anne\.nom2-[a-z2-7]{4}:chu-a\.test", shown(html)[0])


async def test_an_account_that_is_attested_already_is_the_one(web: Web) -> None:
    await web.side.attest(3)
    await web.post("/entrer/code", rpps=rpps(3).value)
    _, html = await web.post("/entrer/code/verifier", code=web.around.code())
    assert shown(html)[0] == web.side.user(3)
    assert web.around.accounts == {}


async def test_who_may_not_come_in_gets_no_account(web: Web, sides: Sides) -> None:
    assert "pas un RPPS valable" in (await web.post("/entrer/code", rpps="<script>"))[1]
    await web.get()
    assert "ne connaît pas ce numéro" in (await web.post("/entrer/code", rpps=rpps(50).value))[1]
    await web.side.attest(3)
    await Endings(web.side.db).begin(web.side.user(3), End.ADMIN, sides.clock.now())
    status, html = await web.post("/entrer/code", rpps=rpps(3).value)
    assert (status, "retiré" in html) == (200, False), "who only types a number is told nothing of its holder"
    assert "a été retiré" in (await web.post("/entrer/code/verifier", code=web.around.code()))[1]
    await web.get()
    web.around.mails.clear()
    web.side.directory.people[3] = replace(web.side.directory.people[3], activities=())
    assert "profession" in (await web.post("/entrer/code", rpps=rpps(4).value))[1]
    web.side.directory.old = timedelta(days=8)
    assert "trop ancien" in (await web.post("/entrer/code", rpps=rpps(1).value))[1]
    assert web.around.mails == []
    assert web.around.accounts == {}


async def test_of_several_mailboxes_the_person_says_which(web: Web) -> None:
    web.side.directory.people[0] = doctor(1, "NOM1", "Anne", mail=["a@m.mssante.test", "b@m.mssante.test"])
    _, html = await web.post("/entrer/code", rpps=rpps(1).value)
    assert "Quelle boîte" in html
    await web.post("/entrer/code", rpps=rpps(1).value, choice="2")
    assert web.around.mails[-1][0] == "b@m.mssante.test"


async def test_codes_are_counted_for_the_number_whatever_the_browser(web: Web) -> None:
    for _ in range(5):
        assert (await web.post("/entrer/code", rpps=rpps(1).value))[0] == 200
    web.http.cookie_jar.clear()
    await web.get()
    assert "Trop de codes" in (await web.post("/entrer/code", rpps=rpps(1).value))[1]
    assert len(web.around.mails) == 5


async def test_a_code_dies_after_three_wrong_answers(web: Web) -> None:
    await web.post("/entrer/code", rpps=rpps(1).value)
    code = web.around.code()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(3):
        await web.post("/entrer/code/verifier", code=wrong)
    assert "Trop d&#x27;essais" in (await web.post("/entrer/code/verifier", code=code))[1]
    assert web.around.accounts == {}


async def test_an_account_elsewhere_is_offered_or_closed(web: Web, sides: Sides) -> None:
    await sides.b.attest(2)
    await web.post("/entrer/code", rpps=rpps(2).value)
    _, html = await web.post("/entrer/code/verifier", code=web.around.code())
    assert "Vous avez déjà un compte" in html
    assert web.around.accounts == {}
    sides.clock.advance(seconds=1)
    status, html = await web.post("/entrer/demenager")
    assert status == 200
    assert shown(html)[0] == "@anne.nom2:chu-a.test"
    assert sides.b.closed == [sides.b.user(2)]


async def test_a_link_shows_one_password_once_however_often_it_is_looked_at(web: Web, sides: Sides) -> None:
    user = UserId("@secretaire:chu-a.test")
    secret = await web.links.make(user, sides.clock.now(), timedelta(hours=48))
    for _ in range(3):
        status, html = await web.get(f"/entrer/lien?l={secret}")
        assert status == 200
        assert "Montrer mon mot de passe" in html
    status, html = await web.post("/entrer/lien", l=secret)
    assert (status, shown(html)[0]) == (200, user)
    assert await web.passes.check(user, shown(html)[1], sides.clock.now())
    assert (await web.get(f"/entrer/lien?l={secret}"))[0] == 403
    await web.get()
    assert (await web.post("/entrer/lien", l=secret))[0] == 403
    late = await web.links.make(user, sides.clock.now(), timedelta(hours=48))
    sides.clock.advance(hours=49)
    assert (await web.get(f"/entrer/lien?l={late}"))[0] == 403


async def test_passwords_end(web: Web, sides: Sides) -> None:
    user = UserId("@a:chu-a.test")
    first = await web.passes.make(user, sides.clock.now())
    second = await web.passes.make(user, sides.clock.now())
    assert not await web.passes.check(user, first, sides.clock.now()), "a newer one replaced it"
    for _ in range(4):
        assert not await web.passes.check(user, "abcde", sides.clock.now())
    assert not await web.passes.check(user, second, sides.clock.now()), "tried too often"
    third = await web.passes.make(user, sides.clock.now())
    sides.clock.advance(minutes=10)
    assert not await web.passes.check(user, third, sides.clock.now())


async def test_no_other_site_fills_in_our_forms_and_nobody_too_many(web: Web) -> None:
    for token in ("", "x" * 32):
        web.token = token
        assert (await web.post("/entrer/code", rpps=rpps(1).value))[0] == 403
    assert web.around.mails == []
    async with aiohttp.ClientSession() as stranger, stranger.post(f"{web.url}/entrer/code", data={}) as answer:
        assert answer.status == 403
    statuses = [(await web.post("/entrer/lien", l="x"))[0] for _ in range(POSTS)]
    assert statuses[-1] == 429


async def test_every_page_is_closed_to_others(web: Web) -> None:
    for path, status in (("/", 200), ("/entrer", 200), ("/entrer/lien?l=x", 403), ("/x", 404), ("/entrer/psc", 405)):
        async with web.http.get(web.url + path) as answer:
            assert answer.status == status, path
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'sha256-")
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            for cookie in answer.headers.getall("Set-Cookie", []):
                assert "HttpOnly" in cookie
                assert "SameSite=Lax" in cookie
    async with web.http.post(f"{web.url}/entrer/code", data={"rpps": "1" * 20_000}) as answer:
        assert answer.status == 413


async def test_a_kill_between_name_and_account_makes_no_second_one(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = Accounts(
        db=web.side.db, people=web.side.people, server=web.around, journal=web.side.journal, server_name="chu-a.test"
    )
    with killed_after([(web.around, "create")], 0, monkeypatch):
        assert await dies(lambda: accounts.of("owner", "Anne", "MARTIN", "Anne"))
    # Somebody else takes the name on the homeserver meanwhile: it is ours already.
    assert await accounts.of("other", "Anne", "MARTIN", "Anne") != await accounts.of("owner", "Anne", "MARTIN", "Anne")
    assert await accounts.of("owner", "Anne", "MARTIN", "Anne") == "@anne.martin:chu-a.test"
    await accounts.settle()
    assert not [i for i in web.side.journal.open_intents() if i.kind == "account.make"]


async def test_who_is_verified_opens_a_session_whatever_has_become_of_the_directory(web: Web, sides: Sides) -> None:
    held = await web.side.attest(3)
    for change in (lambda d: d.people.pop(2), lambda d: setattr(d, "old", timedelta(days=8))):
        change(web.side.directory)
        await web.visits.prove("a", Proved(rpps(3), Method.PSC, EventId("$psc")), sides.clock.now())
        entered = await web.entry.enter("a")
        assert isinstance(entered, Entered)
        assert entered.user == held.user
        assert await web.passes.check(held.user, entered.password, sides.clock.now())
        await web.visits.prove("b", Proved(rpps(60), Method.PSC, EventId("$psc2")), sides.clock.now())
        with pytest.raises(Refused):
            await web.entry.enter("b")
    assert await web.side.people.attestation_of(held.user) == held, "nothing was attested anew"


async def test_who_is_refused_at_the_last_moment_gets_no_password(
    web: Web, sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(user: UserId, name: str) -> None:
        """As when an administrator takes the access away while the account is being made."""
        await Endings(web.side.db).begin(user, End.ADMIN, sides.clock.now())

    monkeypatch.setattr(web.around, "create", ended)
    await web.post("/entrer/code", rpps=rpps(1).value)
    status, html = await web.post("/entrer/code/verifier", code=web.around.code())
    assert (status, "Code : not_attested" in html) == (403, True)
    assert await web.side.db.fetchval("SELECT COUNT(*) FROM one_time") == 0
    assert await web.side.people.holder_of(rpps(1)) is None
