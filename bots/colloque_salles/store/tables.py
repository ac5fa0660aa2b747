"""Every table of the patient-room service, in the order in which they came: migrations are numbered."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque.store.schema import new_upgrades
from colloque_salles.store.anchors import register_anchors
from colloque_salles.store.archive import register_archives
from colloque_salles.store.copies import register_copies
from colloque_salles.store.direct import register_direct
from colloque_salles.store.direct_rounds import register_direct_rounds
from colloque_salles.store.elsewhere import register_elsewhere, register_gaps
from colloque_salles.store.evicted import register_evicted
from colloque_salles.store.identity import register_identities
from colloque_salles.store.invites import register_invites, register_moves
from colloque_salles.store.joining import register_joining
from colloque_salles.store.life import register_holds, register_life
from colloque_salles.store.mail_threads import register_mail_threads
from colloque_salles.store.offers import register_offers
from colloque_salles.store.repairs import register_repairs
from colloque_salles.store.rooms import register_echoes, register_upgrades
from colloque_salles.store.taps import register_taps


def salles_upgrades() -> UpgradeTable:
    """All of them, those that every service has first."""
    table = new_upgrades()
    register_upgrades(table)
    register_evicted(table)
    register_life(table)
    register_offers(table)
    register_joining(table)
    register_copies(table)
    register_archives(table)
    register_invites(table)
    register_anchors(table)
    register_echoes(table)
    register_taps(table)
    register_identities(table)
    register_elsewhere(table)
    register_mail_threads(table)
    register_direct(table)
    register_direct_rounds(table)
    register_repairs(table)
    register_holds(table)
    register_moves(table)
    register_gaps(table)
    return table
