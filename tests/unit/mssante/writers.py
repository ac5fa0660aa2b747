"""A stand-in for who may write from which mailbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from colloque.identity import MssanteAddress, UserId
from colloque.mail.message import Party


@dataclass
class Writers:
    """Stands for who may write from where: everybody, but for what `no` says."""

    no: dict[str, Exception] = field(default_factory=dict)

    def name(self, _user: UserId) -> str:
        if (error := self.no.get("name")) is not None:
            raise error
        return "Dr A"

    def sender(self, _user: UserId, mailbox: MssanteAddress) -> Party:
        if (error := self.no.get("sender")) is not None:
            raise error
        return Party("Dr A", mailbox.value)

    def unlisted(self, _user: UserId) -> bool:
        return False
