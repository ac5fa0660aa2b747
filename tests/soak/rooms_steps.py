"""The boundaries between the steps of a patient room's life in @salles, at any one of which a process can die."""

from __future__ import annotations

from collections.abc import Callable

from colloque.mailer import BridgeMailer
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.nio_home import NioHome
from colloque.store.handled import Handled
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque_salles.archive.filing import Filing
from colloque_salles.archive.handing import Handing
from colloque_salles.erasing.erase import Eraser
from colloque_salles.erasing.receipts import Signer
from colloque_salles.living.expire import Sweep
from colloque_salles.opening.opening import Opening
from colloque_salles.store.archive import Archives
from colloque_salles.store.copies import Copies
from colloque_salles.store.jobs import Jobs
from colloque_salles.store.offers import Offers
from colloque_salles.store.rooms import PatientRooms
from tests.soak.steps import Step


def _to(step: str) -> Callable[..., bool]:
    return lambda _self, _room, moved_to: bool(moved_to == step)


ROOM_STEPS = {
    # it is opened
    "words-reserved": Step(PatientRooms, "reserve_words"),
    "room-made": Step(NioHome, "create_room"),
    "room-followed": Step(PatientRooms, "add"),
    "picture-set": Step(Opening, "_picture"),
    "room-shaped": Step(Offers, "shape"),
    "room-opened": Step(Opening, "open"),
    # it is closed
    "end-announced": Step(PatientRooms, "warned", before=True),
    "end-promised": Step(PatientRooms, "warned"),
    "to-close": Step(Sweep, "close", before=True),
    "close-said": Step(PatientRooms, "closed", before=True),
    "closed": Step(PatientRooms, "closed"),
    "close-heard": Step(PatientRooms, "heard_own"),
    # its archive
    "archive-announced": Step(Archives, "begin", before=True),
    "archive-begun": Step(Archives, "begin"),
    "document-reserved": Step(NioHome, "reserve_file"),
    "document-noted": Step(Copies, "keep"),
    "document-stored": Step(NioHome, "upload_encrypted"),
    "archive-made": Step(Archives, "made"),
    "mail-to-queue": Step(BridgeMailer, "send", before=True),
    "mail-queued": Step(BridgeMailer, "send"),
    "handed-over": Step(Archives, "sent", before=True),
    "sending-noted": Step(Archives, "sent"),
    "arrival-noted": Step(Archives, "delivered"),
    "reminder-noted": Step(Archives, "reminded"),
    "question-asked": Step(Archives, "asked", before=True),
    "decided": Step(Archives, "decide"),
    "tap-answered": Step(Filing, "_decide"),
    "words-withdrawn": Step(Handing, "withdraw"),
    "to-prove": Step(Archives, "prove", before=True),
    "proven": Step(Archives, "prove"),
    # it is erased
    "erasure-begun": Step(Jobs, "start"),
    "deletion-asked": Step(SynapseAdmin, "delete_room"),
    "room-deleted": Step(Jobs, "at_step", only=_to("files")),
    "file-deleted": Step(SynapseAdmin, "delete_media"),
    "files-deleted": Step(Jobs, "at_step", only=_to("verify")),
    "verified": Step(Jobs, "at_step", only=_to("receipt")),
    "receipt-in-transaction": Step(Jobs, "add", before=True),
    "receipt-kept": Step(Jobs, "add"),
    "receipt-to-note": Step(Signer, "write"),
    "receipt-written": Step(Jobs, "written"),
    "keys-forgotten": Step(NioHome, "forget_room_keys"),
    "events-forgotten": Step(Handled, "forget_room"),
    "mark-forgotten": Step(Rooms, "forget"),
    "key-destroyed": Step(RoomKeys, "destroy"),
    "rows-forgotten": Step(Jobs, "forget"),
    "erasure-told": Step(Jobs, "told", before=True),
    "told-noted": Step(Jobs, "told"),
    "advanced": Step(Eraser, "_advance"),
}
