"""What the routes work with: one market, its history, the accounts; and the threads that keep them going."""

import logging
import time
from asyncio import Semaphore
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Event as Flag
from threading import Lock, Thread

from api.audits import Audits
from api.errors import NotReady
from api.feed import Feed
from api.moving import Mover
from api.settings import ApiSettings
from api.turns import Turns
from api.vault import Vault
from ledger import (
    DEVELOPMENT_MNEMONIC,
    Accounts,
    Areas,
    BadSetting,
    Call,
    Campaigns,
    Chain,
    Delivery,
    Deployment,
    DispatchDesk,
    Event,
    EventRow,
    Head,
    Index,
    Jobs,
    Keeper,
    LedgerError,
    Market,
    NodeRefused,
    RelayDesk,
    RelayQueue,
    Secret,
    Sender,
    Signer,
    Snapshot,
    Standard,
    Store,
    connect,
    device_hash,
    load_areas,
    load_deployment,
    load_signer,
    load_standard,
    open_store,
    queries,
    signer_from_mnemonic,
    snapshot,
)

log = logging.getLogger("api")

_STOP_S = 10
# Answers of the node that may be in memory together, each bounded (api/routers/rpc.py).
_PASSED_ON_AT_ONCE = 16
_INDEX_PAUSE_S = 0.2
# What an account on a chain of our own is given, once it has less than half of it: some thousand transactions.
_GAS_WEI = 10**18
_GAS_TRIES = 5
_OPERATOR = 9
"""Which development account acts for the API on a local chain, where no key is named."""


@dataclass(frozen=True, slots=True)
class View:
    """The history at one block."""

    store: Snapshot
    head: Head

    @property
    def block_hash(self) -> str:
        return self.head.hash or ""


