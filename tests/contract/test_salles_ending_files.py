"""Which files go with a patient room that ends, and which stay: on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from colloque.clock import FrozenClock
from colloque.errors import HomeUnavailable
from colloque.identity import EventId, RoomId, UserId
from colloque.rooms.elsewhere import Copy
from colloque_salles.store.direct import Found
from colloque_salles.store.elsewhere import Asked
from colloque_salles.store.life import Hold
from colloque_salles.store.tables import salles_upgrades
from tests.servers.databases import Opener
from tests.servers.dispatch import SERVER
from tests.servers.salles_ending import ANNE, BOB, GHOST, ME, PAUL, A, B, C, Ending, mxc

TALK = RoomId("!talk")


@pytest.fixture
async def ending(opened: Opener, tmp_path: Path, clock: FrozenClock) -> Ending:
    made = Ending(tmp_path, await opened(salles_upgrades(), "colloque_salles"), clock)
    await made.opened(A, BOB)
    return made


# whose they are


async def test_only_what_somebody_of_the_room_uploaded_goes(ending: Ending) -> None:
    """A member may name any file that they have seen."""
    own, theirs = await ending.shared(A, "own"), await ending.shared(A, "theirs", BOB)
    stolen, mail, notice = (
        await ending.shared(A, "stolen", PAUL),
        await ending.shared(A, "mail", GHOST),
        await ending.shared(A, "notice", ME),
    )
    gone = await ending.shared(A, "gone", None)
    await ending.patients.heard(A, EventId("$far"), readable=True, files=(mxc("far", "elsewhere.test"),))
    await ending.ends(A)
    found = await ending.manifest(A)
    assert found["files"] == sorted([own, theirs, gone])
    assert found["kept_files"] == {"of_somebody_else": 1, "of_a_mail_room": 2, "on_another_server": 1}
    await ending.goes_on()
    assert set(ending.server.files) == {stolen, mail, notice}
    assert ending.helper.noted[A] == sorted([own, theirs, gone]), "nobody looks for what stays"


@pytest.mark.parametrize(("membership", "goes"), [("leave", True), ("ban", True), ("invite", False), ("knock", False)])
async def test_whoever_was_in_the_room_is_of_it_and_whoever_was_only_asked_is_not(
    ending: Ending, membership: str, goes: bool
) -> None:
    file = await ending.shared(A, "file", PAUL)
    ending.server.rooms[A][PAUL] = membership
    await ending.ends(A)
    assert (await ending.manifest(A))["files"] == [file] * goes


async def test_a_members_picture_stays(ending: Ending) -> None:
    picture, own = await ending.shared(A, "picture", BOB), await ending.shared(A, "own", BOB)
    ending.server.pictures[BOB] = picture
    await ending.ends(A)
    found = await ending.manifest(A)
    assert (found["files"], found["kept_files"]) == ([own], {"may_be_elsewhere": 1})


@pytest.mark.parametrize(("membership", "stays"), [("join", True), ("leave", True), ("invite", False)])
async def test_what_may_be_in_a_conversation_that_is_held_stays(
    ending: Ending, clock: FrozenClock, membership: str, stays: bool
) -> None:
    """The server can't tell which files a conversation names."""
    annes, bobs = await ending.shared(A, "annes"), await ending.shared(A, "bobs", BOB)
    now, day = clock.now(), timedelta(days=1)
    await ending.directs.follow(Found(TALK, (BOB, PAUL), opened_at=now, promised=30 * day), 30 * day)
    await ending.directs.hold(Hold(TALK, PAUL, now, now + 90 * day, "expertise"))
    ending.server.talks[BOB] = {TALK: membership}
    await ending.ends(A)
    found = await ending.manifest(A)
    assert found["files"] == ([annes] if stays else [annes, bobs])
    assert found["kept_files"] == ({"may_be_elsewhere": 1} if stays else {})


