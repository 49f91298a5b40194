"""What events of Capacity, Delivery and Standard do to the rows: sites, what they owe, leases, the standard.

One method an event, with its values in the contract's order (see rows).
"""

from collections.abc import Mapping
from typing import Any

from ledger.history.entries import Entries, Row, end_s
from ledger.model import LeaseState

_TERMS = {
    "name": "name",
    "unit": "unit",
    "minMemoryGb": "min_memory_gb",
    "tickSizeMicro": "tick_size_micro",
    "minOrderUnits": "min_order_units",
    "bondPriceMicro": "bond_price_micro",
}
_LATER = ("reason", "reported_milli", "delivered_milli", "reported_s", "disputed_s", "resolved_s")
_LATER_TOLD = ("usage_root", "ruling_uri")


class Duties:
    """Who may issue, who owes what, and how it ended."""

    def __init__(self, entries: Entries) -> None:
        self._to = entries

    # ---- sites

    def site_registered(  # noqa: PLR0913, PLR0917 - the event has as many values
        self, site: int, provider: str, device: str, devices: int, class_id: int, metro: int, hub: int, uri: str
    ) -> None:
        row = {
            "provider": provider,
            "device": device,
            "devices": devices,
            "class_id": class_id,
            "metro": metro,
            "hub": hub,
            "uri": uri,
            "attested_units": 0,
            "grade": 0,
            "valid_until_s": 0,
            "evidence": None,
            "delivered_milli_hours": 0,
            "failed_milli_hours": 0,
        }
        self._to.rows.add("sites", (site,), row | self._to.at)

    def attested(self, site: int, units: int, grade: int, evidence: str, valid_until_s: int) -> None:
        row = self._to.change("sites", site)
        row |= {"attested_units": units, "grade": grade, "evidence": evidence, "valid_until_s": valid_until_s}

    def record_updated(self, site: int, delivered: int, failed: int) -> None:
        self._to.change("sites", site).update(delivered_milli_hours=delivered, failed_milli_hours=failed)

    def issue_paused(self, paused: bool) -> None:
        self._to.set("pauses", ("issues",), {"paused": paused})

    # ---- obligations

    def obliged(self, product: int, site: int, units: int, bond_micro: int) -> None:
        row = self._to.owed(product, site)
        row["units"] += units
        row["bond_micro"] += bond_micro

    def discharged(self, product: int, site: int, units: int, bond_micro: int) -> None:
        row = self._to.owed(product, site)
        row["units"] -= units
        row["bond_micro"] -= bond_micro

    def expired(self, product: int, site: int, units: int, _bond_micro: int) -> None:
        self._to.owed(product, site)["expired_units"] += units

    def margin_escrowed(self, product: int, site: int, provider: str, units: int, amount_micro: int) -> None:
        self._to.pay(provider, -amount_micro)
        row = self._to.owed(product, site)
        row["margin_micro"] += amount_micro
        row["reserved_units"] += units
        if self._to.placed is not None:
            # It follows its order's event at once.
            self._to.placed["escrow_micro"] = amount_micro

    def offer_settled(self, product: int, site: int, filled: int, unfilled: int, returned_micro: int) -> None:
        row = self._to.owed(product, site)
        row["reserved_units"] -= filled + unfilled
        self._to.pay(self._to.known("sites", site)["provider"], returned_micro)
        row["margin_micro"] -= returned_micro

    def bond_posted(self, payer: str, amount_micro: int) -> None:
        self._to.pay(payer, -amount_micro)

    def bond_released(self, payee: str, amount_micro: int) -> None:
        self._to.pay(payee, amount_micro)

    # ---- leases

    def redeemed(
        self, lease: int, product: int, holder: str, site: int, units: int, bond_micro: int, job_hash: str
    ) -> None:
        row = dict.fromkeys((*_LATER, *_LATER_TOLD)) | {
            "product": product,
            "site": site,
            "provider": self._to.known("sites", site)["provider"],
            "holder": holder,
            "units": units,
            "bond_micro": bond_micro,
            "held_micro": bond_micro,
            "deposit_micro": 0,
            "state": LeaseState.ACTIVE.value,
            "aborted": False,
            "to_provider_micro": 0,
            "to_holder_micro": 0,
            "redeemed_s": self._to.time_s,
            "due_s": end_s(product) + self._to.terms.report_period_s,
            "job_hash": job_hash,
        }
        self._to.rows.add("leases", (lease,), row | self._to.at)

    def _reported(self, lease: int, delivered_milli: int) -> Row:
        row = self._to.change("leases", lease)
        due_s = max(self._to.time_s, end_s(row["product"])) + self._to.terms.dispute_period_s
        row |= {"state": LeaseState.REPORTED.value, "reported_s": self._to.time_s, "due_s": due_s}
        row["reported_milli"] = delivered_milli
        return row

    def reported(self, lease: int, delivered_milli: int, usage_root: str) -> None:
        self._reported(lease, delivered_milli)["usage_root"] = usage_root

    def aborted(self, lease: int, delivered_milli: int, to_holder_micro: int) -> None:
        row = self._reported(lease, delivered_milli)
        row["aborted"] = True
        self._pay_holder(row, to_holder_micro)

    def disputed(self, lease: int, _evidence: str, deposit_micro: int) -> None:
        row = self._to.change("leases", lease)
        due_s = self._to.time_s + self._to.terms.ruling_period_s
        row |= {"state": LeaseState.DISPUTED.value, "disputed_s": self._to.time_s, "due_s": due_s}
        row["deposit_micro"] = deposit_micro
        self._to.pay(row["holder"], -deposit_micro)

    def ruled(self, lease: int, _delivered_milli: int, uri: str, _content: str) -> None:
        self._to.change("leases", lease)["ruling_uri"] = uri

    def deposit_returned(self, lease: int, to: str, amount_micro: int) -> None:
        self._to.change("leases", lease)["deposit_micro"] -= amount_micro
        self._to.pay(to, amount_micro)

    def resolved(
        self, lease: int, reason: int, delivered_milli: int, to_provider_micro: int, to_holder_micro: int
    ) -> None:
        row = self._to.change("leases", lease)
        state = LeaseState.ABORTED if row["aborted"] else LeaseState.RESOLVED
        row |= {"state": state.value, "reason": reason, "delivered_milli": delivered_milli}
        row |= {"resolved_s": self._to.time_s, "due_s": None}
        self._pay_holder(row, to_holder_micro)
        row["held_micro"] -= to_provider_micro
        row["to_provider_micro"] += to_provider_micro
        self._to.pay(row["provider"], to_provider_micro)

    def _pay_holder(self, row: Row, amount_micro: int) -> None:
        row["held_micro"] -= amount_micro
        row["to_holder_micro"] += amount_micro
        self._to.pay(row["holder"], amount_micro)

    # ---- the standard

    def class_set(self, class_id: int, terms: Mapping[str, Any]) -> None:
        row = {name: terms[field] for field, name in _TERMS.items()}
        self._to.set("classes", (class_id,), row)

    def rated(
        self, device: str, class_id: int, version: int, name: str, milli_units: int, basis: int, evidence: str
    ) -> None:
        row = {"name": name, "milli_units": milli_units, "basis": basis, "evidence": evidence}
        self._to.rows.add("ratings", (device, class_id, version), row | self._to.at)

    def area_set(self, area: int, hub: int, name: str) -> None:
        self._to.set("areas", (area,), {"hub": hub, "name": name})
