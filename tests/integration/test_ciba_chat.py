"""`!inscription` puts a number on the e-CPS phone, and its approval verifies the person: real services, a local PSC."""

from __future__ import annotations

import re
import secrets

from colloque.matrix.home import text
from tests.servers.entry_place import EntryPlace
from tests.servers.federation_world import home_room, told
from tests.servers.nio import listening
from tests.waiting import until


async def test_the_number_on_the_phone_verifies_and_another_persons_refusal_is_told(entry_place: EntryPlace) -> None:
    place, psc, who = entry_place.place, entry_place.psc, entry_place.people[2]
    assert who.rpps is not None
    national = who.rpps.national
    person = place.clinician(f"claire{secrets.token_hex(2)}")
    home = await person.login()
    async with listening(home) as ear:
        room = await home_room(home)

        async def types(line: str) -> None:
            await home.send(room, text(line), txn=secrets.token_hex(8))

        async def asked() -> bool:
            return any(question["national"] == national for question in await psc.questions())

        await types(f"!inscription {who.rpps}")
        said = await told(ear, "Validez le nombre")
        await until(asked, "the question on the phone")
        (question,) = [q for q in await psc.questions() if q["national"] == national]
        assert re.search(rf"nombre {question['binding']} ", said)
        await psc.answer(national, "deny")
        await told(ear, "refusée dans l'application e-CPS")
        await types(f"!inscription {who.rpps}")
        await until(asked, "the question on the phone again")
        await psc.answer(national, "approve")
        assert who.full_name in await told(ear, "Identité vérifiée")
        await types(f"!inscription {who.rpps}")
        await told(ear, "déjà vérifiée")
