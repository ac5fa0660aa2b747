"""Patient rooms from their opening to their end, wired: what `app` needs to know of them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from colloque.book import AttestationBook
from colloque.bot_service import Parts
from colloque.config import Config
from colloque.directory.lookup import Directory
from colloque.identity import RoomId
from colloque.mailer import WITH_FILES_S, BridgeMailer
from colloque.rooms.keeping import KeepingRule
from colloque.rooms.lifecycle import LifetimeRule
from colloque.sockets import Client
from colloque_salles.archive.archiving import Archiving
from colloque_salles.archive.conversation import Reader
from colloque_salles.archive.copying import Copying
from colloque_salles.archive.filing import Filing
from colloque_salles.archive.handing import Handing
from colloque_salles.archive.identifying import Identifying
from colloque_salles.archive.making import Making
from colloque_salles.care import Care
from colloque_salles.elsewhere.companions import Companions
from colloque_salles.erasing.erase import Eraser
from colloque_salles.living.care_team import CareTeam
from colloque_salles.living.commands import Commands
from colloque_salles.living.consent import Consent
from colloque_salles.living.evicting import Evicting
from colloque_salles.living.expire import Sweep
from colloque_salles.living.holding import Holding
from colloque_salles.living.leading import Leading
from colloque_salles.living.membership import Membership
from colloque_salles.living.prolonging import Prolonging
from colloque_salles.living.returning import Returning
from colloque_salles.living.standing_in import StandingIn
from colloque_salles.opening.acquainting import Acquainting
from colloque_salles.opening.inviting import Inviting
from colloque_salles.opening.joining import Joining
from colloque_salles.opening.offering import Offering
from colloque_salles.opening.opening import Opening
from colloque_salles.opening.succeeding import Succeeding
from colloque_salles.store.archive import Archives
from colloque_salles.store.copies import Copies
from colloque_salles.store.direct_rounds import DirectRoundRow
from colloque_salles.store.elsewhere import Companions as CompanionRows
from colloque_salles.store.evicted import Evicted
from colloque_salles.store.identity import Identities
from colloque_salles.store.invites import Invites
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.joining import MissingPeople
from colloque_salles.store.life import RoomLife
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.taps import EarlyTaps


def open_care(
    *,
    config: Config,
    parts: Parts,
    patients: PatientRooms,
    life: RoomLife,
    jobs: Jobs,
    book: AttestationBook,
    directory: Directory,
    eraser: Eraser,
    directs: DirectRoundRow,
) -> Care:
    """All of it, on the service's parts."""
    terms = config.salles.lifetime
    rule = LifetimeRule(
        idle=timedelta(seconds=terms.idle_s),
        notice=timedelta(seconds=terms.notice_s),
        linger=timedelta(seconds=terms.linger_s),
        reminder=timedelta(seconds=terms.reminder_s),
    )
    seen: dict[str, Any] = {"home": parts.home, "patients": patients, "clock": parts.clock}
    acts: dict[str, Any] = {"keys": parts.keys, "journal": parts.journal}
    common = seen | acts
    offers, evicted = Offers(parts.db), Evicted(parts.db)
    # What people's own taps wait for is answered at once, or not at all; a mail with files takes minutes.
    bridge = Client(config.socket("mssante"), "salles")
    patient_bridge = Client(config.socket("mssante"), "salles", timeout_s=WITH_FILES_S + 5)
    standing_in = StandingIn(bridge, parts.clock)
    lasts = timedelta(seconds=terms.hold_s)
    holding = Holding(life=life, book=book, rule=rule, lasts=lasts, standing_in=standing_in, **common)
    prolonging = Prolonging(life=life, book=book, rule=rule, **common)
    archives, copies, invites = Archives(parts.db), Copies(parts.db), Invites(parts.db)
    membership = Membership(home=parts.home, patients=patients, life=life, is_bot=book.is_bot)
    sweep = Sweep(
        membership=membership,
        life=life,
        holding=holding,
        jobs=jobs,
        incidents=parts.incidents,
        rule=rule,
        many_share=terms.many_share,
        eraser=eraser,
        has_heard=parts.home.has_heard,
        **common,
    )
    companions = Companions(rows=CompanionRows(parts.db), book=book, **seen)
    upload = partial(parts.home.api.upload, mime="image/png")
    evicting = Evicting(server=parts.admin, evicted=evicted, book=book, incidents=parts.incidents, **common)
    opening = Opening(
        evicting=evicting,
        membership=membership,
        rooms=parts.rooms,
        rule=rule,
        offers=offers,
        copies=copies,
        companions=companions,
        where=parts.admin.rooms_of,
        reserve=parts.home.reserve_file,
        upload=upload,
        **common,
    )
    acquainting = Acquainting(Client(config.socket("annuaire"), "salles"))
    offering = Offering(offers=offers, opening=opening, book=book, rule=rule, acquainting=acquainting, **seen)
    consent = Consent(
        home=parts.home, patients=patients, offers=offers, sweep=sweep, holding=holding, book=book, **acts
    )
    joining = Joining(
        rooms=parts.rooms,
        missing=MissingPeople(parts.db),
        book=book,
        directory=directory,
        mailer=BridgeMailer(bridge),
        keys=parts.keys,
        after=timedelta(seconds=terms.join_s),
        reaches=parts.home.reaches,
        **seen,
    )
    leading = Leading(book=book, **common)
    commands = Commands(
        patients=patients,
        jobs=jobs,
        sweep=sweep,
        holding=holding,
        consent=consent,
        standing_in=standing_in,
        directs=directs,
        clock=parts.clock,
        rule=rule,
    )
    reader = Reader(home=parts.home, offers=offers, invites=invites, book=book, clock=parts.clock)
    copying = Copying(home=parts.home, reader=reader, patients=patients, rooms=parts.rooms, copies=copies, **acts)
    keeping = KeepingRule(timedelta(seconds=terms.archive_wait_s), timedelta(seconds=terms.archive_late_s))
    handing = Handing(
        home=parts.home,
        archives=archives,
        rooms=parts.rooms,
        mailer=BridgeMailer(patient_bridge),
        keys=parts.keys,
        clock=parts.clock,
        wait=keeping.wait,
    )
    identities = Identities(parts.db)
    making = Making(
        home=parts.home,
        reader=reader,
        archives=archives,
        copies=copies,
        identities=identities,
        book=book,
        directory=directory,
        keys=parts.keys,
        clock=parts.clock,
        rule=rule,
        limit=config.mssante.size_limit,
        domain=config.mssante.sender.domain,
        exists=partial(_exists, parts),
    )
    archiving = Archiving(
        making=making,
        archives=archives,
        handing=handing,
        book=book,
        directory=directory,
        incidents=parts.incidents,
        rule=rule,
        keeping=keeping,
        standing_in=standing_in,
        **common,
    )
    filing = Filing(archives=archives, early=EarlyTaps(parts.db), handing=handing, book=book, **seen)
    succeeding = Succeeding(
        home=parts.home,
        opening=opening,
        offers=offers,
        invites=invites,
        life=life,
        holding=holding,
        sweep=sweep,
        standing_in=standing_in,
        book=book,
        clock=parts.clock,
        retire=parts.home.retire,
    )
    inviting = Inviting(
        evicting=evicting,
        invites=invites,
        book=book,
        companions=companions,
        succeeding=succeeding,
        acquainting=acquainting,
        **common,
    )
    identifying = Identifying(identities=identities, directory=directory, standing_in=standing_in, book=book, **common)
    care_team = CareTeam(life=life, book=book, **seen)
    answering = (commands, leading, care_team, holding, prolonging, copying, offering, consent, inviting, identifying)
    return Care(
        home=parts.home,
        table={name: handler for each in answering for name, handler in each.table.items()},
        membership=membership,
        sweep=sweep,
        evicting=evicting,
        opening=opening,
        leading=leading,
        returning=Returning(evicted=evicted, evicting=evicting, companions=companions, book=book, **common),
        offering=offering,
        joining=joining,
        prolonging=prolonging,
        consent=consent,
        inviting=inviting,
        identifying=identifying,
        copying=copying,
        archiving=archiving,
        filing=filing,
        standing_in=standing_in,
        companions=companions,
    )


async def _exists(parts: Parts, room: RoomId) -> bool:
    return await parts.admin.room(room) is not None
