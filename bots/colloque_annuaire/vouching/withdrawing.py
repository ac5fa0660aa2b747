"""The word of somebody whose access is taken away, before it has verified anybody, counts no more.

What an attestation rests on already is not undone here: administrators are told, and decide (`vouching`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from colloque.identity import UserId, digest
from colloque.policy.vouching import NEEDED
from colloque.store.journal import Journal
from colloque_annuaire.proving.attesting import Attesting
from colloque_annuaire.store.vouching import INTRODUCED, Claim, Stage, Vouches
from colloque_annuaire.texts import vouching as said

Say = Callable[[UserId, str, str], Awaitable[None]]
"""Says a text to somebody in their home room, once by the key that comes last."""


class Withdrawing:
    """One instance a service; called under the lock of whoever moves claims on."""

    def __init__(self, *, vouches: Vouches, attesting: Attesting, journal: Journal, say: Say) -> None:
        self._vouches = vouches
        self._attesting = attesting
        self._journal = journal
        self._say = say

    async def standing(self, claim: Claim) -> Claim:
        """The claim as it stands without such words. Raises Temporary: it stays as it was, and is asked again."""
        gone = [each for each in await self._vouches.withdrawn() if each.ref == claim.ref]
        if not gone or not await self._attesting.withdraw(claim.ref):
            return claim
        given = await self._vouches.of(claim.ref)
        # Whoever has an account made may have kept a session in it: nobody is verified there on a claim of theirs.
        over = claim.ref.startswith(INTRODUCED) and given[0] in gone
        told = f"withdrawn-{digest(f'{claim.ref} {gone[-1].voucher} {gone[-1].at.isoformat()}')}"
        if over:
            await self._say(claim.user, said.CLAIM_OVER, told)
        elif claim.stage is Stage.ASKED:
            await self._say(claim.user, said.missing_again(claim.user, NEEDED - len(given) + len(gone)), told)
        for each in gone:
            self._journal.note("person.vouch_withdrawn", actor=each.voucher, ref=digest(claim.ref))
        stage = Stage.REPLACED if over else Stage.OPEN
        await self._vouches.withdraw(claim, gone, stage)
        return replace(claim, stage=stage)

    async def doubtful(self) -> list[Claim]:
        """Claims for which such words were given."""
        refs = dict.fromkeys(each.ref for each in await self._vouches.withdrawn())
        found = [await self._vouches.claim_by(ref) for ref in refs]
        return [claim for claim in found if claim is not None]
