"""Puts a market on a chain: its contracts, wired for good, its roles, its standard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.abi import Call
from ledger.action import Action, Outcome
from ledger.areas import load_areas
from ledger.artifacts import Deployment, MarketTerms, code_hash
from ledger.chain import Contracts, created_address
from ledger.errors import NodeRefused
from ledger.keys import Signer
from ledger.model import Area, ClassTerms, Rating
from ledger.sending.sender import Sender
from ledger.standard import CLASSES, Standard, load_standard

STANDARDS, AUDITOR, ARBITER, GUARDIAN = 1, 2, 3, 4
ROLE_NAMES = {STANDARDS: "STANDARDS", AUDITOR: "AUDITOR", ARBITER: "ARBITER", GUARDIAN: "GUARDIAN"}

# What each role may call; everything else is everybody's, or nobody's.
_RESTRICTED: tuple[tuple[int, str, tuple[tuple[str, int], ...]], ...] = (
    (STANDARDS, "Standard", (("setClass", 2), ("rate", 5), ("setArea", 3))),
    (AUDITOR, "Capacity", (("attest", 5),)),
    (GUARDIAN, "Capacity", (("setIssuePaused", 1),)),
    (GUARDIAN, "Exchange", (("setOrdersPaused", 1),)),
    (ARBITER, "Delivery", (("rule", 4),)),
)

# A rating or an area takes about 75,000 gas: a part stays well below what one transaction may burn.
_SEEDS_PER_TRANSACTION = 100


@dataclass(frozen=True, slots=True)
class Roles:
    """Who holds each role, by address; the deployer where none is named."""

    standards: str | None = None
    auditor: str | None = None
    arbiter: str | None = None
    guardian: str | None = None


def deploy(
    sender: Sender,
    deployer: Signer,
    terms: MarketTerms | None = None,
    roles: Roles | None = None,
    token: str | None = None,
    manifest: Path | None = None,
) -> Deployment:
    """Deploys the five contracts and an AccessManager whose admin is `deployer`, grants the roles, writes `manifest`.

    `token` is the settlement token, an ERC-20 with six decimals; without one a TestDollar is made, which anyone may
    mint: for chains without value only. Raises Reverted or Unavailable; what was sent by then stays.
    """
    terms = terms or MarketTerms()
    token = token or _create(sender, deployer, "TestDollar")
    authority = _create(sender, deployer, "AccessManager", deployer.address)
    addresses = _create_market(sender, deployer, terms, authority, token)
    deployment = Deployment(
        chain_id=sender.chain.chain_id,
        block=sender.chain.block().number,
        addresses=addresses,
        code_hashes={name: code_hash(sender.chain.code(address)) for name, address in addresses.items()},
        terms=terms,
    )
    _grant(sender, deployer, deployment, roles or Roles())
    if manifest is not None:
        deployment.write(manifest)
    return deployment


def seed_standard(
    contracts: Contracts,
    sender: Sender,
    committee: Signer,
    standard: Standard | None = None,
    areas: Iterable[Area] | None = None,
) -> list[Outcome[None]]:
    """Writes the conversion standard onto the chain, in a few transactions of an account with the role STANDARDS.

    Classes, ratings, areas (hubs before their metros); by default the package's own. Raises Reverted for an area that
    is named already.
    """
    entries = (standard or load_standard()).entries
    calls = [
        *(class_call(contracts, class_id, class_terms) for class_id, class_terms in CLASSES.items()),
        *(rating_call(contracts, entry.rating) for entry in entries),
        *(area_call(contracts, area) for area in (load_areas().all() if areas is None else areas)),
    ]
    parts = [calls[start : start + _SEEDS_PER_TRANSACTION] for start in range(0, len(calls), _SEEDS_PER_TRANSACTION)]
    return [govern(contracts, sender, part).send(committee) for part in parts]


def govern(contracts: Contracts, sender: Sender, calls: Sequence[Call]) -> Action[None]:
    """Several restricted calls in one transaction, all or none, by an account that has the roles for them."""
    executed = [contracts.call("AccessManager", "execute", call.to, call.data).data for call in calls]
    title = f"{len(calls)} act{'' if len(calls) == 1 else 's'} of governance"
    return Action(title, contracts.call("AccessManager", "multicall", executed), sender, lambda _: None)


def class_call(contracts: Contracts, class_id: int, terms: ClassTerms) -> Call:
    """Defines a class, or changes its terms for books that open from now on."""
    fields = (
        terms.name,
        terms.unit,
        terms.min_memory_gb,
        terms.tick_size_micro,
        terms.min_order_units,
        terms.bond_price_micro,
    )
    return contracts.call("Standard", "setClass", class_id, fields)


def rating_call(contracts: Contracts, rating: Rating) -> Call:
    """Rates a device in a class; earlier ratings stay readable."""
    arguments = (rating.device, rating.class_id, rating.milli_units, int(rating.basis), rating.evidence)
    return contracts.call("Standard", "rate", *arguments)


def area_call(contracts: Contracts, area: Area) -> Call:
    """Names an area, once and for all; a metro's hub comes before it."""
    return contracts.call("Standard", "setArea", area.code, 0 if area.is_hub else area.hub, area.name)