async def test_what_its_mails_thread_left_goes_with_the_last_patient_room(ending: Ending) -> None:
    mail, kept = await ending.shared(A, "mail", GHOST), await ending.shared(A, "kept", GHOST)
    await ending.mails.orphaned(mail)
    await ending.ends(A)
    found = await ending.manifest(A)
    assert (found["files"], found["kept_files"]) == ([mail], {"of_a_mail_room": 1})
    await ending.goes_on()
    assert set(ending.server.files) == {kept}
    assert not await ending.mails.is_orphan(mail)


# files of two rooms


@pytest.mark.parametrize("order", [(A, B), (B, A)])
async def test_of_two_rooms_that_end_together_one_deletes_what_both_know(
    ending: Ending, order: tuple[RoomId, RoomId]
) -> None:
    await ending.opened(B, PAUL)
    file = await ending.shared(A, "file", BOB)
    await ending.shared(B, "file", BOB)  # PAUL's and ANNE's room: BOB never was there
    await ending.ends(*order)
    first, second = [await ending.manifest(room) for room in order]
    if order == (A, B):
        assert (first["files"], first["kept_files"]) == ([], {"known_in_another_room": 1})
        assert (second["files"], second["kept_files"]) == ([file], {})
    else:
        assert (first["files"], first["kept_files"]) == ([], {"of_somebody_else": 1})
        assert (second["files"], second["kept_files"]) == ([file], {})
    await ending.goes_on()
    assert ending.server.deleted.count(file) == 1
    assert file not in ending.server.files
    assert not await ending.mails.is_orphan(file)


async def test_it_goes_only_when_the_other_room_can_not_be_read_any_more(ending: Ending) -> None:
    await ending.opened(B, BOB)
    file, own = await ending.shared(A, "file"), await ending.shared(B, "own")
    await ending.shared(B, "file")
    await ending.ends(A, B)
    ending.server.stuck = {A}
    await ending.goes_on()
    assert (set(ending.server.deleted), set(ending.server.rooms)) == ({own}, {A}), "its own are not held up"
    row = await ending.jobs.get(B)
    assert row is not None
    assert row.step == "files"
    ending.server.stuck = set()
    await ending.goes_on()
    assert ending.server.readable_at[file] == set()
    assert [row.step for row in await ending.jobs.under_way()] == ["clean", "clean"]


async def test_the_last_of_three_deletes_it(ending: Ending) -> None:
    for room in (B, C):
        await ending.opened(room, PAUL)
        await ending.shared(room, "file", BOB)
    file = await ending.shared(A, "file", BOB)
    await ending.ends(A, B)
    await ending.goes_on()
    assert file in ending.server.files, "C lives"
    for room in (A, B):
        await ending.forgotten(room)
    await ending.ends(C)
    await ending.goes_on()
    assert file not in ending.server.files, "although nobody of C uploaded it: A left it"


async def test_a_job_that_is_to_delete_it_is_left_to_do_so(ending: Ending) -> None:
    await ending.opened(B, BOB)
    file = await ending.shared(A, "file")
    await ending.ends(A)
    await ending.shared(B, "file")
    await ending.ends(B)
    assert (await ending.manifest(A))["files"] == [file]
    assert (await ending.manifest(B))["kept_files"] == {"known_in_another_room": 1}
    await ending.goes_on()
    assert ending.server.deleted == [file]
    assert ending.server.readable_at[file] == set()
    assert not await ending.mails.is_orphan(file)


async def test_what_a_living_room_came_to_know_meanwhile_stays(ending: Ending) -> None:
    await ending.opened(B, PAUL)
    file, own = await ending.shared(A, "file", BOB), await ending.shared(A, "own", BOB)
    await ending.ends(A)
    ending.server.stuck = {A}
    await ending.goes_on()
    await ending.shared(B, "file", BOB)
    ending.server.stuck = set()
    await ending.goes_on()
    found = await ending.manifest(A)
    assert (found["files"], found["kept_files"]) == ([own], {"known_in_another_room": 1})
    assert (file in ending.server.files, own in ending.server.files) == (True, False)
    assert ending.helper.noted[A] == [own]
    await ending.forgotten(A)
    await ending.ends(B)
    await ending.goes_on()
    assert file not in ending.server.files


