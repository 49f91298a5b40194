"""A market with sites in several metros, its history, and offers by the hour: what the tests of dispatch stand on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ledger import (
    Chain,
    Grade,
    Market,
    MarketTerms,
    Product,
    Sender,
    Signer,
    Tier,
    connect,
    deploy,
    load_areas,
    local_node,
    seed_standard,
)
from ledger.dispatch.campaign import Campaigns
from ledger.dispatch.desk import DispatchDesk
from ledger.dispatch.problem import JobSpec
from ledger.history.index import Index
from ledger.store.engine import IN_MEMORY, Store, open_store
from ledger.units import SECONDS_PER_HOUR
from tests.world import ADMIN, BUYER, FUNDS_MICRO, H100, PROVIDER, START_S, STRANGER

AREAS = load_areas()
FRANKFURT, VIRGINIA, TOKYO = (AREAS.find(name).code for name in ("Frankfurt", "N. Virginia", "Tokyo"))
# A report is due ten minutes after its window, so that a silent site is seen to be within the hour.
TERMS = MarketTerms(
    round_s=60, lead_s=120, report_period_s=600, dispute_period_s=600, ruling_period_s=1_200, grace_s=60
)


@dataclass
class Bazaar:
    """A deployed market, its history, and the number of the site in each metro that was opened."""

    chain: Chain
    market: Market
    store: Store
    index: Index
    url: str = ""
    sites: dict[int, list[int]] = field(default_factory=dict)

    @property
    def now_hour(self) -> int:
        return self.chain.time_s() // SECONDS_PER_HOUR

    def refresh(self) -> None:
        for _ in self.index.advance():
            pass

    def desk(self, **said: object) -> DispatchDesk:
        return DispatchDesk(self.market, self.store, AREAS, **said)  # type: ignore[arg-type]

    def campaigns(self, store: Store | None = None, sender: Sender | None = None) -> Campaigns:
        """Campaigns that wait for nobody else, of a process that sends with `sender`."""
        market = self.market if sender is None else Market(self.chain, self.market.deployment, sender)
        return Campaigns(DispatchDesk(market, self.store, AREAS), store or self.store, self.refresh, patience_s=0)

    def site(self, metro: int, units: int = 8_000) -> int:
        """A new site in a metro, attested."""
        site = self.market.register_site(H100, -(-units // 1_000), 1, metro).send(PROVIDER).value
        until_s = self.chain.time_s() + 400 * 24 * SECONDS_PER_HOUR
        self.market.attest(site, units, Grade.PREMIUM, b"\x01" * 32, until_s).send(ADMIN)
        self.sites.setdefault(metro, []).append(site)
        return site

    def go_to(self, time_s: int) -> None:
        assert self.chain.clock is not None
        self.chain.clock.go_to(time_s)

    def new_round(self) -> int:
        round_ = self.market.current_round() + 1
        self.go_to(round_ * TERMS.round_s)
        return round_

    def end_round(self) -> None:
        self.go_to(self.market.round_end_s(self.market.current_round()))

    def offer(self, site: int, products: Sequence[Product], units: int, tick: int) -> None:
        for product in products:
            self.market.offer(site, product, units, tick=tick).send(PROVIDER)
        self.refresh()

    def job(
        self, units: int, hours: int, after: int = 2, room: int = 8, limit_micro: int = 4_000, **said: object
    ) -> JobSpec:
        first = self.now_hour + after
        name = str(said.pop("name", "job"))
        return JobSpec(name, 1, units, hours, first, first + room, limit_micro, **said)  # type: ignore[arg-type]


def wide(hour: int, hours: int = 1, grade: Grade = Grade.STANDARD) -> Product:
    return Product(1, Tier.WIDE, 0, grade, hour, hours)


def metro(hour: int, area: int, hours: int = 1) -> Product:
    return Product(1, Tier.METRO, area, Grade.STANDARD, hour, hours)


@contextmanager
def bazaar() -> Iterator[Bazaar]:
    """On an anvil of its own; the buyer and the provider have money."""
    with local_node(start_s=START_S) as node:
        chain = connect(node.url)
        sender = Sender(chain)
        market = Market(chain, deploy(sender, ADMIN, TERMS), sender)
        seed_standard(market, sender, ADMIN)
        for one in (PROVIDER, BUYER, STRANGER):
            fund(market, one)
        store = open_store(IN_MEMORY)
        found = Bazaar(chain, market, store, Index(market, store), node.url)
        found.refresh()
        yield found
        store.close()


def fund(market: Market, signer: Signer) -> None:
    market.mint_test_dollars(signer.address, 2 * FUNDS_MICRO).send(signer)
    market.fund(FUNDS_MICRO, signer)
