"""The patient-room service, wired: the only place here that knows every class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot
from colloque.bot_service import Parts, open_parts, post_incidents
from colloque.calls import JsonDict
from colloque.clock import SystemClock, monotonic
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.open import open_directory
from colloque.errors import HomeRefused
from colloque.identity import MxcUri, RoomId, parse_user_id
from colloque.matrix.api import MatrixApi
from colloque.matrix.home import Heard, MemberChange, text
from colloque.rights import Rights
from colloque.rooms.mark import ADMIN_KEY, RoomKind, home_key
from colloque.service import Service, Work
from colloque.sockets import Client, Server
from colloque_salles.caring import open_care
from colloque_salles.elsewhere.asked import Asking
from colloque_salles.elsewhere.guests import Guests
from colloque_salles.elsewhere.peers import Elsewhere
from colloque_salles.erasing.anchoring import Anchoring
from colloque_salles.erasing.cleaning import Cleaning
from colloque_salles.erasing.erase import Eraser
from colloque_salles.erasing.own_stores import OwnStores
from colloque_salles.erasing.receipts import Signer
from colloque_salles.living.hearing import Ledger
from colloque_salles.store.anchors import Anchors
from colloque_salles.store.copies import Copies
from colloque_salles.store.direct import DirectRooms
from colloque_salles.store.elsewhere import AskedErasures, GuestRooms, Peers
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.life import RoomLife
from colloque_salles.store.mail_threads import MailThreadRows
from colloque_salles.store.rooms import PatientRooms
from colloque_salles.store.tables import salles_upgrades
from colloque_salles.talks.care import open_directs
from colloque_salles.talks.mail_threads import MailThreads
from colloque_salles.texts import rooms as texts
from colloque_salles.texts.direct import erased

STUCK_S = 600.0
"""An erasure that has been at one step for that long is an incident."""
LOOK_S = 2.0
"""Between two looks at who was taken out or got their access back, who may open rooms, and who has not come."""
ERASURE_INCIDENT = "erasure.stuck"


class SallesService(Service):
    """Patient rooms: opened, ended, erased with proof."""

    def __init__(self, config: Config) -> None:
        super().__init__("salles", config, config.salles)
        self._erasing: dict[tuple[str, str], float] = {}
        self._life: RoomLife | None = None
        self._directs: DirectRooms | None = None

    def pages(self) -> Mapping[str, Callable[[], Awaitable[int]]]:
        """`/holds`, for the proxy in front of Synapse (deploy/nginx); `/holds/conversations`: of those alone."""
        return {"/holds": self._holds, "/holds/conversations": self._conversation_holds}

    async def _holds(self) -> int:
        """204 where no room is held now, 403 where one is, 503 while that is not known."""
        if self._life is not None and await self._life.any_held(SystemClock().now()):
            return 403
        return await self._conversation_holds()

    async def _conversation_holds(self) -> int:
        if self._directs is None:
            return 503
        return 403 if await self._directs.any_held(SystemClock().now()) else 204

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect everything, then listen and sweep."""
        config, own = self.config, self.config.salles
        parts = await open_parts(self, stack, config.bot("salles"), salles_upgrades())
        patients, life, jobs = PatientRooms(parts.db), RoomLife(parts.db), Jobs(parts.db)
        self._life, self._directs = life, DirectRooms(parts.db)
        guests, asked = GuestRooms(parts.db), AskedErasures(parts.db)
        book = AttestationBook(config.annuaire.snapshot, read_secret(config.secrets.snapshot))
        rights = Rights(config.admin.users, book, parts.clock)
        signer = Signer(own.receipt_key, own.receipts)
        cleaning = Cleaning(
            config=config,
            admin=parts.admin,
            patients=patients,
            jobs=jobs,
            incidents=parts.incidents,
            forget_keys=parts.home.forget_room_keys,
            own=OwnStores(own),
            clock=parts.clock,
        )
        directs = open_directs(config=config, parts=parts, patients=patients, jobs=jobs, book=book, cleaning=cleaning)
        eraser = Eraser(
            admin=parts.admin,
            patients=patients,
            copies=Copies(parts.db),
            mails=(mails := MailThreadRows(parts.db)),
            jobs=jobs,
            rooms=parts.rooms,
            handled=parts.handled,
            keys=parts.keys,
            journal=parts.journal,
            clock=parts.clock,
            signer=signer,
            store=parts.home,
            still_served=partial(still_served, parts.home.api),
            cleaning=cleaning,
            directs=directs.erasing,
            config=config,
        )
        directory = open_directory(config.annuaire.directory, parts.clock)
        stack.callback(directory.close)
        care = open_care(
            config=config,
            parts=parts,
            patients=patients,
            life=life,
            jobs=jobs,
            book=book,
            directory=directory,
            eraser=eraser,
            directs=directs.row,
        )
        anchoring = Anchoring(
            home=parts.home, rooms=parts.rooms, jobs=jobs, anchors=Anchors(parts.db), clock=parts.clock
        )
        await care.settle()
        bot = Bot(
            me=Owner.SALLES,
            home=parts.home,
            config=config,
            is_attested=rights.is_verified,
            administers=rights.administers,
            handlers={**care.table, **directs.table},
            handled=parts.handled,
            listen=care.listen,
        )
        ledger = Ledger(patients, care.membership, parts.clock)
        following = Guests(
            home=parts.home, admin=parts.admin, rooms=guests, patients=patients, book=book, clock=parts.clock
        )
        asking = Asking(
            admin=parts.admin,
            rows=asked,
            guests=guests,
            patients=patients,
            jobs=jobs,
            eraser=eraser,
            has_heard=parts.home.has_heard,
            journal=parts.journal,
            clock=parts.clock,
        )
        elsewhere = Elsewhere(
            peers=Peers(parts.db),
            jobs=jobs,
            signer=signer,
            ask=partial(ask_elsewhere, Client(config.socket("annuaire"), "salles")),
            incidents=parts.incidents,
            journal=parts.journal,
            clock=parts.clock,
            lasts=timedelta(seconds=own.lifetime.peers_s),
        )

        async def hear(heard: Heard) -> None:
            await ledger.hear(heard)
            await following.hear(heard)
            await self._remember_room(heard, parts)
            await care.tapped(heard)
            await bot.hear(heard)

        threads = MailThreads(
            config=config,
            rows=mails,
            jobs=jobs,
            admin=parts.admin,
            signer=signer,
            still_served=partial(still_served, parts.home.api),
            clock=parts.clock,
        )

        async def state() -> JsonDict:
            return {"problems": await self.problems()}

        async def evict(user: str, reason: str) -> JsonDict:
            return {"left": await care.evicting.evict(parse_user_id(user), reason)}

        server = Server(
            config.socket("salles"),
            config.sockets.uids,
            {
                "colloque": {"state": state},
                "annuaire": {"evict": evict, "erase_copy": asking.erase_copy},
                "mssante": threads.verbs,
            },
        )
        await server.start()
        stack.push_async_callback(server.stop)
        self.check("erasures", lambda: "erasure.stuck" if self._stuck() else "")
        self.spawn("sync", lambda: parts.home.run(hear, self.stop, position=parts.handled))
        for name, work in care.works.items():
            self.spawn(name, partial(self._again, work, LOOK_S))
        self.spawn("mail threads", partial(self._again, threads.once, own.sweep_s))
        self.spawn("absences", partial(self._again, care.standing_in.once, config.salles.sweep_s))
        self.spawn("archives", partial(self._again, care.archiving.once, config.salles.sweep_s))
        self.spawn("companions", partial(self._again, care.companions.once, config.salles.sweep_s))
        self.spawn("guests", partial(self._again, following.once, LOOK_S))
        self.spawn("elsewhere", partial(self._again, elsewhere.once, LOOK_S))

        async def sweep() -> None:
            await asking.once()
            await care.sweep.once()
            await elsewhere.write()

        self.spawn("sweep", partial(self._sweep, sweep, care.sweep.is_ready, jobs, parts))
        self.spawn("directs", partial(self._again, directs.once, own.sweep_s))
        self.spawn("anchors", partial(self._again, anchoring.once, own.sweep_s))

    async def _again(self, once: Work, pause_s: float) -> None:
        while not self.stop.is_set():
            await once()
            await self.pause(pause_s)

    async def _sweep(self, sweep: Work, is_ready: Callable[[], bool], jobs: Jobs, parts: Parts) -> None:
        while not self.stop.is_set():
            await sweep()
            now = monotonic()
            at = [(row.room, row.step) for row in await jobs.under_way()]
            self._erasing = {each: self._erasing.get(each, now) for each in at}
            if self._stuck():
                await parts.incidents.open(ERASURE_INCIDENT, texts.INCIDENT_STUCK)
            else:
                await parts.incidents.close(ERASURE_INCIDENT)
            await self._tell_erased(jobs, parts)
            admin_room = await parts.rooms.get(ADMIN_KEY)
            if admin_room is not None:
                await post_incidents(parts.home, parts.incidents, admin_room.room)
            await self._until_next(is_ready)

    async def _until_next(self, is_ready: Callable[[], bool]) -> None:
        """The pause between two sweeps; over as soon as what the last one put off can be done."""
        end = monotonic() + self.config.salles.sweep_s
        while not is_ready() and (left := end - monotonic()) > 0:
            if await self.pause(min(left, LOOK_S)):
                return

    def _stuck(self) -> bool:
        now = monotonic()
        return any(now - since > STUCK_S for since in self._erasing.values())

    async def _tell_erased(self, jobs: Jobs, parts: Parts) -> None:
        """Each former member reads in their home room that the room is gone, and the receipt's number."""
        for receipt in await jobs.to_tell():
            for member in receipt.members:
                home = await parts.rooms.get(home_key(member))
                if home is None:
                    continue
                try:
                    txn = f"erased-{receipt.serial}-{home.key}"
                    said = texts.erased(receipt.words, receipt.serial) if receipt.words else erased(receipt.serial)
                    await parts.home.send(home.room, text(said), txn=txn)
                except HomeRefused:
                    continue
            await jobs.told(receipt.serial)

    async def _remember_room(self, heard: Heard, parts: Parts) -> None:
        """Home rooms and the admin room are made by @annuaire: note them as we come in."""
        if not (isinstance(heard, MemberChange) and heard.user == parts.home.user and heard.membership == "join"):
            return
        mark = await parts.home.mark_of(heard.room)
        if mark is not None and mark.kind in {RoomKind.HOME, RoomKind.ADMIN}:
            await parts.rooms.put(mark.key, heard.room, mark.kind, mark.owner)


async def ask_elsewhere(annuaire: Client, server: str, room: RoomId, ref: str) -> JsonDict:
    """What a server answers that is to erase its copy. Raises Temporary, Refused, BadInput."""
    return await annuaire.call("erase_elsewhere", server=server, room=room, ref=ref)


async def still_served(api: MatrixApi, mxc: MxcUri) -> bool:
    """Whether the homeserver still gives the file: to an account of ours, or to nobody in particular."""
    for ask, no in ((api.download, {404}), (api.download_as_nobody, {401, 403, 404})):
        try:
            await ask(mxc)
        except HomeRefused as error:
            if error.status not in no:
                raise
        else:
            return True
    return False
