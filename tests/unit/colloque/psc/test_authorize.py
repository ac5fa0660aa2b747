"""The login page's address, and what may come back from it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from yarl import URL

from colloque.config_psc import PscConfig
from colloque.errors import ColloqueError, Refused, Tampered, Temporary
from colloque.psc.authorize import begun, code_of

CONFIG = PscConfig(
    issuer="https://auth.test/realm",
    authorization="https://wallet.test/auth",
    token="https://auth.test/token",
    userinfo="https://auth.test/userinfo",
    jwks="https://auth.test/certs",
    client_id="colloque",
    client_secret=Path("/nowhere"),
)
LOGIN = begun(CONFIG, "https://we.test/retour?a=b&c", state="s" * 43, nonce="n" * 43, verifier="v" * 43)


def test_the_address_holds_everything_and_no_secret() -> None:
    url = URL(LOGIN.url)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert (url.host, url.path) == ("wallet.test", "/auth")
    assert dict(url.query) == {
        "response_type": "code",
        "client_id": "colloque",
        "redirect_uri": "https://we.test/retour?a=b&c",
        "scope": "openid scope_all",
        "acr_values": "eidas1",
        "state": "s" * 43,
        "nonce": "n" * 43,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert "v" * 43 not in LOGIN.url
    assert repr(LOGIN) == "Begun()"


def test_an_address_that_has_a_query_keeps_it() -> None:
    other = replace(CONFIG, authorization="https://wallet.test/auth?kc_locale=fr")
    assert URL(begun(other, "https://we.test", state="s", nonce="n", verifier="v").url).query["kc_locale"] == "fr"


def test_the_code_comes_back_with_the_state() -> None:
    assert code_of({"state": LOGIN.state, "code": "abc"}, LOGIN, CONFIG.issuer) == "abc"
    assert code_of({"state": LOGIN.state, "code": "abc", "iss": CONFIG.issuer}, LOGIN, CONFIG.issuer) == "abc"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"code": "abc"}, Tampered),
        ({"code": "abc", "state": "x" * 43}, Tampered),
        ({"code": "abc", "state": "é"}, Tampered),
        ({"error": "access_denied", "state": "x"}, Tampered),
        ({"code": "abc", "state": LOGIN.state, "iss": "https://evil.test"}, Tampered),
        ({"state": LOGIN.state}, Tampered),
        ({"state": LOGIN.state, "error": "access_denied", "code": "abc"}, Refused),
        ({"state": LOGIN.state, "error": "login_required"}, Refused),
        ({"state": LOGIN.state, "error": "server_error"}, Temporary),
    ],
)
def test_anything_else_is_no_code(query: dict[str, str], error: type[ColloqueError]) -> None:
    with pytest.raises(error):
        code_of(query, LOGIN, CONFIG.issuer)