async def test_what_is_gone_is_not_counted_as_kept(ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that can't be deleted yet brings the job back; meanwhile somebody forwards one that is gone."""
    await ending.opened(B, BOB)
    gone, sticks = await ending.shared(A, "gone"), await ending.shared(A, "sticks")
    real = ending.server.delete_media

    async def delete(file: object) -> None:
        if file != sticks:
            await real(gone)

    monkeypatch.setattr(ending.server, "delete_media", delete)
    await ending.ends(A)
    await ending.jobs.at_step(A, "files")
    row = await ending.jobs.get(A)
    assert row is not None
    await ending.eraser._files(row)
    await ending.shared(B, "gone", None)
    monkeypatch.undo()
    await ending.jobs.at_step(A, "files")
    del ending.server.rooms[A]
    await ending.goes_on()
    found = await ending.manifest(A)
    assert (found["files"], found["kept_files"]) == (sorted([gone, sticks]), {})


async def test_a_crash_between_two_lines_loses_nothing(ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    await ending.opened(B, BOB)
    file, own = await ending.shared(A, "file"), await ending.shared(A, "own")
    await ending.ends(A)
    await ending.shared(B, "file")

    class Killed(BaseException):
        pass

    for owner, name in ((ending.mails, "orphaned"), (ending.jobs, "noted"), (ending.server, "delete_media")):
        real = getattr(owner, name)

        async def dies(*args: object, real: object = real) -> None:
            await real(*args)  # type: ignore[operator]
            raise Killed

        monkeypatch.setattr(owner, name, dies)
        with pytest.raises(Killed):
            await ending.goes_on()
        monkeypatch.undo()
    await ending.goes_on()
    found = await ending.manifest(A)
    assert (found["files"], found["kept_files"]) == ([own], {"known_in_another_room": 1})
    assert set(ending.server.files) == {file}


# what was never heard


async def test_what_the_server_lists_and_nobody_heard_counts_as_unread(ending: Ending) -> None:
    await ending.shared(A, "own")
    heard = (await ending.jobs.events(A))[0]
    pages = [[(EventId(f"$p{page}-{n}"), BOB) for n in range(500)] for page in range(3)]
    ending.server.pages[A] = [[(heard, ANNE)], *pages]
    await ending.ends(A)
    found = await ending.manifest(A)
    assert (found["events"], found["undecryptable"]) == (1501, 1500)


async def test_a_listing_that_was_cut_off_is_read_again(ending: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(room: RoomId, me: UserId) -> AsyncIterator[list[tuple[EventId, UserId]]]:
        assert (room, me) == (A, ME)
        yield [(EventId("$1"), BOB)]
        raise HomeUnavailable("away")

    monkeypatch.setattr(ending.server, "said", cut)
    with pytest.raises(HomeUnavailable):
        await ending.ends(A)
    assert await ending.jobs.get(A) is None
    monkeypatch.undo()
    ending.server.pages[A] = [[(EventId("$1"), BOB)], [(EventId("$2"), BOB)]]
    await ending.ends(A)
    assert (await ending.manifest(A))["undecryptable"] == 2


async def test_of_a_copy_only_what_people_of_ours_said_counts(ending: Ending) -> None:
    origin = f"not-{SERVER}"
    far = UserId(f"@far:{origin}")
    ending.server.pages[C] = [[(EventId("$ours"), BOB), (EventId("$theirs"), far)]]
    file = await ending.shared(C, "file", BOB)
    stolen = await ending.shared(C, "stolen", PAUL)
    copy = Copy(UserId(f"@salles:{origin}"), members={BOB: "leave", far: "join"})
    await ending.eraser.start_copy(Asked("asked", origin, "ab" * 16, C, None), copy, None)
    found = await ending.manifest(C)
    assert (found["events"], found["undecryptable"]) == (3, 1)
    assert (found["files"], found["kept_files"], stolen in ending.server.files) == (
        [file],
        {"of_somebody_else": 1},
        True,
    )
    assert not found["followed"]


async def test_what_is_heard_after_all_is_read(ending: Ending) -> None:
    late = EventId("$late")
    await ending.jobs.missed(A, [late])
    await ending.patients.heard(A, late, readable=True)
    assert await ending.patients.counts(A) == (1, 0)
