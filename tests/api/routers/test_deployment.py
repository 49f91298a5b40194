"""What a program needs to use the market without this API."""

from tests.api.stage import Stage


def test_the_deployment_is_the_manifests(stage: Stage) -> None:
    found, deployment = stage.get("/deployment"), stage.world.market.deployment
    assert found["addresses"] == dict(deployment.addresses)
    assert found["code_hashes"] == dict(deployment.code_hashes)
    assert (found["chain_id"], found["rpc"], found["faucet"]) == (deployment.chain_id, "/rpc", True)
    assert found["terms"]["round_s"] == deployment.terms.round_s


def test_every_contract_has_its_interface(stage: Stage) -> None:
    for contract, address in stage.world.market.deployment.addresses.items():
        found = stage.get(f"/deployment/abi/{contract}")
        assert found["address"] == address
        assert any(one["type"] == "function" for one in found["abi"])
    assert stage.client.get("/deployment/abi/Nothing").status_code == 404
