"""A server whose certificate was revoked is shown nothing: Debian's Dovecot and Postfix, real CRLs and OCSP answers."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from colloque.clock import Clock, FrozenClock, SystemClock
from colloque.errors import MailDeferred, Tampered
from colloque.mail import revocation_check
from colloque.mail.access import Password
from colloque.mail.imap import ImapClient
from colloque.mail.revocation_check import Revocation
from colloque.mail.smtp import submit
from tests.servers.authority import DAY, Authority, Lists, asked_at, list_at, write_pki
from tests.servers.mail_suites import LOCALS, TIMEOUT_S, Step, written
from tests.servers.operator import Operator
from tests.servers.postfix import Postfix

pytestmark = [pytest.mark.postfix, pytest.mark.dovecot]
REVOKED, UNKNOWN = ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN


@dataclass
class World:
    """Root, the authority below it, and a server's certificate that names a CRL and a responder."""

    lists: Lists
    root: Authority
    below: Authority
    cert: x509.Certificate
    operator: Operator
    auth: Password | None = None
    """Instead of the right one."""

    def good(self) -> None:
        """Everything is there, and nothing was revoked."""
        self.auth = None
        self.lists.headers.clear()
        self.lists.give = {
            "/root.crl": lambda _: self.root.crl(),
            "/below.crl": lambda _: self.below.crl(),
            "/ocsp": lambda asked: self.below.answer(self.cert, asked),
        }
        self.lists.asked.clear()

    def by_ocsp(self, **given: object) -> None:
        del self.lists.give["/below.crl"]
        self.lists.give["/ocsp"] = lambda asked: self.below.answer(self.cert, asked, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    lists = Lists()
    root = Authority("root")
    below = Authority("below", root, list_at(f"{lists.url}/root.crl"))
    issued = below.issue(list_at(f"{lists.url}/below.crl"), asked_at(f"{lists.url}/ocsp"))
    server = Postfix(*LOCALS)
    with tempfile.TemporaryDirectory(prefix="clq-pki-", dir="/tmp") as folder:
        server.dovecot.pki = write_pki(Path(folder), root, below, issued)
        try:
            yield World(lists, root, below, issued[0], server.start())
        finally:
            server.stop()
            lists.stop()


@pytest.fixture
def world(made: World) -> World:
    made.good()
    return made


def revocation(folder: Path, clock: Clock | None = None) -> Revocation:
    return Revocation(folder / "revocation", clock or SystemClock())


async def by_imap(world: World, revocation: Revocation) -> None:
    operator, box = world.operator, next(iter(world.operator.accounts))
    auth = world.auth or operator.password(box)
    client = await ImapClient.connect(operator.imap, box, auth, timeout_s=TIMEOUT_S, revocation=revocation)
    await client.close()


async def by_smtp(world: World, revocation: Revocation) -> None:
    operator, box = world.operator, next(iter(world.operator.accounts))
    step = Step()
    try:
        await submit(
            operator.smtp, box, world.auth or operator.password(box),
            sender=box, recipients=[box], envid=None, notify=None,
            data=written(operator, box, box), before_data=step, timeout_s=TIMEOUT_S, revocation=revocation,
        )  # fmt: skip
    except Exception:
        assert step.calls == 0
        raise


@pytest.fixture(params=[by_imap, by_smtp])
def enter(request: pytest.FixtureRequest, world: World) -> Callable[[Revocation], Awaitable[None]]:
    async def entered(revocation: Revocation) -> None:
        await request.param(world, revocation)

    return entered


Enter = Callable[[Revocation], Awaitable[None]]


async def test_good(world: World, enter: Enter, tmp_path: Path):
    held = revocation(tmp_path)
    await asyncio.gather(*(enter(held) for _ in range(8)))
    assert world.lists.asked == ["/below.crl", "/root.crl"]  # once, however many come together
    kept = list((tmp_path / "revocation").iterdir())
    assert [stat.S_IMODE(one.stat().st_mode) for one in kept] == [0o600, 0o600]


@pytest.mark.parametrize("which", ["server", "authority"])
async def test_revoked_is_known_before_the_login(world: World, enter: Enter, tmp_path: Path, which: str):
    if which == "server":
        world.lists.give["/below.crl"] = lambda _: world.below.crl(world.cert)
    else:
        world.lists.give["/root.crl"] = lambda _: world.root.crl(world.below.cert)
    world.auth = Password("wrong")
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))