def _create_market(sender: Sender, deployer: Signer, terms: MarketTerms, authority: str, token: str) -> dict[str, str]:
    # All wiring is immutable, so each contract must know the others' addresses before they exist.
    nonce = sender.chain.nonce(deployer.address)
    names = ("Standard", "Capacity", "Treasury", "Exchange", "Delivery")
    at = {name: created_address(deployer.address, nonce + count) for count, name in enumerate(names)}
    arguments: dict[str, tuple[Any, ...]] = {
        "Standard": (authority, at["Exchange"]),
        "Capacity": (authority, at["Standard"], at["Exchange"], at["Delivery"]),
        "Treasury": (token, at["Exchange"], at["Delivery"]),
        "Exchange": (
            authority,
            at["Standard"],
            at["Capacity"],
            at["Treasury"],
            at["Delivery"],
            terms.round_s,
            terms.lead_s,
        ),
        "Delivery": (
            authority,
            at["Standard"],
            at["Capacity"],
            at["Treasury"],
            at["Exchange"],
            terms.delivery_terms,
        ),
    }
    for name in names:
        if _create(sender, deployer, name, *arguments[name]) != at[name]:
            raise NodeRefused(
                f"{name} came to stand at another address than was foreseen",
                "The deployer sent something else meanwhile: deploy again, and let it do nothing else.",
            )
    return {"Token": token, "AccessManager": authority, **at}


def _create(sender: Sender, deployer: Signer, contract: str, *arguments: Any) -> str:
    code = sender.chain.artifact(contract).creation_code
    receipt = sender.send(sender.chain.interface(contract).creation(code, *arguments), deployer)
    if receipt.contract is None:
        raise NodeRefused(f"its receipt names no address for {contract}")
    return receipt.contract


def _grant(sender: Sender, deployer: Signer, deployment: Deployment, roles: Roles) -> None:
    contracts = Contracts(sender.chain, deployment)
    holders = {
        STANDARDS: roles.standards,
        AUDITOR: roles.auditor,
        ARBITER: roles.arbiter,
        GUARDIAN: roles.guardian,
    }
    calls = [
        *(contracts.call("AccessManager", "labelRole", role, name) for role, name in ROLE_NAMES.items()),
        *(
            contracts.call("AccessManager", "grantRole", role, holder or deployer.address, 0)
            for role, holder in holders.items()
        ),
    ]
    for role, contract, functions in _RESTRICTED:
        interface = sender.chain.interface(contract)
        selectors = [interface.function(name, count).selector for name, count in functions]
        target = deployment.address(contract)
        calls.append(contracts.call("AccessManager", "setTargetFunctionRole", target, selectors, role))
    sender.send(contracts.call("AccessManager", "multicall", [call.data for call in calls]), deployer)
