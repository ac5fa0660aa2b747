"""What a CRL or an OCSP answer proves, and what proves nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from colloque.mail.revocation import (
    Unproven,
    ask_ocsp,
    crl_urls,
    judge_crl,
    judge_ocsp,
    names_a_source,
    ocsp_urls,
)
from tests.servers.authority import ANSWERS, DAY, DER, Authority, asked_at, list_at

URL = "http://lists.example/a.crl"
ROOT = Authority("root")
OTHER = Authority("root")
"""Another key under the same name."""
CERT, _ = ROOT.issue(list_at(URL, "ldap://lists.example/a"), asked_at("http://ocsp.example/"))
NEIGHBOUR, _ = ROOT.issue()
NOW = datetime.now(UTC)
ROOT.at = OTHER.at = NOW  # however long the tests before these take


def test_where_to_ask():
    assert crl_urls(CERT) == [URL]
    assert ocsp_urls(CERT) == ["http://ocsp.example/"]
    assert names_a_source(CERT)
    assert not names_a_source(NEIGHBOUR)
    by_ldap, _ = ROOT.issue(list_at("ldap://lists.example/a"))
    assert names_a_source(by_ldap)  # not to be taken for one that is never taken back
    assert crl_urls(by_ldap) == []


def test_a_list_tells_who_was_revoked():
    assert judge_crl(ROOT.crl(NEIGHBOUR), CERT, ROOT.cert, NOW).revoked is False
    found = judge_crl(ROOT.crl(NEIGHBOUR, CERT, made_at=NOW), CERT, ROOT.cert, NOW)
    assert found.revoked is True
    assert found.until == NOW.replace(microsecond=0) + DAY


def scope(**given: object) -> x509.IssuingDistributionPoint:
    known: dict[str, object] = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False, "only_contains_ca_certs": False,
        "only_some_reasons": None, "indirect_crl": False, "only_contains_attribute_certs": False,
    }  # fmt: skip
    return x509.IssuingDistributionPoint(**(known | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x80" * 100_000,
        ROOT.crl()[:-1],
        ROOT.crl() + b"\0",
        ROOT.crl(key=OTHER.key),
        OTHER.crl(),
        Authority("another").crl(),
        ROOT.crl(made_at=NOW - 2 * DAY),
        ROOT.crl(made_at=NOW + timedelta(hours=1)),
        ROOT.crl(scope=x509.DeltaCRLIndicator(1)),
        ROOT.crl(scope=scope(only_contains_ca_certs=True)),
        ROOT.crl(scope=scope(indirect_crl=True)),
        ROOT.crl(scope=scope(only_contains_attribute_certs=True)),
        ROOT.crl(scope=scope(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise]))),
        ROOT.crl(scope=scope(full_name=[x509.UniformResourceIdentifier("http://lists.example/b.crl")])),
        ROOT.crl(scope=x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")),
    ],
)
def test_a_list_that_proves_nothing(raw: bytes):
    with pytest.raises(Unproven):
        judge_crl(raw, CERT, ROOT.cert, NOW)


@pytest.mark.parametrize(
    "given", [{"only_contains_user_certs": True}, {"full_name": [x509.UniformResourceIdentifier(URL)]}]
)
def test_a_list_of_this_kind_of_certificates(given: dict[str, object]):
    assert judge_crl(ROOT.crl(CERT, scope=scope(**given)), CERT, ROOT.cert, NOW).revoked


ASKED = ask_ocsp(CERT, ROOT.cert, os.urandom(32))


@pytest.mark.parametrize("by", [None, ROOT.responder(*ANSWERS)])
@pytest.mark.parametrize("nonce", [True, False])
def test_an_answer(by: tuple | None, nonce: bool):
    good = ROOT.answer(CERT, ASKED, by=by, nonce=nonce)
    assert judge_ocsp(good, ASKED, ROOT.cert, NOW).revoked is False
    bad = ROOT.answer(CERT, ASKED, by=by, nonce=nonce, status=ocsp.OCSPCertStatus.REVOKED)
    assert judge_ocsp(bad, ASKED, ROOT.cert, NOW).revoked is True


def test_an_answer_without_an_end_counts_only_for_the_question():
    assert not judge_ocsp(ROOT.answer(CERT, ASKED, life=None), ASKED, ROOT.cert, NOW).revoked
    with pytest.raises(Unproven):
        judge_ocsp(ROOT.answer(CERT, ASKED, life=None, nonce=False), ASKED, ROOT.cert, NOW)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: b"",
        lambda: b"\x30\x80" * 30_000,
        lambda: ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(DER),
        lambda: ROOT.answer(CERT, ASKED, status=ocsp.OCSPCertStatus.UNKNOWN),
        lambda: ROOT.answer(NEIGHBOUR, ASKED),
        lambda: ROOT.answer(CERT, ASKED, by=(OTHER.cert, OTHER.key)),
        lambda: OTHER.answer(CERT, ASKED),
        lambda: ROOT.answer(CERT, ASKED, by=OTHER.responder(*ANSWERS)),
        lambda: ROOT.answer(CERT, ASKED, by=ROOT.issue()),
        lambda: ROOT.answer(CERT, ASKED, by=ROOT.responder(ANSWERS[0])),
        lambda: ROOT.answer(CERT, ask_ocsp(CERT, ROOT.cert, os.urandom(32))),
        lambda: ROOT.answer(CERT, ASKED, made_at=NOW - 2 * DAY, nonce=False),
        lambda: ROOT.answer(CERT, ASKED, made_at=NOW + timedelta(hours=1)),
    ],
)
def test_an_answer_that_proves_nothing(answer: Callable[[], bytes]):
    """Malformed, refused, about another, forged, by who may not, replayed, out of date."""
    with pytest.raises(Unproven):
        judge_ocsp(answer(), ASKED, ROOT.cert, NOW)
