"""Delivery's verbs: from units to a lease, from a report to money. Each gives an Action, as in market."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from eth_utils.crypto import keccak

from ledger.abi import Call
from ledger.action import Action, Costs
from ledger.artifacts import Deployment
from ledger.chain import Chain
from ledger.product import ComputeClass, Product
from ledger.rpc import Receipt
from ledger.sending.sender import Sender
from ledger.units import format_milli_units, format_units, share_up
from ledger.view import View

NO_READINGS = bytes(32)
"""The usage root of a report without meter readings."""


class Reason(IntEnum):
    """Why a lease ended as it did (IDelivery.Reason)."""

    ACCEPTED = 1
    UNDISPUTED = 2
    UNREPORTED = 3
    RULED = 4
    UNRULED = 5
    ABORTED = 6


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a lease ended: why, what counts as delivered (milli-units), and who got how much of its bond."""

    reason: Reason
    delivered_milli: int
    to_provider_micro: int
    to_holder_micro: int


class Delivery(View):
    """Acts on the leases of one market."""

    def __init__(self, chain: Chain, deployment: Deployment, sender: Sender | None = None) -> None:
        """Raises WrongChain where the node serves another chain than the deployment's."""
        super().__init__(chain, deployment)
        self.sender = sender or Sender(chain)

    def redeem(
        self, product: Product, site: int, units: int, job: bytes = b"", job_hash: bytes | None = None
    ) -> Action[int]:
        """Turns the sender's units into a lease at a site that owes them; the value is its number.

        `job` says what is to be run; its keccak-256 goes on chain, or `job_hash`, where that is known already.
        """
        call = self.call("Delivery", "redeem", product.id, site, units, keccak(job) if job_hash is None else job_hash)
        title = f"Redeem {format_units(units)} of {product.code} at site {site}"

        def notes() -> tuple[str, ...]:
            at = self.site(site)
            if at.class_id == ComputeClass.GENERAL or units >= at.device_units:
                return ()
            return (
                f"{format_units(units)} are less than one {at.device} of site {site}, which counts "
                f"{format_units(at.device_units)}: a provider that gives whole devices runs no job on less, and is "
                "paid for the time.",
            )

        return Action(title, call, self.sender, self.said("Redeemed", "lease"), notes=notes)

    def report(self, lease: int, delivered_milli: int, usage_root: bytes = NO_READINGS) -> Action[None]:
        """The provider states what it delivered: milli-units, averaged over the window."""
        title = f"Report {format_milli_units(delivered_milli)} delivered for lease {lease}"
        return self._act(title, self.call("Delivery", "report", lease, delivered_milli, usage_root))

    def abort(self, lease: int, delivered_milli: int = 0) -> Action[Resolution | None]:
        """The provider gives up early; the value is None where something delivered is left to be accepted."""
        title = f"Abort lease {lease}, {format_milli_units(delivered_milli)} delivered"
        call = self.call("Delivery", "abort", lease, delivered_milli)
        return Action(title, call, self.sender, self._resolution_if_any)

    def accept(self, lease: int) -> Action[Resolution]:
        """The holder agrees with the report, and pays at once."""
        return self._ending(f"Accept lease {lease}", self.call("Delivery", "accept", lease))

    def dispute(self, lease: int, evidence: bytes) -> Action[None]:
        """The holder disagrees, with a deposit; `evidence` is the hash of what shows it."""
        call = self.call("Delivery", "dispute", lease, evidence)

        def costs() -> Costs:
            bond_micro = self.lease(lease).bond_micro
            return Costs(deposit_micro=share_up(bond_micro, self.deployment.terms.dispute_deposit_bp))

        return self._act(f"Dispute lease {lease}", call, costs)

    def rule(self, lease: int, delivered_milli: int, reason_uri: str, content: bytes) -> Action[Resolution]:
        """An arbiter decides what was delivered; `content` is what `reason_uri` serves, by keccak-256."""
        title = f"Rule that {format_milli_units(delivered_milli)} of lease {lease} were delivered"
        call = self.call("Delivery", "rule", lease, delivered_milli, reason_uri, keccak(content))
        return self._ending(title, call)

    def resolve(self, lease: int) -> Action[Resolution]:
        """Ends a lease when the clock says so; anyone may."""
        return self._ending(f"Resolve lease {lease}", self.call("Delivery", "resolve", lease))

    def expire(self, product: Product, site: int) -> Action[int]:
        """After the window and the grace, gives the provider the bond of units that nobody redeemed; anyone may.

        The value is that bond in micro.
        """
        call = self.call("Delivery", "expire", product.id, site)
        title = f"Expire {product.code} at site {site}"
        return Action(title, call, self.sender, self.said("Expired", "bondMicro"))

    def _act(self, title: str, call: Call, costs: Callable[[], Costs] = Costs) -> Action[None]:
        return Action(title, call, self.sender, lambda _: None, costs)

    def _ending(self, title: str, call: Call) -> Action[Resolution]:
        return Action(title, call, self.sender, self._resolution)

    def _resolution(self, receipt: Receipt) -> Resolution:
        event = self.event(receipt, "Resolved")
        return Resolution(
            reason=Reason(event["reason"]),
            delivered_milli=event["deliveredMilli"],
            to_provider_micro=event["toProviderMicro"],
            to_holder_micro=event["toHolderMicro"],
        )

    def _resolution_if_any(self, receipt: Receipt) -> Resolution | None:
        ended = any(event.name == "Resolved" for event in self.events(receipt.logs))
        return self._resolution(receipt) if ended else None
