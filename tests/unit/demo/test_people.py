"""Who is chosen from the sample directory."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.directory.extract import import_files
from colloque.directory.file import DirectoryFile
from colloque.directory.sample import write_sample
from colloque.errors import Inconsistent
from colloque.identity import parse_user_id
from colloque_demo.people import Cast, Role, choose

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def cast_of(folder: Path, people: int) -> Cast:
    write_sample(folder / "x", people, 7, NOW)
    import_files([folder / "x"], folder / "directory.sqlite", FrozenClock(NOW))
    return choose(folder / "x", DirectoryFile(folder / "directory.sqlite", FrozenClock(NOW)))


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return cast_of(tmp_path_factory.mktemp("people"), 2000)


def test_there_is_enough_left_for_an_outside_program(cast: Cast):
    untouched = [p for p in cast.accounts if p.role is Role.CLINICIAN and not p.used]
    assert len(untouched) >= 4
    nobody = [p for p in cast.with_mailbox if p.user is None and not p.used]
    assert len(nobody) >= 2
    assert len([p for p in cast.with_mailbox if not p.used]) >= 4


def test_everybody_is_somebody_else_with_one_own_mailbox(cast: Cast):
    everybody = cast.with_mailbox
    assert len({p.rpps for p in everybody}) == len(everybody)
    assert len({p.address for p in everybody}) == len(everybody)
    assert len({p.account for p in cast.accounts}) == len(cast.accounts)
    for person in everybody:
        assert [m.address for m in person.professional.personal_mailboxes] == [person.address]
    for person in cast.accounts:
        assert parse_user_id(person.account) == person.account
        assert person.account == person.account.lower()


def test_only_the_scenarios_own_people_count_as_used(cast: Cast):
    used = {cast.author.rpps, cast.colleague.rpps, cast.outsider.rpps, cast.correspondent.rpps}
    assert {p.rpps for p in cast.with_mailbox if p.used} == used
    assert cast.outsider.role is Role.UNVERIFIED
    assert [p for p in cast.accounts if p.role is Role.ADMIN] == [cast.admin]


def test_passwords_are_random_and_never_shown(cast: Cast):
    secrets = {p.mail_password for p in cast.with_mailbox} | {p.password for p in cast.accounts}
    assert len(secrets) == len(cast.with_mailbox) + len(cast.accounts)
    assert not any(secret in repr(cast) for secret in secrets)


def test_a_directory_that_is_too_small_is_refused(tmp: Path):
    with pytest.raises(Inconsistent):
        cast_of(tmp, 5)
