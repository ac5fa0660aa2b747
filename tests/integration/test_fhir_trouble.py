"""The FHIR client in trouble: limits, refusals, nonsense, silence, bad keys and foreign certificates."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from colloque.clock import monotonic
from colloque.directory import fhir as wire
from colloque.directory.fhir import FhirKeyRefused, FhirRefused, FhirUnavailable, FhirUntrusted
from colloque.directory.fhir_bundle import FhirNonsense
from colloque.directory.settle import Silent
from colloque.errors import ConfigError
from colloque.files import write_private
from colloque.identity import MssanteAddress, Rpps
from colloque_demo.pki import make_pki
from tests.servers.fhir import Fault, FhirServer
from tests.servers.fhir_client import (  # noqa: F401 - fixtures
    NOW,
    ONE,
    Make,
    answer,
    everything,
    fhir_http,
    fhir_make,
    fhir_server,
    hang_up,
    refuse,
)
from tests.servers.fhir_people import (
    bundle,
    practitioner,
    rpps,
    rpps_ids,
)


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/fhir/v2/Practitioner?_offset=1",
        "//elsewhere.example/x",
        "ftp://127.0.0.1/x",
        "http://[",
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(server: FhirServer, make: Make, link: str) -> None:
    server.faults.append(answer(json.dumps(bundle([practitioner("p1", rpps_ids(ONE.value))], link))))
    with pytest.raises(FhirNonsense):
        await make().person(ONE)
    assert len(server.calls) == 1


async def test_another_port_is_another_server(server: FhirServer, make: Make) -> None:
    async with FhirServer() as other:
        server.faults.append(answer(json.dumps(bundle([], other.url + "/Practitioner?_offset=1"))))
        with pytest.raises(FhirNonsense):
            await make().person(ONE)
        assert other.calls == []


async def test_pages_in_a_circle_end(server: FhirServer, make: Make) -> None:
    around = json.dumps(bundle([], server.url + "/Practitioner?_offset=1"))
    server.faults.extend(answer(around) for _ in range(3))
    with pytest.raises(FhirNonsense):
        await make().person(ONE)
    assert len(server.calls) == 2


async def test_a_redirect_is_not_followed(server: FhirServer, make: Make) -> None:
    async with FhirServer() as other:
        server.faults.append(answer("", 302, Location=other.url + "/Practitioner"))
        with pytest.raises(FhirRefused) as refused:
            await make().person(ONE)
        assert refused.value.code == "fhir.redirect"
        assert other.calls == []


NONSENSE = [
    b"<html>maintenance</html>",
    b"",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b"[" * 200_000,
    b'{"resourceType": "Patient"}',
    b'{"resourceType": "Bundle", "type": "batch-response", "entry": []}',
    b'{"resourceType": "Bundle", "type": "searchset", "entry": ["x"]}',
    b'{"resourceType": "Bundle", "type": "searchset", "entry": [{"fullUrl": "x"}]}',
    b'{"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": 7}]}',
    json.dumps(bundle([practitioner("p9", rpps_ids(rpps(9)))])).encode(),
    json.dumps(bundle([practitioner("p1", rpps_ids(ONE.value), active=None)])).encode(),
    json.dumps(bundle([practitioner("p1", rpps_ids(ONE.value), name=[])])).encode(),
    json.dumps(
        bundle([{"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "timeout"}]}])
    ).encode(),
]


@pytest.mark.parametrize("body", NONSENSE)
async def test_nonsense_is_never_an_absence(server: FhirServer, make: Make, body: bytes) -> None:
    server.faults.extend([answer(body), answer(body)])
    fhir = make()
    with pytest.raises(FhirNonsense):
        await fhir.person(ONE)
    assert await fhir.word(ONE) == Silent("fhir.answer")


async def test_an_endless_answer_is_cut(server: FhirServer, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BYTES", 100_000)
    server.faults.append(answer(b" " * 200_000))
    with pytest.raises(FhirNonsense, match="too big"):
        await make().person(ONE)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "fhir.request"), (404, "fhir.missing"), (410, "fhir.gone"), (412, "fhir.condition"), (405, "fhir.refused")],
)
async def test_final_refusals_are_named_and_asked_once(server: FhirServer, make: Make, status: int, code: str) -> None:
    server.faults.append(refuse(status, "not-supported", f"no match for {ONE}"))
    with pytest.raises(FhirRefused) as refused:
        await make().person(ONE)
    assert (refused.value.status, refused.value.code, refused.value.issue) == (status, code, "not-supported")
    assert ONE.value not in str(refused.value)
    assert len(server.calls) == 1


@pytest.mark.parametrize("fault", [refuse(500), refuse(503), refuse(408), answer("", 429, Retry_After="0"), hang_up])
async def test_passing_troubles_are_tried_again(server: FhirServer, make: Make, fault: Fault) -> None:
    server.resources = everything()
    server.faults.append(fault)
    assert await make().person(ONE) is not None
    assert len(server.calls) == 3


@pytest.mark.parametrize("form", ["3600", format_datetime(NOW + timedelta(hours=1), usegmt=True)])
async def test_a_long_pause_is_told_at_once_and_held_by_all(server: FhirServer, make: Make, form: str) -> None:
    server.faults.append(answer("", 429, Retry_After=form))
    fhir = make()
    for number in (ONE, Rpps(rpps(2))):
        with pytest.raises(FhirUnavailable) as waits:
            await fhir.person(number)
        assert waits.value.retry_after_s == pytest.approx(3600, abs=2)
    assert len(server.calls) == 1


async def test_a_short_pause_is_held(server: FhirServer, make: Make) -> None:
    server.faults.append(answer("", 429, Retry_After="1"))
    began = monotonic()
    assert await make().person(ONE) is None
    assert monotonic() - began >= 1.0


async def test_slow_answers_end_with_the_budget(server: FhirServer, make: Make) -> None:
    server.delay_s = 30.0
    began = monotonic()
    with pytest.raises(FhirUnavailable):
        await make(timeout_s=0.1, budget_s=2.0).person(ONE)
    assert monotonic() - began < 10
    assert len(server.calls) >= 2


async def test_a_dead_server_is_unavailable(server: FhirServer, make: Make) -> None:
    async with FhirServer() as other:
        url = other.url
    fhir = make(url=url, budget_s=0.3)
    with pytest.raises(FhirUnavailable):
        await fhir.person(ONE)
    assert await fhir.word(ONE) == Silent("fhir.unavailable")


async def test_the_limit_of_17_calls_a_second_is_kept_for_all_callers(server: FhirServer, make: Make) -> None:
    people = [Rpps(rpps(i)) for i in range(1, 61)]
    server.resources = [practitioner(f"p{who}", rpps_ids(who.value)) for who in people]
    fhir = make()
    began = monotonic()
    found = await asyncio.gather(*map(fhir.person, people))
    assert all(who is not None and who.rpps == asked for who, asked in zip(found, people, strict=True))
    assert server.refused_calls == 0
    assert server.most_in_a_second <= 17
    assert 3.0 <= monotonic() - began < 8.0


async def test_a_gateway_stricter_than_it_says_is_waited_for(server: FhirServer, make: Make) -> None:
    server.limit = 5
    people = [Rpps(rpps(i)) for i in range(1, 16)]
    server.resources = [practitioner(f"p{who}", rpps_ids(who.value)) for who in people]
    found = await asyncio.gather(*map(make().person, people))
    assert all(found)
    assert server.refused_calls


async def test_a_refused_key_is_told_once_and_rests_until_it_is_replaced(
    server: FhirServer, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.resources = everything()
    fhir = make()
    server.key = "another-key"
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with pytest.raises(FhirKeyRefused):
                await fhir.person(ONE)
    assert len(server.calls) == 1
    assert [r.getMessage() for r in caplog.records if "fhir" in r.getMessage()] == ["fhir.key_refused status=401"]
    write_private(tmp_path / "fhir.key", "another-key")
    assert await fhir.person(ONE) is not None
    assert not any(word in caplog.text for word in ("key-of-tests", "another-key", ONE.value))


@pytest.mark.parametrize("trouble", ["missing", "readable by others", "empty", "two lines", "not text"])
async def test_a_bad_key_file_asks_nobody(server: FhirServer, make: Make, tmp_path: Path, trouble: str) -> None:
    fhir = make()
    key = tmp_path / "fhir.key"
    if trouble == "missing":
        key.unlink()
    elif trouble == "readable by others":
        key.chmod(0o640)
    else:
        write_private(key, {"empty": b"", "two lines": b"a\nb", "not text": b"\xff"}[trouble])
    with pytest.raises(FhirKeyRefused) as refused:
        await fhir.person(ONE)
    assert server.calls == []
    assert server.key not in str(refused.value)


async def test_a_key_made_readable_later_is_noticed(server: FhirServer, make: Make, tmp_path: Path) -> None:
    fhir = make()
    await fhir.person(ONE)
    (tmp_path / "fhir.key").chmod(0o644)
    with pytest.raises(FhirKeyRefused):
        await fhir.person(ONE, fresh=True)


async def test_a_server_that_ignores_the_question_is_not_believed(server: FhirServer, make: Make) -> None:
    server.faults.append(answer(json.dumps(bundle(everything()))))
    with pytest.raises(FhirNonsense):
        await make().mailbox(MssanteAddress.parse("autre@chu.mssante.example"))


async def test_only_our_trust_anchors_count(make: Make, tmp_path: Path) -> None:
    ours, foreign = make_pki(tmp_path / "ours"), make_pki(tmp_path / "foreign")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(ours.cert, ours.key)
    async with FhirServer(*everything(), tls=tls) as server:
        assert await make(url=server.url, ca=ours.ca).person(ONE) is not None
        for ca in (foreign.ca, None):
            before = len(server.calls)
            with pytest.raises(FhirUntrusted):
                await make(url=server.url, ca=ca).person(ONE)
            assert len(server.calls) == before
    with pytest.raises(ConfigError):
        make(ca=tmp_path / "missing.pem")
