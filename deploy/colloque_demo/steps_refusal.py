"""Step 3: whoever is not verified is refused by the server, before anything happens, and is told why within 5 s."""

from __future__ import annotations

from colloque.clock import monotonic
from colloque.errors import HomeRefused
from colloque.identity import RoomId
from colloque.matrix.api import CLIENT, JsonDict, path
from colloque_demo import texts
from colloque_demo.clinician import Clinician, NotHeld, hold
from colloque_demo.stage import PROMPT_S, Stage


async def run(stage: Stage) -> None:
    """U invites A, creates a room with A, is invited by A: three refusals; A and C, verified, may."""
    author, colleague, outsider = stage.author, stage.colleague, stage.outsider
    name = f"{outsider.person.short}, not verified,"
    before = set(await author.joined_rooms())
    home = await stage.home_of(outsider)
    await _refused(stage, outsider, [outsider], path(CLIENT, "rooms", home, "invite"), {"user_id": author.user})
    stage.fact(f"{name} invites {author.person.short}: 403 from the server, and the reason in the home room")
    await _refused(stage, outsider, [outsider], path(CLIENT, "createRoom"), _room(author))
    stage.fact(f"{name} creates a room with {author.person.short}: the same")
    answer = await author.call("POST", path(CLIENT, "createRoom"), _room(colleague))
    room = RoomId(answer["room_id"])
    await _refused(stage, author, [author, outsider], path(CLIENT, "rooms", room, "invite"), {"user_id": outsider.user})
    stage.fact(f"{author.person.short} invites {outsider.person.short}: 403, and both are told why")
    await colleague.membership(room, "invite", "the invitation by a verified colleague")
    stage.fact("between verified people the same invitation arrives")
    for new in set(await author.joined_rooms()) - before:
        created = await author.state(new, "m.room.create")
        hold(created["sender"] == author.user, "a refused act left a room behind")
    hold(outsider.user not in await author.members(room), "a refused invitation stands in the room")
    for who in (author, colleague):
        await who.call("POST", path(CLIENT, "rooms", room, "leave"), {})


def _room(invitee: Clinician) -> JsonDict:
    return {"preset": "private_chat", "name": texts.ROOM_NAME, "invite": [invitee.user]}


async def _refused(stage: Stage, actor: Clinician, told: list[Clinician], where: str, body: JsonDict) -> None:
    """The server says 403 to `actor`, and each of `told` reads the reason from @annuaire in their home room.

    A Synapse killed between the two forgets whom it wanted told (the protection stays): the person tries again. So
    they do when the annuaire service is killed meanwhile; one that was before is waited for, it can't tell in time.
    """
    supervisor = stage.stack.supervisor
    while True:
        await stage.until_well("annuaire")
        restarts = supervisor.restarts
        try:
            await _refused_once(stage, actor, told, where, body)
        except NotHeld:
            if supervisor.restarts == restarts:
                raise
        else:
            return


async def _refused_once(stage: Stage, actor: Clinician, told: list[Clinician], where: str, body: JsonDict) -> None:
    homes = {who.user: await stage.home_of(who) for who in told}
    since = {who.user: len(who.heard) for who in told}
    began = monotonic()
    try:
        await actor.call("POST", where, body)
    except HomeRefused as error:
        hold((error.status, error.errcode) == (403, "M_FORBIDDEN"), f"refused, but with {error}")
    else:
        raise NotHeld("the server let it happen")
    bot = stage.stack.config.bot("annuaire")
    for who in told:
        home = homes[who.user]
        at, reason = await who.hear(
            lambda m, home=home: m.room == home and m.sender == bot,  # type: ignore[misc]
            "the reason of a refusal",
            since=since[who.user],
            timeout_s=2 * PROMPT_S,
        )
        hold(at - began <= PROMPT_S, f"the reason of a refusal took {at - began:.1f} s")
        hold(reason.encrypted and reason.device_signed, "the reason is not encrypted by a signed device")
        stage.answered(reason)
