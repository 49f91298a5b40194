"""Moves the dispatches of managed accounts, so that nobody has to ask for each step."""

import logging
from collections.abc import Callable
from threading import Event as Flag

from api.vault import Vault
from ledger import Accounts, CampaignRow, Campaigns, LedgerError, TakenElsewhere, Unavailable

log = logging.getLogger("api")

PAUSE_S = 3.0
"""How long it rests between two rounds, or as long as the last one took: it leaves half of a processor to others."""


class Mover:
    """Advances what is under way, for each dispatch whose key is in the vault and has not been revoked: what it may
    spend was counted against the key's limit when it was started. Two of these do nothing twice: a campaign has one
    who moves it at a time, whoever that is."""

    def __init__(self, campaigns: Callable[[], Campaigns], accounts: Accounts, vault: Vault) -> None:
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
        """Advances each once; how many. What one fails at holds up no other, and is logged once. Raises Unavailable
        where the database does not answer."""
        kept, moved = self._campaigns(), 0
        rows = [row for row in kept.under_way() if self._may(row)]
        self._said = {row.number: self._said[row.number] for row in rows if row.number in self._said}
        for row in rows:
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
