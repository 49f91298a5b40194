"""A deployment on a real chain: wired, granted, seeded, written down, and checked against what was compiled."""

from pathlib import Path

import pytest

from ledger import (
    CLASSES,
    BadDeployment,
    Contracts,
    MarketTerms,
    Roles,
    Sender,
    deploy,
    errors,
    in_process_chain,
    load_areas,
    load_artifacts,
    load_deployment,
    load_standard,
)
from ledger.artifacts import code_hash
from ledger.deployment import ARBITER, AUDITOR, GUARDIAN, STANDARDS
from ledger.view import View
from tests.world import ADMIN, BUYER, PROVIDER, SELLER, STRANGER, TERMS, World

TERMS_ODD = MarketTerms(30, 90, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007)


def test_every_contract_runs_the_compiled_code(world: World) -> None:
    for name, artifact in load_artifacts().items():
        address = world.market.address("Token" if name == "TestDollar" else name)
        code = world.chain.code(address)
        assert artifact.masked(code) == artifact.runtime_code, name


def test_contracts_know_one_another(world: World) -> None:
    at = world.market.address
    assert world.market.read("Treasury", "token") == at("Token")
    for contract, names in {
        "Capacity": ("standard", "exchange", "delivery"),
        "Treasury": ("exchange", "delivery"),
        "Exchange": ("standard", "capacity", "treasury", "delivery"),
        "Delivery": ("standard", "capacity", "treasury", "exchange"),
    }.items():
        for name in names:
            assert world.market.read(contract, name) == at(name.capitalize()), (contract, name)
    for contract in ("Standard", "Capacity", "Exchange", "Delivery"):
        assert world.market.read(contract, "authority") == at("AccessManager")


def test_terms_are_those_of_the_manifest(world: World) -> None:
    assert world.market.read("Exchange", "ROUND") == TERMS.round_s
    assert world.market.read("Exchange", "LEAD") == TERMS.lead_s
    assert tuple(world.market.read("Delivery", "terms").values()) == TERMS.delivery_terms


def test_standard_on_chain_is_the_packages_own(world: World) -> None:
    for class_id, terms in CLASSES.items():
        assert world.market.terms_of(class_id) == terms
    for entry in load_standard().entries:
        assert world.market.rating(entry.rating.device, entry.rating.class_id) == entry.rating
    for area in load_areas().all():
        hub = 0 if area.is_hub else area.hub
        assert world.market.read("Standard", "hubOf", area.code) == hub
    assert world.market.rating("toaster", 1) is None


def test_deploy_grants_each_role_to_its_holder_and_writes_a_manifest_that_verifies(tmp_path: Path) -> None:
    chain = in_process_chain()
    roles = Roles(PROVIDER.address, BUYER.address, SELLER.address, STRANGER.address)
    manifest = tmp_path / "made" / "deployment.json"
    deployment = deploy(Sender(chain), ADMIN, TERMS_ODD, roles, manifest=manifest)
    assert load_deployment(manifest) == deployment
    view = View(chain, load_deployment(manifest))
    view.check()
    holders = {STANDARDS: PROVIDER, AUDITOR: BUYER, ARBITER: SELLER, GUARDIAN: STRANGER}
    for role, holder in holders.items():
        assert view.read("AccessManager", "hasRole", role, holder.address) == (True, 0)
        assert view.read("AccessManager", "hasRole", role, ADMIN.address) == (False, 0)
    assert tuple(view.read("Delivery", "terms").values()) == (1_001, 1_002, 1_003, 1_004, 1_005, 1_006, 1_007)
    labels = {event["roleId"]: event["label"] for event in view.history(0) if event.name == "RoleLabel"}
    assert labels == {1: "STANDARDS", 2: "AUDITOR", 3: "ARBITER", 4: "GUARDIAN"}


def test_only_the_holder_of_a_role_may_act_in_it(world: World) -> None:
    market, stranger = world.market, world.stranger.address
    for call in (
        market.call("Standard", "setArea", 60_000, 0, "Nowhere"),
        market.call("Capacity", "attest", 1, 1, 1, bytes(32), 2**40),
        market.call("Capacity", "setIssuePaused", True),
        market.call("Exchange", "setOrdersPaused", True),
        market.call("Delivery", "rule", 1, 1, "", bytes(32)),
        market.call("Standard", "setClass", 9, ("a", "b", 1, 1, 1, 1)),
        market.call("Standard", "rate", "a", 1, 1, 1, bytes(32)),
    ):
        with pytest.raises(errors.AccessManagedUnauthorized):
            market.sender.simulate(call, stranger)


def test_deploy_takes_a_settlement_token_that_exists(tester_world: World) -> None:
    token = tester_world.market.address("Token")
    deployment = deploy(tester_world.market.sender, ADMIN, token=token)
    assert deployment.address("Token") == token
    assert deployment.terms == MarketTerms()


def test_check_notices_that_the_code_is_another(world: World) -> None:
    deployment = world.market.deployment
    swapped = {**deployment.addresses, "Standard": deployment.addresses["Capacity"]}
    other = type(deployment)(deployment.chain_id, deployment.block, swapped, deployment.code_hashes, TERMS)
    with pytest.raises(BadDeployment, match=r"other code at .* where Standard should be"):
        Contracts(world.chain, other).check()
    gone = {**deployment.addresses, "Standard": world.stranger.address}
    empty = type(deployment)(deployment.chain_id, deployment.block, gone, deployment.code_hashes, TERMS)
    with pytest.raises(BadDeployment, match="no code at"):
        Contracts(world.chain, empty).check()
    assert code_hash(b"") == "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