async def test_a_kept_list_counts_after_a_restart_until_its_end(world: World, enter: Enter, tmp_path: Path):
    await enter(revocation(tmp_path))
    world.lists.give.clear()
    await enter(revocation(tmp_path))
    with pytest.raises(MailDeferred):
        await enter(revocation(tmp_path, FrozenClock(datetime.now(UTC) + DAY + timedelta(minutes=1))))


async def test_what_was_revoked_stays_so_when_the_list_goes_away(world: World, enter: Enter, tmp_path: Path):
    world.lists.give["/below.crl"] = lambda _: world.below.crl(world.cert)
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))
    world.lists.give.clear()
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))


async def test_an_older_list_is_not_taken_for_the_newest(world: World, enter: Enter, tmp_path: Path):
    world.lists.give["/below.crl"] = lambda _: world.below.crl(world.cert)
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))
    world.lists.give["/below.crl"] = lambda _: world.below.crl(made_at=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))


async def test_a_spoilt_kept_list_is_had_anew(world: World, enter: Enter, tmp_path: Path):
    await enter(revocation(tmp_path))
    for one in (tmp_path / "revocation").iterdir():
        one.write_bytes(one.read_bytes()[:50])
    await enter(revocation(tmp_path))
    world.lists.give.clear()
    await enter(revocation(tmp_path))


@pytest.mark.parametrize(
    "given", [{"made_at": datetime.now(UTC) - 3 * DAY}, {"key": Authority("below").key}], ids=["expired", "forged"]
)
async def test_no_list_that_counts_and_no_responder(
    world: World, enter: Enter, tmp_path: Path, given: dict[str, object]
):
    """Refused for now, whatever was revoked."""
    world.lists.give["/below.crl"] = lambda _: world.below.crl(**given)  # type: ignore[arg-type]
    del world.lists.give["/ocsp"]
    with pytest.raises(MailDeferred):
        await enter(revocation(tmp_path))


async def test_a_list_too_long_or_elsewhere_is_not_taken(
    world: World, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    del world.lists.give["/ocsp"]
    world.lists.headers["Location"] = f"{world.lists.url}/other.crl"
    with pytest.raises(MailDeferred):
        await enter(revocation(tmp_path))
    assert "/other.crl" not in world.lists.asked
    world.good()
    del world.lists.give["/ocsp"]
    monkeypatch.setattr(revocation_check, "CRL_LIMIT", 50)
    with pytest.raises(MailDeferred):
        await enter(revocation(tmp_path))


async def test_ocsp_answers_where_no_list_can_be_had(world: World, enter: Enter, tmp_path: Path):
    world.by_ocsp()
    held = revocation(tmp_path)
    await enter(held)
    await enter(held)
    assert world.lists.asked.count("/ocsp") == 1


async def test_ocsp_says_revoked(world: World, enter: Enter, tmp_path: Path):
    world.by_ocsp(status=REVOKED)
    with pytest.raises(Tampered):
        await enter(revocation(tmp_path))


async def test_ocsp_says_nothing_that_counts(world: World, enter: Enter, tmp_path: Path):
    """Unknown; forged by another key."""
    other = Authority("below")
    for n, given in enumerate(({"status": UNKNOWN}, {"by": (other.cert, other.key)})):
        world.good()
        world.by_ocsp(**given)
        with pytest.raises(MailDeferred):
            await enter(revocation(tmp_path / str(n)))


async def test_an_ocsp_answer_played_back_does_not_count(world: World, enter: Enter, tmp_path: Path):
    world.by_ocsp()
    seen: list[bytes] = []
    answer = world.lists.give["/ocsp"]

    def first(asked: bytes) -> bytes:
        seen.append(seen[0] if seen else answer(asked))
        return seen[0]

    world.lists.give["/ocsp"] = first
    await enter(revocation(tmp_path / "1"))
    with pytest.raises(MailDeferred):
        await enter(revocation(tmp_path / "2"))
    assert len(seen) == 2
