"""Moves the dispatches of managed accounts, so that nobody has to ask for each step."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event as Flag

from api.vault import Vault
from ledger import Accounts, CampaignRow, Campaigns, LedgerError, TakenElsewhere, Unavailable

log = logging.getLogger("api")

PAUSE_S = 3.0
"""How long it rests between two rounds, or as long as the last one took: it leaves half of a processor to others."""

SHARE_S = 2.0
"""How long one owner's dispatches are moved in a round: whoever starts hundreds of them waits alone."""


class Mover:
    """Advances what is under way, for each dispatch whose key is in the vault and has not been revoked: what it may
    spend was counted against the key's limit when it was started. Two of these do nothing twice: a campaign has one
    who moves it at a time, whoever that is. An owner's dispatches for which `share_s` is too short go on in the next
    round from where they were left."""

    def __init__(
        self, campaigns: Callable[[], Campaigns], accounts: Accounts, vault: Vault, share_s: float = SHARE_S
    ) -> None:
        self._share_s = share_s
        self._left_at: dict[str, int] = {}
        self._campaigns = campaigns
        self._accounts = accounts
        self._vault = vault
        self._said: dict[int, str] = {}

    def run(self, stop: Flag, clock: Callable[[], float], wake: Callable[[], object]) -> None:
        """Moves all that is under way every few seconds, until `stop`; a database that does not answer is asked again.
        `wake` is called when something moved."""
        while not stop.is_set():
            started_s = clock()
            try:
                moved = self.step(stop)
            except Unavailable as error:
                log.warning("dispatch: %s", error.problem)
            else:
                if moved:
                    wake()
            stop.wait(max(PAUSE_S, clock() - started_s))

    def step(self, stop: Flag) -> int:
        """Advances each once, or as many of an owner's as its share allows; how many. What one fails at holds up no
        other, and is logged once. Raises Unavailable where the database does not answer."""
        kept, moved = self._campaigns(), 0
        rows = [row for row in kept.under_way() if self._may(row)]
        self._said = {row.number: self._said[row.number] for row in rows if row.number in self._said}
        for row in self._shared(rows):
            if stop.is_set():
                break
            try:
                kept.open(row.number).advance(self._vault.signer(row.owner))
            except TakenElsewhere:
                continue
            except LedgerError as error:
                self._tell(row.number, error)
            else:
                moved += 1
                self._said.pop(row.number, None)
        return moved

    def _shared(self, rows: Sequence[CampaignRow]) -> Iterator[CampaignRow]:
        """Of each owner in turn what its share of the time allows, one at least."""
        of_owner: dict[str, list[CampaignRow]] = {}
        for row in rows:
            of_owner.setdefault(row.owner, []).append(row)
        self._left_at = {owner: at for owner, at in self._left_at.items() if owner in of_owner}
        for owner, mine in of_owner.items():
            at, until_s = self._left_at.pop(owner, 0), time.monotonic() + self._share_s
            for row in sorted(mine, key=lambda one: (one.number <= at, one.number)):
                yield row
                if time.monotonic() >= until_s:
                    self._left_at[owner] = row.number
                    break

    def _may(self, row: CampaignRow) -> bool:
        key_id, named, _ = (row.key or "").partition(":")
        if not named or not self._vault.holds(row.owner):
            return False
        return any(key.key_id == key_id and key.revoked_s is None for key in self._accounts.listed(row.owner))

    def _tell(self, number: int, error: LedgerError) -> None:
        # The sentence names values, never a key; and the same every few seconds would bury everything else.
        if self._said.get(number) != error.problem:
            self._said[number] = error.problem
            log.warning("dispatch %d: %s", number, error.problem)