class Services:
    """Everything that a request may need. Open it with `open_services`."""

    def __init__(self, settings: ApiSettings, chain: Chain, deployment: Deployment, store: Store) -> None:
        self.settings = settings
        self.chain = chain
        self.store = store
        self.sender = Sender(chain, store)
        self.market = Market(chain, deployment, self.sender)
        self.delivery = Delivery(chain, deployment, self.sender)
        self.accounts = Accounts(store)
        self.desk = RelayDesk(self.market, RelayQueue(store))
        self.jobs = Jobs(store)
        self.vault = Vault(settings.keystores)
        self.feed = Feed(store)
        self.audits = Audits(self.market)
        self.plans, self.proofs, self.searches = Turns("plans"), Turns("proofs"), Turns("searches")
        self.passing_on = Semaphore(_PASSED_ON_AT_ONCE)
        self._gas = Lock()
        self._stop = Flag()
        self._threads: list[Thread] = []

    @cached_property
    def standard(self) -> Standard:
        return load_standard(self.settings.ledger.data)

    @cached_property
    def areas(self) -> Areas:
        return load_areas()

    @cached_property
    def device_names(self) -> dict[str, str]:
        """The devices of the standard by their hashes on chain."""
        names = {entry.rating.device for entry in self.standard.entries}
        return {"0x" + device_hash(name).hex(): name for name in names}

    def campaigns(self) -> Campaigns:
        """The dispatches of this market; its history goes on by itself."""
        return Campaigns(DispatchDesk(self.market, self.store, self.areas), self.store)

    def decode(self, row: EventRow) -> Event | None:
        """What a kept log says."""
        return self.chain.interface(row.contract).event(row.log)

    @property
    def deployment(self) -> Deployment:
        return self.market.deployment

    @cached_property
    def is_demo(self) -> bool:
        """Whether the money is play money on a chain of our own: where anybody may have an account and some of it."""
        return self.chain.clock is not None and self.settings.admin_key is None

    @cached_property
    def operator(self) -> Signer | None:
        """Who acts for the API itself: the key that the settings name, or on a local chain one that everybody knows."""
        try:
            return load_signer(self.settings.ledger)
        except BadSetting:
            local = self.chain.clock is not None
            return signer_from_mnemonic(Secret(DEVELOPMENT_MNEMONIC), _OPERATOR) if local else None

    @contextmanager
    def view(self) -> Iterator[View]:
        """The history as it is now, for as long as the block lasts. Raises NotReady before the first block is read."""
        with snapshot(self.store) as store:
            head = queries.head(store)
            if head is None or head.hash is None:
                raise NotReady
            yield View(store, head)

    def give_gas(self, address: str) -> None:
        """On a chain of our own, sees to it that an account can pay for gas."""
        if self.chain.clock is None or self.chain.gas_money_wei(address) >= _GAS_WEI // 2:
            return
        # A transfer, and no balance set by the node: that would change the state of a block that is made already, and
        # what was proven of it would be proven no more.
        with self._gas:
            for left in reversed(range(_GAS_TRIES)):
                try:
                    self._transfer(address, _GAS_WEI)
                    break
                except NodeRefused:  # another of the operator's transactions took the nonce
                    if not left:
                        raise

    def _transfer(self, address: str, amount_wei: int) -> None:
        if self.operator is None:
            return
        unsigned = replace(self.sender.build(Call("", address, b""), self.operator.address), value_wei=amount_wei)
        signed = self.operator.sign_transaction(unsigned.fields())
        self.sender.wait(self.sender.relay(signed.raw))

    # ---- what runs beside the requests

    def start(self) -> None:
        """Starts the threads that the settings name."""
        wanted: dict[str, Callable[[], None]] = {
            "index": self._follow,
            "sender": self._send,
            "keeper": self._keep,
            "dispatch": self._dispatch,
        }
        for name, work in wanted.items():
            if name in self.settings.services:
                self._begin(name, work)
        self._begin("feed", lambda: self.feed.run(self._stop))

    def stop(self) -> None:
        """Ends them, and closes the database."""
        self._stop.set()
        self.feed.close()
        for thread in self._threads:
            thread.join(_STOP_S)
        self.sender.close()
        self.store.close()

    def gauges(self) -> dict[str, float]:
        """What is measured now, by name."""
        head = queries.head(self.store)
        return {
            "history_block": float(head.block if head else 0),
            "history_lag_blocks": float(head.lag if head else 0),
            "unfinished_intents": float(len(self.sender.unfinished())),
            "listeners": float(self.feed.listeners),
            "threads_ended": float(sum(not lives for lives in self.running().values())),
        }

    def running(self) -> dict[str, bool]:
        """Which threads there are, and whether each still lives."""
        return {thread.name: thread.is_alive() for thread in self._threads}

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = Thread(target=self._guarded, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except LedgerError as error:
            # It ends, readiness says so, and whoever watches decides: going on could only make it worse.
            log.error("%s ended: %s", name, error)

    def _follow(self) -> None:
        index = Index(self.market, self.store)
        for _ in index.follow(self._stop, _INDEX_PAUSE_S):
            self.feed.wake()

    def _send(self) -> None:
        self.sender.run(self._stop)

    def _keep(self) -> None:
        if self.operator is None:
            log.warning("keeper: no key is named to send with")
            return
        keeper = Keeper(self.market, self.store, None, [self.operator])
        for _ in keeper.run(self._stop):
            self.feed.wake()

    def _dispatch(self) -> None:
        Mover(self.campaigns, self.accounts, self.vault).run(self._stop, time.monotonic, self.feed.wake)


def open_services(settings: ApiSettings) -> Services:
    """Connects, checks the deployment, opens the database. Raises LedgerError."""
    said = settings.ledger
    chain = connect(said.rpc_url.reveal(), said.chain_id, said.rpc_timeout_s)
    deployment = load_deployment(said.manifest)
    services = Services(settings, chain, deployment, open_store(said.database))
    services.market.check()
    return services
