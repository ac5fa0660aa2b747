"""Every table of the annuaire service, in the order in which they came. Never reordered: migrations are numbered."""

from __future__ import annotations

from mautrix.util.async_db import UpgradeTable

from colloque.federation.nonces import register_nonces
from colloque.store.schema import new_upgrades
from colloque_annuaire.store.asking import register_asking
from colloque_annuaire.store.assistants import register_assistants, register_suspensions
from colloque_annuaire.store.blocks import register_blocks
from colloque_annuaire.store.ciba import register_ciba
from colloque_annuaire.store.ending import register_ending
from colloque_annuaire.store.entry import register_accounts, register_entry
from colloque_annuaire.store.entry_sessions import register_entry_sessions
from colloque_annuaire.store.federation import register_federation
from colloque_annuaire.store.federation_returning import register_returning
from colloque_annuaire.store.people import register_upgrades
from colloque_annuaire.store.presence import register_presence
from colloque_annuaire.store.proofs import register_proofs
from colloque_annuaire.store.renewing import register_cards, register_renewing
from colloque_annuaire.store.results import register_upgrades as register_results
from colloque_annuaire.store.sessions import register_sessions
from colloque_annuaire.store.staff import register_staff
from colloque_annuaire.store.vouching import register_vouching


def annuaire_upgrades() -> UpgradeTable:
    """All of them, those that every service has first."""
    table = new_upgrades()
    register_upgrades(table)
    register_results(table)
    register_presence(table)
    register_nonces(table)
    register_federation(table)
    register_proofs(table)
    register_sessions(table)
    register_renewing(table)
    register_cards(table)
    register_ciba(table)
    register_ending(table)
    register_accounts(table)
    register_entry(table)
    register_blocks(table)
    register_asking(table)
    register_vouching(table)
    register_assistants(table)
    register_staff(table)
    register_suspensions(table)
    register_entry_sessions(table)
    register_returning(table)
    return table
