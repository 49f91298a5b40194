"""Where the market is: what a wallet or another program needs to use it without this API."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Path as InPath

from api.auth import Work
from api.errors import NotThere, problems
from api.nouns import Noun
from api.schemas import Shape

router = Noun(prefix="/deployment", tags=["deployment"], responses=problems(404, 422, 429, 503))


class DeploymentShape(Shape):
    """One market on one chain. `rpc` is this API's path to the chain's node; `faucet`: money may be had for nothing.
    All of it stands since the deployment and for good, so that no block is named but `block`, in which that was."""

    chain_id: int
    chain_name: str
    rpc: str
    block: int
    addresses: dict[str, str]
    code_hashes: dict[str, str]
    terms: dict[str, int]
    faucet: bool
    open_keys: bool


class AbiShape(Shape):
    """A contract's interface, as Solidity's compiler gives it."""

    contract: str
    address: str
    abi: list[dict[str, Any]]


@router.get("", summary="The market's contracts, terms and chain")
def read_deployment(work: Work) -> DeploymentShape:
    deployment = work.deployment
    return DeploymentShape(
        chain_id=deployment.chain_id,
        chain_name="Compute Ledger (local)" if work.chain.clock else f"Chain {deployment.chain_id}",
        rpc="/rpc",
        block=deployment.block,
        addresses=dict(deployment.addresses),
        code_hashes=dict(deployment.code_hashes),
        terms=asdict(deployment.terms),
        faucet=work.is_demo,
        open_keys=work.is_demo,
    )


@router.get("/abi/{contract}", summary="A contract's interface")
def read_abi(work: Work, contract: Annotated[str, InPath(max_length=40, examples=["Exchange"])]) -> AbiShape:
    if contract not in work.deployment.addresses:
        raise NotThere(f"There is no contract {contract}.", f"There are {', '.join(work.deployment.addresses)}.")
    artifact = work.chain.artifact("TestDollar" if contract == "Token" else contract)
    return AbiShape(
        contract=contract, address=work.deployment.address(contract), abi=[dict(one) for one in artifact.abi]
    )
