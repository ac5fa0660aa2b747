"""The bridge, wired: the only place here that knows every class."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from functools import partial

import aiohttp
from mautrix.client.state_store.asyncpg import PgStateStore
from mautrix.crypto import PgCryptoStore

from colloque.book import AttestationBook, read_secret
from colloque.bot import Bot
from colloque.bot_service import post_incidents
from colloque.calls import JsonDict
from colloque.clock import SystemClock
from colloque.commands import Owner
from colloque.config import Config
from colloque.directory.file import DirectoryFile
from colloque.errors import BadInput, HomeRefused, HomeUnavailable, NotFound, Refused
from colloque.identity import MssanteAddress, UserId
from colloque.matrix.admin import SynapseAdmin
from colloque.matrix.devicemark import DeviceMark
from colloque.matrix.home import ADMIN_KEY
from colloque.service import Service
from colloque.sockets import Server
from colloque.store.handled import Handled
from colloque.store.incidents import Incidents
from colloque.store.journal import Journal
from colloque.store.roomkeys import RoomKeys
from colloque.store.rooms import Rooms
from colloque.store.schema import new_upgrades, open_database
from colloque_mssante.appservice import Appservice, ping
from colloque_mssante.commands import Commands
from colloque_mssante.credentials import Credentials
from colloque_mssante.crypto import Accounts
from colloque_mssante.ghosts import Ghosts
from colloque_mssante.home import BridgeHome
from colloque_mssante.inbound import Inbound
from colloque_mssante.inbox import Inbox
from colloque_mssante.listener import Listener
from colloque_mssante.notices import Notices
from colloque_mssante.outbound import Outbound, ServiceMail
from colloque_mssante.outbox import Outbox
from colloque_mssante.sender import Sender, stuck_since
from colloque_mssante.store import Mailboxes, Mails, Uploads
from colloque_mssante.tables import register_upgrades
from colloque_mssante.watch import Watcher

APPSERVICE_ID = "colloque-mssante"
"""As in the registration file."""
