"""A local Pro Santé Connect (`tests/clients/js/psc.mjs`, on npm's oidc-provider), and people to log in there.

async with Psc(tmp, people=[person(rpps(1), "Anne", "MARTIN")], redirects=["http://127.0.0.1:1234/retour"]) as psc:
    config = psc.config            # what `annuaire.psc` would hold, in test mode
    await psc.login_as("8…")       # from now on the login page lets this person in by itself
    await psc.answer(national, "approve")   # as on the e-CPS phone
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from colloque.config_psc import PscConfig
from colloque.files import free_port, write_private
from colloque.identity import Rpps
from tests.clients.jsclient import FOLDER, NODE

Json = dict[str, Any]
DOCTOR = ("10", "C", "SM04")
PHARMACIST = ("21", "C", "")
REALM = "/auth/realms/esante-wallet"
OPENID = REALM + "/protocol/openid-connect"


def userinfo(national: str, given: str, family: str, *exercises: tuple[str, str, str]) -> Json:
    """As Pro Santé Connect's: same names, same nesting."""
    activity = {
        "codeModeExercice": "L",
        "codeSecteurDactivite": "SA07",
        "codeSectionPharmacien": "",
        "codeRole": "",
        "codeGenreActivite": "GENR01",
        "numeroSiretSite": "",
        "numeroSirenSite": "",
        "numeroFinessSite": "",
        "numeroFinessetablissementJuridique": "",
        "identifiantTechniqueDeLaStructure": "R81311",
        "raisonSocialeSite": "CABINET DE TEST",
        "ancienIdentifiantDeLaStructure": "499700237045007",
        "autoriteDenregistrement": "CNOM/CNOM/CNOM",
        "codePostal": "54000",
    }
    told: Json = {
        "sub": f"f:550dc1c8-0000-4000-8000-000000000000:{national}",
        "preferred_username": national,
        "SubjectNameID": national,
        "given_name": given,
        "family_name": family,
        "codeCivilite": "M",
        "UITVersion": "1.0",
        "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
        "Secteur_Activite": "SA07^1.2.250.1.71.4.2.4",
        "SubjectRole": [f"{code}^1.2.250.1.213.1.1.5.5" for code, _, _ in exercises],
        "SubjectOrganization": "CABINET DE TEST",
        "SubjectOrganizationID": "R81311",
        "PSI_Locale": "1.2.250.1.213.1.3.1.1",
        "Mode_Acces_Raison": "",
        "Acces_Regulation_Medicale": "FAUX",
        "codeGenreActivite": "GENR01",
        "otherIds": [{"identifiant": national, "origine": "RPPS", "qualite": 1}],
    }
    if exercises:
        told["SubjectRefPro"] = {
            "exercices": [
                {
                    "codeProfession": profession,
                    "codeCategorieProfessionnelle": category,
                    "codeCiviliteDexercice": "DR",
                    "nomDexercice": family,
                    "prenomDexercice": given,
                    "codeTypeSavoirFaire": "S" if specialty else "",
                    "codeSavoirFaire": specialty,
                    "activities": [activity],
                }
                for profession, category, specialty in exercises
            ]
        }
    return told


def person(
    who: Rpps | str,
    given: str = "Anne",
    family: str = "MARTIN",
    *exercises: tuple[str, str, str],
    none: bool = False,
    acr: str = "eidas1",
) -> Json:
    """Somebody who can log in; `who` as text is a whole national identifier, e.g. an ADELI one. `none`: no exercise."""
    national = who if isinstance(who, str) else who.national
    return {"userinfo": userinfo(national, given, family, *(() if none else exercises or (DOCTOR,))), "acr": acr}


class Psc:
    """As an async context manager; `start` and `stop` again and again keep port, keys and people, and forget logins."""

    def __init__(
        self,
        folder: Path,
        *,
        people: Sequence[Json],
        redirects: Sequence[str] = (),
        ciba_s: int = 120,
        access_s: int = 120,
        refresh_s: int = 0,
    ) -> None:
        """`redirects`: every address that a browser may be sent back to. `ciba_s`: how long a phone is asked.

        `access_s`, `refresh_s`: how long tokens live; without refresh tokens, a session is over with its access token.
        """
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        secret = folder / "psc.client_secret"
        write_private(secret, secrets.token_urlsafe(32))
        self.config = PscConfig(
            issuer=self.origin + REALM,
            authorization=self.origin + "/auth",
            token=self.origin + OPENID + "/token",
            userinfo=self.origin + OPENID + "/userinfo",
            jwks=self.origin + OPENID + "/certs",
            ciba=self.origin + OPENID + "/ext/ciba/auth",
            client_id="colloque-test",
            client_secret=secret,
        )
        self._settings = {
            "port": self.port,
            "people": list(people),
            "clients": [
                {
                    "client_id": self.config.client_id,
                    "client_secret": secret.read_text(encoding="ascii"),
                    "redirect_uris": list(redirects),
                }
            ],
            "ciba_s": ciba_s,
            "access_s": access_s,
            "refresh_s": refresh_s,
            "cookie_key": secrets.token_hex(16),
        }
        self._log = folder / "psc.log"
        self.new_key()
        self._process: asyncio.subprocess.Process | None = None

    def new_key(self) -> None:
        """Sign with another key from the next start on."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
        self._settings["keys"] = [jwk | {"kid": secrets.token_urlsafe(8), "use": "sig", "alg": "RS256"}]

    async def start(self) -> None:
        """Returns once it listens."""
        pipe = asyncio.subprocess.PIPE
        with self._log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                NODE, "psc.mjs", cwd=FOLDER, stdin=pipe, stdout=pipe, stderr=out
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._settings).encode() + b"\n")
        async with asyncio.timeout(30):
            assert (await self._process.stdout.readline()).strip() == b"up"

    async def stop(self) -> None:
        """Safe to repeat."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def control(self, path: str = "", **change: Any) -> Json:
        """See psc.mjs: what may be changed while it runs. Answers open questions and calls so far."""
        async with aiohttp.ClientSession() as http, http.post(f"{self.origin}/control{path}", json=change) as answer:
            told: Json = await answer.json()
            return told

    async def login_as(self, national: str | None) -> None:
        """Who is logged in without seeing the page; None: the page asks."""
        await self.control(auto=national)

    async def questions(self) -> list[Json]:
        """What phones show and nobody answered: `{"id", "national", "binding"}`, oldest first."""
        return list((await self.control())["questions"])

    async def answer(self, national: str, how: str, *, by: str | None = None) -> None:
        """`approve` or `deny` the oldest question on that phone; `by` another person than whose it is."""
        asked = next(q for q in await self.questions() if q["national"] == national)
        await self.control("/ciba", id=asked["id"], answer=how, **({"as": by} if by else {}))

    async def end(self, national: str) -> None:
        """That person's sessions are over."""
        await self.control("/end", national=national)

    async def browse(self, url: str) -> str:
        """Follow a login as a browser does, by redirects alone; where it leaves this server's pages for."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            for _ in range(10):
                async with http.get(url, allow_redirects=False) as answer:
                    assert answer.status in {302, 303}, await answer.text()
                    url = urljoin(url, answer.headers["Location"])
                if not url.startswith(self.origin):
                    return url
        raise AssertionError("the login has no end")
